"""The hook pre-push: code that pins what no one can get is not pushed, by real Git and a real server."""

from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.e2e.projects import hook_up, project, tried
from tests.shell import Shell, git


@pytest.fixture
def shell(server: EmbeddedServer, tmp_path: Path) -> Shell:
    """A shell in a project with one unpushed version and the hook; the remote `origin` of the code is empty."""
    server.site.folders.make_root("team")
    made = project(tmp_path / "project", ("pre-push",), f"{server.url}/team")
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "code.git")
    git(made.here, "remote", "add", "origin", str(tmp_path / "code.git"))
    return made


def next_code(shell: Shell, text: str) -> str:
    """Makes a version and a code commit that pins it; returns the code commit as it is told."""
    shell.write("data/images/a", text)
    shell.commit("data/images")
    git(shell.here, "commit", "-qam", text)
    return git(shell.here, "rev-parse", "HEAD")[:12]


def test_a_forgotten_push_stops_the_push_of_the_code_and_names_the_command(shell: Shell) -> None:
    done = tried(shell.here, "push", "-q", "origin", "main")
    assert done.returncode == 1
    version = shell("log", "images", "--json").json["versions"][0]["commit"]["id"][:12]
    code = git(shell.here, "rev-parse", "HEAD")[:12]
    assert done.stdout.splitlines()[0] == (
        f"aimdvc: images: v1? ({version}), pinned by code commit {code}, is not on 'origin', which doesn't have the"
        " artifact; `aimdvc push images` sends it"
    )
    shell("push")
    git(shell.here, "push", "-q", "origin", "main")
    code = next_code(shell, "2")
    next_code(shell, "3")
    done = tried(shell.here, "push", "-q", "origin", "main")
    told = [line for line in done.stdout.splitlines() if line.startswith("aimdvc:")]
    assert len(told) == 2 and f"pinned by code commit {code}, is not on 'origin'; `aimdvc push images`" in told[0]


def test_what_is_known_to_be_there_needs_no_network(shell: Shell, server: EmbeddedServer) -> None:
    shell("push")
    config = shell.here / ".aimdvc" / "config"
    config.write_text(config.read_text().replace(server.url, "http://127.0.0.1:9"))
    git(shell.here, "push", "-q", "origin", "main", "main:other")
    git(shell.here, "tag", "-am", "x", "one")
    git(shell.here, "push", "-q", "--tags")
    git(shell.here, "push", "-q", "origin", ":other")


def test_every_ref_that_is_pushed_counts(shell: Shell) -> None:
    shell("push")
    git(shell.here, "push", "-q", "origin", "main")
    git(shell.here, "switch", "-qc", "side")
    code = next_code(shell, "2")
    git(shell.here, "switch", "-qc", "tagged", "main")
    git(shell.here, "tag", "-am", "x", "two", "side")
    git(shell.here, "push", "-q", "origin", "tagged")
    for refs in (("tagged", "side"), ("tagged", "two"), ("--all",), ("--force", "side:main")):
        done = tried(shell.here, "push", "-q", "origin", *refs)
        assert done.returncode == 1 and code in done.stdout, refs


def test_a_framework_tells_one_ref_and_all_count(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("push")
    git(shell.here, "push", "-q", "origin", "main")
    git(shell.here, "switch", "-qc", "side")
    code = next_code(shell, "2")
    git(shell.here, "switch", "-q", "main")
    monkeypatch.setenv("PRE_COMMIT", "1")
    monkeypatch.setenv("PRE_COMMIT_REMOTE_NAME", "origin")
    assert code in shell("hook", "pre-push", code=1).out
    git(shell.here, "branch", "-qD", "side")
    assert shell("hook", "pre-push").out == ""


def test_upload_sends_what_is_lacking_instead(shell: Shell, tmp_path: Path) -> None:
    hook = shell.here / ".git" / "hooks" / "pre-push"
    hook.write_text(hook.read_text().replace('"$@"', '--upload "$@"'))
    done = tried(shell.here, "push", "-q", "origin", "main")
    assert done.returncode == 0
    assert done.stdout.startswith("note: images: pushed v1 to http://")
    git(tmp_path, "clone", "-q", str(tmp_path / "code.git"), "clone")
    Shell(tmp_path / "clone")("pull")
    assert (tmp_path / "clone/data/images/a").read_text() == "1"


def test_what_has_to_be_asked_and_can_not_be_exits_with_6_and_one_line(tmp_path: Path) -> None:
    shell = project(tmp_path / "project", (), "http://127.0.0.1:9/team")
    code = git(shell.here, "rev-parse", "HEAD").strip()
    zero = "0" * 40
    done = shell("hook", "pre-push", "origin", "x", typed=f"refs/heads/main {code} refs/heads/main {zero}", code=6)
    assert done.out == "" and done.err.count("aimdvc: ") == 1
    assert done.err.rpartition("aimdvc: ")[2].startswith("images: can't tell whether its remote has what is pushed")
    assert shell("hook", "pre-push", "origin", "x", typed=f"(delete) {zero} refs/heads/main {code}").err == ""


def test_a_colleague_who_never_pulled_an_artifact_can_push_code(shell: Shell, tmp_path: Path) -> None:
    shell("push")
    git(shell.here, "push", "-q", "origin", "main")
    git(tmp_path, "clone", "-q", str(tmp_path / "code.git"), "clone")
    clone = Shell(tmp_path / "clone")
    hook_up(clone.here, ("pre-push",))
    clone.write("code.py", "2\n")
    git(clone.here, "commit", "-qam", "code")
    git(clone.here, "push", "-q", "origin", "main")
    assert not (clone.here / ".git/aimdvc/repos").exists()


def test_a_version_on_another_branch_is_told_with_that(shell: Shell) -> None:
    shell("push")
    git(shell.here, "push", "-q", "origin", "main")
    shell("switch", "-c", "relabel")
    next_code(shell, "2")
    shell("switch", "main")
    done = tried(shell.here, "push", "-q", "origin", "main")
    assert "`aimdvc switch images@relabel` and `aimdvc push images` send it" in done.stdout
