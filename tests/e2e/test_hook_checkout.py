"""The hooks post-checkout, post-merge and post-rewrite: artifacts follow the code, by real Git, and lose nothing."""

from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.e2e.projects import hook_up, project, tried
from tests.shell import Shell, git

HOOKS = ("post-checkout", "post-merge", "post-rewrite")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in a project whose branches `main` and `two` pin v1 and v2 of one artifact; on `main`."""
    made = project(tmp_path / "project", HOOKS)
    git(made.here, "switch", "-qc", "two")
    made.write("data/images/a", "2")
    made.write("data/images/b", "2")
    made.commit("data/images")
    git(made.here, "commit", "-qam", "two")
    git(made.here, "switch", "-q", "main")
    return made


def images(shell: Shell) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((shell.here / "data" / "images").iterdir())}


ONE, TWO = {"a": "1"}, {"a": "2", "b": "2"}


def test_artifacts_follow_a_checkout_and_say_so_in_one_line(shell: Shell) -> None:
    assert images(shell) == ONE
    assert tried(shell.here, "switch", "-q", "two").stdout == "images at v2?: 2 files written, 0 deleted\n"
    assert images(shell) == TWO
    assert tried(shell.here, "checkout", "-q", "main").stdout == "images at v1?: 1 file written, 1 deleted\n"
    assert images(shell) == ONE
    assert git(shell.here, "status", "--short") == ""
    assert tried(shell.here, "switch", "-qc", "three").stdout == ""


def test_a_local_change_is_never_lost_and_tells_the_exit_code(shell: Shell) -> None:
    shell.write("data/images/a", "mine")
    done = tried(shell.here, "switch", "-q", "two")
    assert done.returncode == 1
    assert done.stdout.startswith("images: stays where it is: checkout of 'images' would lose local changes: 'a';")
    assert done.stdout.count("\n") == 1
    assert images(shell) == {"a": "mine"}
    assert git(shell.here, "branch", "--show-current") == "two\n"


def test_one_artifact_that_stays_does_not_keep_the_others(shell: Shell) -> None:
    shell.write("data/other/a", "1")
    shell.commit("data/other")
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", "other")
    for name in ("images", "other"):
        shell("switch", "-c", f"{name}@next")
        shell.write(f"data/{name}/a", "3")
        shell.commit(f"data/{name}")
    git(shell.here, "commit", "-qam", "both")
    shell.write("data/images/a", "mine")
    done = tried(shell.here, "checkout", "-q", "HEAD~1")
    assert done.returncode == 1
    assert (shell.here / "data/other/a").read_text() == "1"
    assert images(shell) == {"a": "mine"}


def test_a_checkout_of_files_alone_is_left_alone(shell: Shell) -> None:
    git(shell.here, "checkout", "-q", "two", "--", "aimdvc.lock")
    assert images(shell) == ONE


def test_an_artifact_that_the_code_pins_no_more_keeps_its_files_and_one_line_says_so(shell: Shell) -> None:
    git(shell.here, "switch", "-qc", "none")
    git(shell.here, "rm", "-q", "aimdvc.lock")
    git(shell.here, "commit", "-qm", "none")
    git(shell.here, "switch", "-q", "main")
    done = tried(shell.here, "switch", "-q", "none")
    told = "images: not pinned by this code; its files stay at 'data/images': `aimdvc checkout` deletes them\n"
    assert (done.returncode, done.stdout) == (0, told)
    assert images(shell) == ONE


def test_artifacts_follow_a_merge_and_a_fast_forward(shell: Shell) -> None:
    git(shell.here, "switch", "-qc", "side")
    shell.write("code.py", "2\n")
    git(shell.here, "commit", "-qam", "code")
    git(shell.here, "merge", "-q", "--no-edit", "two")
    assert images(shell) == TWO
    git(shell.here, "switch", "-q", "main")
    assert images(shell) == ONE
    git(shell.here, "merge", "-q", "--ff-only", "two")
    assert images(shell) == TWO


def test_artifacts_follow_a_rebase_at_its_end(shell: Shell) -> None:
    git(shell.here, "switch", "-qc", "side")
    for number in (1, 2):
        shell.write("code.py", f"side {number}\n")
        git(shell.here, "commit", "-qam", "code")
    done = tried(shell.here, "rebase", "-q", "two")
    assert done.stdout.count("images at") == 1
    assert images(shell) == TWO
    git(shell.here, "branch", "-q", "behind", "main")
    git(shell.here, "switch", "-q", "behind")
    assert images(shell) == ONE
    git(shell.here, "rebase", "-q", "two")  # Goes forward, with nothing to apply: Git calls no hook at its end.
    assert images(shell) == TWO


def test_artifacts_follow_each_step_of_a_bisect(shell: Shell) -> None:
    for number in range(3, 7):
        git(shell.here, "switch", "-q", "two")
        shell.write("data/images/a", str(number))
        shell.commit("data/images")
        git(shell.here, "commit", "-qam", f"number {number}")
    git(shell.here, "bisect", "start", "HEAD", "main")
    done = git(shell.here, "bisect", "run", "sh", "-c", 'test "$(cat data/images/a)" -lt 5')
    assert "number 5\n" in done.partition("is the first bad commit")[2]


def test_a_new_worktree_gets_its_artifacts_from_the_store(shell: Shell, tmp_path: Path) -> None:
    git(shell.here, "worktree", "add", "-q", str(tmp_path / "tree"), "two")
    assert images(Shell(tmp_path / "tree")) == TWO
    assert images(shell) == ONE


def test_a_stash_of_pre_commit_is_not_followed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_PRE_COMMIT_SKIP_POST_CHECKOUT", "1")
    assert tried(shell.here, "switch", "-q", "two").stdout == ""
    assert images(shell) == ONE


def test_what_a_framework_says_by_variables_counts(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    git(shell.here, "-c", "core.hooksPath=/dev/null", "switch", "-q", "two")
    monkeypatch.setenv("PRE_COMMIT", "1")
    monkeypatch.setenv("PRE_COMMIT_CHECKOUT_TYPE", "0")
    assert shell("hook", "post-checkout").out == ""
    monkeypatch.setenv("PRE_COMMIT_CHECKOUT_TYPE", "1")
    assert shell("hook", "post-checkout", "--json").json["workspaces"][0]["moved"][0]["artifact"] == "images"
    git(shell.here, "-c", "core.hooksPath=/dev/null", "switch", "-q", "main")
    monkeypatch.delenv("PRE_COMMIT_CHECKOUT_TYPE")
    monkeypatch.setenv("PRE_COMMIT_IS_SQUASH_MERGE", "0")
    assert shell("hook", "post-checkout").out == "images at v1?: 1 file written, 1 deleted\n"


def test_what_a_colleague_pushed_comes_from_a_server_with_a_key_and_from_no_other(
    server: EmbeddedServer, tmp_path: Path, home: Path
) -> None:
    server.site.folders.make_root("team")
    ours = project(tmp_path / "ours", (), f"{server.url}/team")
    ours("push")
    git(tmp_path, "clone", "-q", str(ours.here), "theirs")
    theirs = Shell(tmp_path / "theirs")
    hook_up(theirs.here, HOOKS)
    theirs("pull")
    for number in (2, 3):
        ours.write("data/images/a", str(number))
        ours.commit("data/images")
        ours("push")
        git(ours.here, "commit", "-qam", "next")
        if number == 3:
            theirs("logout", server.url)
        done = tried(theirs.here, "pull", "-q")
        assert done.returncode == 0
        if number == 2:
            assert done.stdout == "images at v2: 1 file written, 0 deleted\n"
        else:
            assert done.stdout == "images: what the code pins isn't here: `aimdvc pull images` brings it\n"
        assert images(theirs) == {"a": "2"}


def test_offline_is_no_error_and_one_line_tells(tmp_path: Path, home: Path) -> None:
    with EmbeddedServer(tmp_path / "server") as server:
        server.site.folders.make_root("team")
        Shell(home)("login", server.url, typed=server.admin_key or "")
        theirs = offline(server, tmp_path)
    done = tried(theirs.here, "pull", "-q")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert "`aimdvc pull images` brings it" in done.stdout


def offline(server: EmbeddedServer, tmp_path: Path) -> Shell:
    """Returns a shell in a clone whose origin pins what is only on the server."""
    ours = project(tmp_path / "ours", (), f"{server.url}/team")
    ours("push")
    git(tmp_path, "clone", "-q", str(ours.here), "theirs")
    theirs = Shell(tmp_path / "theirs")
    hook_up(theirs.here, HOOKS)
    theirs("pull")
    ours.write("data/images/a", "2")
    ours.commit("data/images")
    ours("push")
    git(ours.here, "commit", "-qam", "next")
    return theirs


def test_an_artifact_that_was_never_pulled_is_told_once(tmp_path: Path) -> None:
    ours = project(tmp_path / "ours", ())
    git(tmp_path, "clone", "-q", str(ours.here), "theirs")
    theirs = Shell(tmp_path / "theirs")
    hook_up(theirs.here, HOOKS)
    ours.write("data/other", "1")
    ours.commit("data/other")
    git(ours.here, "add", "-A")
    git(ours.here, "commit", "-qm", "other")
    done = tried(theirs.here, "pull", "-q")
    assert done.stdout == "other: pinned by this code, not here: `aimdvc pull other` brings it\n"
    assert tried(theirs.here, "switch", "-qc", "new").stdout == ""
