"""`rm` and `mv`: what they take, what they refuse, and how the way back goes."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.ops.workspace import Workspace
from tests.shell import Shell, files_of, git


@pytest.fixture
def work(shell: Shell) -> Shell:
    """A workspace in a code repository, with a pushed artifact `scenes` at data/images."""
    git(shell.here, "init", "-q")
    shell("init", "--remote", str(shell.here.parent / "remote"))
    shell.write("data/images/a.bin", "a")
    shell.write("data/images/notes.md", "# notes\n")
    shell.write("data/images/train/b.bin", b"b" * 100_000)
    shell.write("data/images/train/deep/c.bin", "c")
    shell("add", "data/images", "-n", "scenes")
    shell("commit", "-m", "one")
    shell("push")
    return shell


def stats(shell: Shell) -> dict[str, object]:
    with Workspace.open(shell.here) as workspace:
        return {row.path: row.stat for row in workspace.state.rows(workspace.head("scenes")) if row.mode}


def settle_stats(shell: Shell) -> None:
    """Has the stat cache filled: a file that was written just now isn't trusted yet."""
    for path in (shell.here / "data").rglob("*"):
        os.utime(path, ns=(10**18, 10**18))
    time.sleep(0.05)
    shell("status")
    assert all(stats(shell)[path] for path in ("a.bin", "train/b.bin"))


def test_rm_takes_files_from_disk_and_index(work: Shell) -> None:
    work.write("data/images/train/mine", "untracked")
    work("rm", "data/images/train", code=2)
    assert (work.here / "data/images/train/b.bin").exists()
    out = work("rm", "-r", "data/images/train", "data/images/a.bin").out
    assert out == "scenes: 3 files removed from disk and index\n"
    assert set(files_of(work.here / "data")) == {"images/notes.md", "images/train/mine"}
    assert work("status", "-s").out.splitlines() == [
        "D  data/images/a.bin",
        "D  data/images/train/b.bin",
        "D  data/images/train/deep/c.bin",
        "?? data/images/train/mine",
    ]
    assert "0 files removed" in work("rm", "data/images/a.bin").out
    work("commit", "-m", "two")
    assert work("ls", "scenes").out == "notes.md\n"
    assert work("rm", "data/images/a.bin", "--json", code=2).json["error"] == "unknown-path"
    assert work("fsck").code == 0


def test_rm_refuses_to_lose_what_is_stored_nowhere(work: Shell) -> None:
    work.write("data/images/a.bin", "changed")
    before = files_of(work.here)
    for arguments in (["data/images/a.bin"], ["-r", "data/images/a.bin", "data/images/train"], ["-r", "data/images"]):
        assert work("rm", *arguments, "--json", code=1).json["error"] == "local-change"
        assert files_of(work.here) == before
    work("add", "data/images")
    assert work("rm", "data/images/a.bin", "--json", code=1).json["error"] == "local-change"
    work.write("data/images/a.bin", "changed again")
    assert work("rm", "--cached", "data/images/a.bin", "--json", code=1).json["error"] == "local-change"
    assert files_of(work.here)["data/images/a.bin"] == b"changed again"
    work("rm", "-f", "data/images/a.bin")
    assert not (work.here / "data/images/a.bin").exists()


def test_rm_cached_leaves_the_file(work: Shell) -> None:
    work.write("data/images/new", "new")
    work("add", "data/images")
    work("rm", "--cached", "data/images/new", "data/images/a.bin")
    assert (
        work("status", "-s").out.splitlines()
        == ["D  data/images/a.bin", "?? data/images/a.bin", "?? data/images/new"][1:]
        or work("status", "-s").out
    )
    assert files_of(work.here)["data/images/new"] == b"new"
    assert files_of(work.here)["data/images/a.bin"] == b"a"
    work("commit", "-m", "two")
    assert "a.bin" not in work("ls", "scenes").out


def test_rm_of_a_whole_artifact_and_back(work: Shell) -> None:
    work.write("data/images/mine", "untracked")
    before = files_of(work.here)
    assert "`aimdvc rm -r data/images`" in work("rm", "data/images", code=2).err
    assert "name those to remove: `aimdvc rm -r data/images`" in work("rm", "-r", "data", code=2).err
    out = work("rm", "-r", "data/images").out
    assert files_of(work.here) == {"data/images/mine": b"untracked"}
    assert not (work.here / "aimdvc.lock").exists()
    assert not (work.here / "data/.gitignore").exists()
    assert "No artifacts yet" in work("status").out
    back = out.split("`")[1].split()[1:]
    work(*back)
    assert files_of(work.here) == before
    assert work("status", "-s").out == "?? data/images/mine\n"
    assert "path = data/images" in (work.here / "aimdvc.lock").read_text()
    assert (work.here / "data/.gitignore").read_text() == "/images\n"


def test_an_artifact_that_was_removed_comes_back_with_the_lock_and_by_clone(work: Shell) -> None:
    before = files_of(work.here)
    git(work.here, "add", "-A")
    git(work.here, "commit", "-qm", "code")
    work("rm", "-r", "data/images")
    git(work.here, "checkout", "-q", "aimdvc.lock")
    work("checkout")
    assert files_of(work.here) == before
    work("rm", "-r", "data/images")
    work("clone", str(work.here.parent / "remote" / "scenes"), "data/images")
    assert files_of(work.here) == before


def test_rm_of_an_artifact_with_versions_that_were_not_pushed_wants_force(work: Shell) -> None:
    work.write("data/images/a.bin", "two")
    tip = work.commit("data/images")
    assert "aimdvc push scenes" in work("rm", "-r", "data/images", "--json", code=1).json["hint"]
    assert (work.here / "data/images/a.bin").exists()
    work("rm", "-rf", "data/images")
    work("checkout", f"scenes@{tip}", "--at", "data/images")
    assert files_of(work.here)["data/images/a.bin"] == b"two"


def test_rm_cached_of_an_artifact_leaves_its_files(work: Shell) -> None:
    before = files_of(work.here / "data/images")
    work("rm", "-r", "--cached", "data/images")
    assert files_of(work.here / "data/images") == before
    assert work("status", "--json").json["artifacts"] == []


def test_mv_renames_without_reading(work: Shell) -> None:
    settle_stats(work)
    known = stats(work)
    content = files_of(work.here / "data/images")
    work("mv", "data/images/a.bin", "data/images/train")
    work("mv", "data/images/train", "data/images/test")
    assert files_of(work.here / "data/images") == {
        "notes.md": content["notes.md"],
        "test/a.bin": content["a.bin"],
        "test/b.bin": content["train/b.bin"],
        "test/deep/c.bin": content["train/deep/c.bin"],
    }
    now = stats(work)
    assert now["test/b.bin"] == known["train/b.bin"]
    assert now["test/a.bin"] is not None, "a moved file would be read again"
    assert work("diff").out == ""
    assert work("mv", "data/images/train", "data/images/test").out == "Everything is there already\n"
    work("commit", "-m", "two")
    assert work("diff", "scenes@HEAD~1", "scenes@HEAD", "--name-status").out.splitlines() == [
        "R\tdata/images/a.bin\tdata/images/test/a.bin",
        "R\tdata/images/train/b.bin\tdata/images/test/b.bin",
        "R\tdata/images/train/deep/c.bin\tdata/images/test/deep/c.bin",
    ]
    assert work("fsck").code == 0


def test_mv_keeps_local_changes_and_staged_content(work: Shell) -> None:
    work.write("data/images/a.bin", "staged")
    work("add", "data/images")
    work.write("data/images/a.bin", "changed")
    work("mv", "data/images/a.bin", "data/images/z.bin")
    assert work("status", "-s").out.splitlines() == ["D  data/images/a.bin", "AM data/images/z.bin"]
    work("restore", "data/images/z.bin")
    assert files_of(work.here)["data/images/z.bin"] == b"staged"


def test_a_change_that_kept_its_times_is_seen_after_a_move(work: Shell) -> None:
    settle_stats(work)
    place = work.here / "data/images/a.bin"
    status = place.stat()
    place.write_bytes(b"X")
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
    work("mv", "data/images/a.bin", "data/images/z.bin")
    assert work("status", "-s").out.splitlines() == ["D  data/images/a.bin", "AM data/images/z.bin"]


def test_mv_represents_an_entry_as_the_rules_of_its_new_path_want(work: Shell) -> None:
    work("mv", "data/images/notes.md", "data/images/notes.bin")
    work("mv", "data/images/a.bin", "data/images/a.md")
    work("commit", "-m", "two")
    found = {one["path"]: one["id"] for one in work("ls", "scenes", "--json").json["entries"]}
    assert (len(found["notes.bin"]), len(found["a.md"])) == (64, 40)
    assert work("fsck", "--json").json["checked"]["warnings"] == []
    work.write("data/images/large.bin", b"\0" * (17 << 20))
    work.commit("data/images")
    before = files_of(work.here)
    assert work("mv", "data/images/large.bin", "data/images/large.md", code=4).out == ""
    assert files_of(work.here) == before


def test_the_users_rules_that_go_leave_a_version_that_agrees_with_its_own(shell: Shell) -> None:
    for command in (["rm", "data/.gitattributes"], ["mv", "data/.gitattributes", "data/sub"], None):
        shell.write("data/.gitattributes", "*.npy filter=lfs diff=lfs merge=lfs -text\n")
        shell.write("data/x.npy", "x")
        shell.write("data/y.txt", "y")
        shell.write("data/sub/z.md", "z")
        shell.commit("data")
        if command is None:
            (shell.here / "data/.gitattributes").unlink()
            shell("add", "data")
        else:
            shell(*command)
        shell("commit", "-m", "without rules")
        found = {one["path"]: len(one["id"]) for one in shell("ls", "data", "--json").json["entries"]}
        assert (found["x.npy"], found["y.txt"], found["sub/z.md"]) == (64, 64, 40)
        assert shell("fsck", "--json").json["checked"]["warnings"] == []
        shell("rm", "-rf", "--cached", "data/sub")


REFUSED = [
    (("mv", "data/images/a.bin", "data/images/notes.md"), 1, "-f replaces a file by a file"),
    (("mv", "-f", "data/images/a.bin", "data/images/gone"), 1, "aimdvc rm --cached data/images/gone"),
    (("mv", "data/images/train", "data/images/train/deep"), 2, "aimdvc mv --help"),
    (("mv", "data/images/a.bin", "data/images/notes.md", "data/images/x"), 2, "make the directory first"),
    (("mv", "data/images/a.bin", "data/images/x/y"), 2, "make the directory first"),
    (("mv", "data/images/mine", "data/images/x"), 2, "moved by `mv` alone"),
    (("mv", "data/images/a.bin", "data/images/.git"), 4, ""),
    (("mv", "data/images/a.bin", "other"), 2, "`aimdvc add other` and `aimdvc rm -r data/images/a.bin`"),
    (("mv", "data/images/a.bin", "model/a.bin"), 2, "`aimdvc add model/a.bin`"),
    (("mv", "data/images", "model"), 4, ""),
    (("mv", "model", "data/images/train"), 4, ""),
    (("mv", "weights", "heavy"), 2, "move it under that name"),
    (("mv", "data", "elsewhere"), 2, "move each of them"),
    (("mv", "data/images", "tracked"), 1, "move it away first"),
    (("mv", "data/images"), 2, "aimdvc mv SOURCE"),
    (("mv", "data/images/train", "data/images/train/deep", "data/images/to"), 2, ""),
]


@pytest.mark.parametrize(("arguments", "code", "hint"), REFUSED, ids=lambda value: str(value)[:60])
def test_mv_refuses_and_changes_nothing(work: Shell, arguments: tuple[str, ...], code: int, hint: str) -> None:
    work.write("data/images/gone/x", "x")
    work.write("model/m", "m")
    work.write("weights", "w")
    work("add", "data/images", "model", "weights")
    (work.here / "data/images/gone/x").unlink()
    (work.here / "data/images/gone").rmdir()
    (work.here / "data/images/to").mkdir()
    work.write("data/images/mine", "untracked")
    work.write("tracked", "by git")
    before, status = files_of(work.here), work("status", "--json").json
    done = work(*arguments, "--json", code=code)
    assert hint in done.json["hint"] or "aimdvc mv --help" in hint
    assert files_of(work.here) == before
    assert work("status", "--json").json == status


def test_mv_with_force_replaces_a_file(work: Shell) -> None:
    work("mv", "-f", "data/images/a.bin", "data/images/notes.md")
    assert files_of(work.here)["data/images/notes.md"] == b"a"
    assert work("status", "-s").out.splitlines() == ["D  data/images/a.bin", "M  data/images/notes.md"]


def test_mv_notes_what_was_moved_on_disk_already(work: Shell) -> None:
    (work.here / "data/images/train").rename(work.here / "data/images/test")
    work("mv", "data/images/train", "data/images/test")
    assert [line[:2] for line in work("status", "-s").out.splitlines()] == ["A ", "A ", "D ", "D "]
    (work.here / "data/images/a.bin").unlink()
    assert "aimdvc restore" in work("mv", "data/images/a.bin", "data/images/test", "--json", code=2).json["hint"]


def test_mv_of_an_artifact_moves_its_pin_and_its_ignore_line(work: Shell) -> None:
    work.write("data/images/mine", "untracked")
    content = files_of(work.here / "data/images")
    (work.here / "assets").mkdir()
    work("mv", "data/images", "assets")
    assert files_of(work.here / "assets/images") == content
    assert not (work.here / "data/images").exists()
    assert "path = assets/images" in (work.here / "aimdvc.lock").read_text()
    assert (work.here / "assets/.gitignore").read_text() == "/images\n"
    assert not (work.here / "data/.gitignore").exists()
    assert work("status", "-s").out == "?? assets/images/mine\n"
    git(work.here, "add", "-A")
    assert "assets/images" not in git(work.here, "status", "--porcelain")


def test_checkout_and_pull_follow_a_path_that_git_changed(work: Shell, tmp_path: Path) -> None:
    content = files_of(work.here / "data/images")
    git(work.here, "add", "-A")
    git(work.here, "commit", "-qm", "first")
    work("mv", "data/images", "images")
    git(work.here, "add", "-A")
    git(work.here, "commit", "-qm", "moved")
    for verb, branch, place in (("checkout", "HEAD~1", "data/images"), ("pull", "-", "images")):
        git(work.here, "checkout", "-q", branch)
        assert work("status", "--json").json["artifacts"][0]["lock"] == "elsewhere"
        work(verb)
        assert files_of(work.here / place) == content
        assert work("status", "--json").json["artifacts"][0]["lock"] == "same"
        assert git(work.here, "status", "--porcelain") == ""


def test_a_link_on_the_way_leads_nowhere(work: Shell, tmp_path: Path) -> None:
    (tmp_path / "decoy").mkdir()
    (tmp_path / "decoy/a.bin").write_text("mine")
    (work.here / "data/images/train").rename(tmp_path / "moved")
    (work.here / "data/images/train").symlink_to(tmp_path / "decoy")
    before = files_of(tmp_path / "decoy")
    work("mv", "data/images/a.bin", "data/images/train/x", code=4)
    work("rm", "-rf", "data/images/train/b.bin", code=4)
    work("rm", "-rf", "data/images/train")
    assert files_of(tmp_path / "decoy") == before


def test_mv_over_another_name_of_the_same_file_leaves_one(work: Shell) -> None:
    work.write("data/images/b.bin", "a")
    work.commit("data/images")
    (work.here / "data/images/b.bin").unlink()
    (work.here / "data/images/b.bin").hardlink_to(work.here / "data/images/a.bin")
    work("add", "data/images")
    work("mv", "-f", "data/images/a.bin", "data/images/b.bin")
    assert not (work.here / "data/images/a.bin").exists()
    assert (work.here / "data/images/b.bin").read_text() == "a"
    assert work("status", "-s").out == "D  data/images/a.bin\n"


def test_an_artifact_taken_out_with_its_files_left_comes_back_over_them(work: Shell) -> None:
    work("rm", "-r", "--cached", "data/images")
    work.write("data/images/new", "new")
    assert "checkout images@main --at PATH" not in work("add", "data/images", "-n", "other").err
    work("rm", "-rf", "--cached", "data/images")
    hint = work("add", "data/images", "-n", "scenes", "--json", code=2).json["hint"]
    assert "`aimdvc checkout scenes@main --at PATH`" in hint
    assert work("checkout", "scenes@main", "--at", "data/images", "--json").json["artifacts"][0]["written"] == 0
    assert work("status", "-s").out == "?? data/images/new\n"


@pytest.fixture
def folding(tmp_path: Path) -> Iterator[Path]:
    """A directory where case doesn't count."""
    image, place = tmp_path / "image", tmp_path / "folding"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    commands = [
        ["mkfs.ext4", "-q", "-O", "casefold", "-E", "encoding=utf8", str(image)],
        ["mount", "-o", "loop", str(image), str(place)],
        ["mkdir", str(place / "here")],
        ["chattr", "+F", str(place / "here")],
    ]
    try:
        for command in commands:
            subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        subprocess.run(["umount", str(place)], capture_output=True)
        pytest.skip(f"this system makes no file system that folds case: {error}")
    yield place / "here"
    subprocess.run(["umount", str(place)], capture_output=True)


def test_where_case_does_not_count_a_name_can_change_its_case(folding: Path) -> None:
    shell = Shell(folding)
    shell("init")
    shell.write("data/name", "1")
    shell.write("data/dir/x", "2")
    shell.commit("data")
    shell("mv", "data/name", "data/NAME")
    shell("mv", "data/dir", "data/Dir")
    assert sorted(os.listdir(folding / "data")) == ["Dir", "NAME"]
    shell.commit("data")
    assert shell("ls", "data").out == "Dir/x\nNAME\n"
    shell("mv", "data", "Data")
    assert "Data" in os.listdir(folding)
    assert shell("status", "-s").out == ""


def test_a_forced_reset_keeps_a_file_that_is_tracked_no_more(shell: Shell) -> None:
    shell.write("data/a", "a")
    shell.commit("data", "one")
    shell.write("data/b", "b")
    shell.commit("data", "two")
    shell("rm", "--cached", "data/b")
    shell.write("data/b", "mine alone")
    shell("reset", "--hard", "data@HEAD~1")
    assert (shell.here / "data/b").read_text() == "mine alone"
    assert shell("status", "-s").out == "?? data/b\n"


def test_a_path_that_neither_side_has_is_no_trouble_for_restore(shell: Shell) -> None:
    shell.write("data/a", "a")
    shell.commit("data", "one")
    shell.write("data/b", "b")
    shell.commit("data", "two")
    shell("rm", "--cached", "data/b")
    shell("restore", "--source", "HEAD~1", "data")
    assert (shell.here / "data/b").read_text() == "b"
