"""`import git` and `import lfs`: repositories that real Git and real git-lfs made become artifacts, with history."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.shell import Shell

DATES = [f"2024-01-0{day}T12:00:00+0100" for day in range(1, 10)]


def git(here: Path, *arguments: str, **more: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, env={**os.environ, **more})
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout.strip()


def save(here: Path, message: str, number: int) -> str:
    git(here, "add", "-A")
    date = DATES[number]
    git(here, "commit", "-q", "-m", message, GIT_AUTHOR_NAME="Ada", GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
    return git(here, "rev-parse", "HEAD")


@pytest.fixture(params=["git", "lfs"])
def code(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Shell, list[dict[str, bytes]]]:
    """A repository with three versions of `data` among four commits, and what each version held."""
    shell = Shell(tmp_path / "code")
    shell.here.mkdir()
    git(shell.here, "init", "-q", "-b", "main")
    if request.param == "lfs":
        git(shell.here, "lfs", "install", "--local")
        git(shell.here, "lfs", "track", "*.bin")
    large = os.urandom(200_000)
    states: list[dict[str, bytes]] = [
        {"a.bin": b"one" * 100, "sub/größe 1.bin": large, "notes.md": b"first\r\n", "empty.bin": b""},
        {"a.bin": b"two" * 100, "sub/größe 1.bin": large, "notes.md": b"first\r\n", "run.sh": b"#!/bin/sh\n"},
        {"a.bin": b"two" * 100, "notes.md": b"second\n", "run.sh": b"#!/bin/sh\n"},
    ]
    for number, state in enumerate(states):
        if (shell.here / "data").exists():
            git(shell.here, "rm", "-rq", "data")
        for path, content in state.items():
            shell.write(f"data/{path}", content)
        if number:
            (shell.here / "data/run.sh").chmod(0o755)
        save(shell.here, f"State {number}\n\nSigned-off-by: Ada <ada@example.org>", number)
        if number == 1:
            shell.write("train.py", "1")
            save(shell.here, "Train", 5)
    shell("init")
    return request.param, shell, states


def versions(shell: Shell, name: str = "data") -> list[dict[str, object]]:
    found: list[dict[str, object]] = shell("log", name, "--json").json["versions"]
    return found[::-1]


def test_every_commit_becomes_a_version_with_its_bytes(
    code: tuple[str, Shell, list[dict[str, bytes]]], tmp_path: Path
) -> None:
    kind, shell, states = code
    before = {path: (shell.here / "data" / path).stat().st_mtime_ns for path in states[-1]}
    done = shell("import", kind, "data", "--json").json["artifacts"][0]
    assert (done["artifact"], len(done["versions"]), done["files"]) == ("data", 3, 3)
    assert {path: (shell.here / "data" / path).stat().st_mtime_ns for path in states[-1]} == before
    assert shell("status", "-s").out == ""
    commits = [one["commit"] for one in versions(shell)]
    for commit, state, number in zip(commits, states, (0, 1, 2), strict=True):
        assert isinstance(commit, dict)
        assert commit["message"].startswith(f"State {number}\n\nSigned-off-by: Ada")
        assert commit["author"]["name"] == "Ada"
        for path, content in state.items():
            assert shell("cat", f"data@{commit['id']}:{path}").raw == content
        listed = shell("ls", f"data@{commit['id']}", "--json").json["entries"]
        assert {entry["path"] for entry in listed} == set(state)
    ids = git(shell.here, "rev-list", "--reverse", "HEAD", "--", "data").split()
    assert [str(one["commit"]["message"]).rpartition("Aimd-Code: ")[2].strip() for one in versions(shell)] == ids  # type: ignore[index]


def test_dates_and_modes_are_kept(code: tuple[str, Shell, list[dict[str, bytes]]], tmp_path: Path) -> None:
    kind, shell, _ = code
    shell("import", kind, "data")
    repository = git(shell.here, "rev-parse", "--absolute-git-dir") + "/aimdvc/repos/data.git"
    told = git(Path(repository), "log", "--reverse", "--format=%ad %an", "--date=iso-strict", "main").splitlines()
    assert told == [f"2024-01-0{day}T12:00:00+01:00 Ada" for day in (1, 2, 3)]
    assert git(Path(repository), "ls-tree", "main", "run.sh").startswith("100755")
    git(Path(repository), "fsck", "--strict")


def test_git_lets_go_and_the_code_commit_pins_it(code: tuple[str, Shell, list[dict[str, bytes]]]) -> None:
    kind, shell, states = code
    head = git(shell.here, "rev-parse", "HEAD")
    done = shell("import", kind, "data")
    assert "`git add aimdvc.lock" in done.err
    save(shell.here, "Use the artifact", 6)
    assert git(shell.here, "status", "--porcelain") == ""
    assert "data/a.bin" not in git(shell.here, "ls-files").split()
    assert "pinned by 1 code commit" in shell("why", "data").out
    # Back to before, and forth again: nothing is lost either way.
    git(shell.here, "checkout", "-q", "-f", head)
    assert (shell.here / "data/notes.md").read_bytes() == states[-1]["notes.md"]
    git(shell.here, "checkout", "-q", "main")
    shell("checkout")
    assert {path: (shell.here / "data" / path).read_bytes() for path in states[-1]} == states[-1]


def test_without_history_there_is_one_version(code: tuple[str, Shell, list[dict[str, bytes]]]) -> None:
    kind, shell, states = code
    assert shell("import", kind, "--no-history", "-n", "other", "data").out.startswith("other: 1 version of 'data'")
    assert len(versions(shell, "other")) == 1
    assert shell("cat", "other@HEAD:a.bin").raw == states[-1]["a.bin"]


def test_changes_that_are_not_committed_stop_it(code: tuple[str, Shell, list[dict[str, bytes]]]) -> None:
    kind, shell, _ = code
    shell.write("data/a.bin", "precious")
    told = shell("import", kind, "data", code=1).err
    assert "'data/a.bin' has changes that are not committed in Git" in told
    assert "data/a.bin" in git(shell.here, "ls-files").split() and not (shell.here / "aimdvc.lock").exists()
    shell("ls", "data", code=2)


def test_what_git_does_not_track_is_refused_with_the_way_to_go(code: tuple[str, Shell, list[dict[str, bytes]]]) -> None:
    kind, shell, _ = code
    shell.write("new/f", "1")
    assert "`aimdvc add new`" in shell("import", kind, "new", code=2).err
    assert "`aimdvc import git 'data'`" in shell("add", "data", code=4).err


def test_again_it_says_so(code: tuple[str, Shell, list[dict[str, bytes]]]) -> None:
    kind, shell, _ = code
    shell("import", kind, "data")
    assert "artifact" in shell("import", kind, "data", code=4).err


def test_a_single_file_is_an_artifact_with_history(code: tuple[str, Shell, list[dict[str, bytes]]]) -> None:
    kind, shell, _ = code
    done = shell("import", kind, "data/a.bin").out
    assert done.startswith("a.bin: 2 versions of 'data/a.bin'")
    assert shell("status", "-s").out == ""
    assert (shell.here / "data/a.bin").read_bytes() == b"two" * 100


def test_a_cut_import_is_finished_by_running_it_again(
    code: tuple[str, Shell, list[dict[str, bytes]]], tmp_path: Path
) -> None:
    kind, shell, _ = code
    shell("import", kind, "data")
    tip = versions(shell)[-1]["commit"]["id"]  # type: ignore[index]
    # As if it had been cut after the branch was written: Git tracks the files, the workspace knows nothing of them.
    git(shell.here, "reset", "-q")
    (shell.here / "aimdvc.lock").unlink()
    for path in (Path(git(shell.here, "rev-parse", "--absolute-git-dir")) / "aimdvc/workspaces").rglob("state.db*"):
        path.unlink()
    (shell.here / "data/.gitignore").unlink(missing_ok=True)
    shell("import", kind, "data")
    assert versions(shell)[-1]["commit"]["id"] == tip  # type: ignore[index]
    assert shell("status", "-s").out == ""


def lfs_objects(shell: Shell) -> list[Path]:
    return [path for path in (shell.here / ".git/lfs/objects").rglob("*") if path.is_file()]


@pytest.mark.parametrize("code", ["lfs"], indirect=True)
def test_a_content_that_git_lfs_lacks_stops_it(code: tuple[str, Shell, list[dict[str, bytes]]]) -> None:
    _, shell, _ = code
    lfs_objects(shell)[0].unlink()
    told = shell("import", "lfs", "data", code=3).err
    assert "Git LFS has 1 of the contents not here" in told and "`git lfs fetch --all`" in told
    assert "data/a.bin" in git(shell.here, "ls-files").split()


@pytest.mark.parametrize("code", ["lfs"], indirect=True)
def test_a_damaged_content_of_git_lfs_is_never_taken(code: tuple[str, Shell, list[dict[str, bytes]]]) -> None:
    _, shell, _ = code
    largest = max(lfs_objects(shell), key=lambda path: path.stat().st_size)
    largest.chmod(0o600)
    largest.write_bytes(os.urandom(largest.stat().st_size))
    assert "Git LFS has 200000 other bytes at" in shell("import", "lfs", "data", code=3).err
    assert "data/a.bin" in git(shell.here, "ls-files").split()


@pytest.mark.parametrize("code", ["lfs"], indirect=True)
def test_pointers_that_stand_in_for_contents_become_them(code: tuple[str, Shell, list[dict[str, bytes]]]) -> None:
    _, shell, states = code
    (shell.here / "data/a.bin").unlink()
    git(shell.here, "checkout", "data/a.bin", GIT_LFS_SKIP_SMUDGE="1")
    assert b"git-lfs" in (shell.here / "data/a.bin").read_bytes()
    shell("import", "lfs", "data")
    assert (shell.here / "data/a.bin").read_bytes() == states[-1]["a.bin"]


@pytest.mark.parametrize("code", ["lfs"], indirect=True)
def test_import_git_of_pointers_names_the_command_that_follows_them(
    code: tuple[str, Shell, list[dict[str, bytes]]],
) -> None:
    _, shell, _ = code
    assert "`aimdvc import lfs` follows it" in shell("import", "git", "data", code=4).err
    assert "data/a.bin" in git(shell.here, "ls-files").split()


def test_commits_from_before_the_import_keep_the_files_that_git_has(
    code: tuple[str, Shell, list[dict[str, bytes]]],
) -> None:
    kind, shell, states = code
    shell.write("other/f", "1")
    shell.commit("other")
    before = save(shell.here, "Another artifact", 6)
    done = shell("import", kind, "data")
    assert "`git add aimdvc.lock .aimdvc .gitignore`" in done.err
    save(shell.here, "Use the artifact", 7)
    git(shell.here, "checkout", "-q", before)
    shell("checkout")
    assert git(shell.here, "status", "--porcelain") == ""
    assert {path: (shell.here / "data" / path).read_bytes() for path in states[-1]} == states[-1]
    git(shell.here, "checkout", "-q", "main")
    assert not (shell.here / "data").exists()
    shell("checkout")
    assert {path: (shell.here / "data" / path).read_bytes() for path in states[-1]} == states[-1]
    assert shell("status", "-s").out == ""


def test_an_import_that_the_code_took_back_can_be_made_again(code: tuple[str, Shell, list[dict[str, bytes]]]) -> None:
    kind, shell, _ = code
    save(shell.here, "Workspace", 6)
    shell("import", kind, "data")
    save(shell.here, "Use the artifact", 7)
    git(shell.here, "revert", "--no-edit", "HEAD")
    assert "`aimdvc checkout` takes it away" in shell("import", kind, "data", code=4).err
    shell("checkout")
    assert git(shell.here, "status", "--porcelain") == ""
    assert shell("import", kind, "data").out.startswith("data: 3 versions")


def test_a_submodule_stops_it(code: tuple[str, Shell, list[dict[str, bytes]]], tmp_path: Path) -> None:
    kind, shell, _ = code
    git(shell.here, "-c", "protocol.file.allow=always", "clone", "-q", str(shell.here), str(tmp_path / "other"))
    git(shell.here, "-c", "protocol.file.allow=always", "submodule", "add", str(tmp_path / "other"), "data/lib")
    save(shell.here, "A submodule", 7)
    assert "'data/lib' is a submodule" in shell("import", kind, "data", code=4).err.replace(": is", " is")
    assert "data/lib" in git(shell.here, "ls-files").split()
