"""Partial checkouts: a part of an artifact's files, with everything else left as it is in every version."""

import shutil
from pathlib import Path

import pytest

from tests.shell import Shell, files_of, git

LARGE = 100_000


@pytest.fixture
def stock(request: pytest.FixtureRequest, remote: str) -> str:
    """The address of the artifact for stock git, with a key where one is needed."""
    if not remote.startswith("http"):
        return f"{Path(remote).as_uri()}/data.git"
    key = request.getfixturevalue("server").admin_key
    return remote.replace("http://", f"http://any:{key}@") + "/data"


@pytest.fixture
def origin(shell: Shell, remote: str) -> Shell:
    """A workspace that pushed an artifact of ten files, in two versions."""
    shell("remote", "add", "origin", remote)
    for number in range(4):
        shell.write(f"data/train/{number}.bin", f"train {number}".encode() * LARGE)
        shell.write(f"data/test/{number}", f"test {number}")
    shell.write("data/labels.csv", "one\n")
    shell.write("data/README.md", "read me\n")
    shell.commit("data", "one")
    shell.write("data/labels.csv", "one\ntwo\n")
    shell.write("data/test/0", "test 0, again")
    shell.write("data/train/0.bin", b"train 0, again" * LARGE)
    shell.commit("data", "two")
    shell("push")
    return shell


def clone(tmp_path: Path, remote: str, *options: str, name: str = "part") -> Shell:
    Shell(tmp_path)("clone", f"{remote}/data", name, *options)
    return Shell(tmp_path / name)


def blobs(shell: Shell) -> int:
    return int(shell("fsck", "--json").json["checked"]["blobs"])


def absent(shell: Shell) -> set[str]:
    return {entry["path"] for entry in shell("ls", "@HEAD", "--json").json["entries"] if entry["is_absent"]}


def test_a_clone_of_a_part_fetches_nothing_else(origin: Shell, remote: str, tmp_path: Path) -> None:
    part = clone(tmp_path, remote, "--include", "test/**", "--include", "*.csv", "--exclude", "3")
    assert set(files_of(part.here)) == {"test/0", "test/1", "test/2", "labels.csv"}
    assert blobs(part) == 4
    found = part("status", "--json").json["artifacts"][0]
    assert (found["staged"], found["unstaged"], found["untracked"]) == ([], [], [])
    assert found["part"] == {"include": ["test/**", "*.csv"], "exclude": ["3"]}
    assert found["absent"] == 6
    text = part("status").out
    assert "partial: --include test/** --include *.csv --exclude 3: 6 files not checked out" in text
    assert "clean" in text
    assert part("fsck").code == 0
    assert absent(part) == {"README.md", "test/3", *(f"train/{number}.bin" for number in range(4))}
    assert "README.md  (not checked out)" in part("ls", "@HEAD").out
    assert part("diff").out == ""


def test_what_is_not_checked_out_stays_in_commits(origin: Shell, remote: str, tmp_path: Path) -> None:
    part = clone(tmp_path, remote, "--include", "test/**")
    part.write("test/1", "changed")
    (part.here / "test/2").unlink()
    part.write("test/new", "new")
    part("add", ".")
    part("commit", "-m", "three")
    part("push")
    origin("pull")
    assert files_of(origin.here / "data") == {
        **{f"train/{number}.bin": f"train {number}".encode() * LARGE for number in (1, 2, 3)},
        "train/0.bin": b"train 0, again" * LARGE,
        "test/0": b"test 0, again",
        "test/1": b"changed",
        "test/3": b"test 3",
        "test/new": b"new",
        "labels.csv": b"one\ntwo\n",
        "README.md": b"read me\n",
    }


def test_other_versions_are_checked_out_in_the_same_part(origin: Shell, remote: str, tmp_path: Path) -> None:
    part = clone(tmp_path, remote, "--include", "test/**")
    part("checkout", "data@v1")
    assert files_of(part.here)["test/0"] == b"test 0"
    assert set(files_of(part.here)) == {f"test/{number}" for number in range(4)}
    part("checkout", "data@main")
    origin.write("data/test/late", "late")
    origin.write("data/late", "late")
    (origin.here / "data/train/1.bin").unlink()
    origin.commit("data", "three")
    origin("push")
    assert part("pull", "--json").json["artifacts"][0]["written"] == 1
    assert set(files_of(part.here)) == {"test/late", *(f"test/{number}" for number in range(4))}
    assert absent(part) == {"README.md", "labels.csv", "late", *(f"train/{number}.bin" for number in (0, 2, 3))}
    assert part("status", "-s").out == ""


def test_widening_fetches_and_narrowing_removes(origin: Shell, remote: str, tmp_path: Path) -> None:
    part = clone(tmp_path, remote, "--include", "labels.csv")
    done = part("checkout", "--include", "test/**", "--json").json["artifacts"][0]
    assert (done["written"], done["deleted"], done["absent"]) == (4, 1, 6)
    assert set(files_of(part.here)) == {f"test/{number}" for number in range(4)}
    done = part("checkout", "data@v1", "--exclude", "*.bin", "--json").json["artifacts"][0]
    assert files_of(part.here)["test/0"] == b"test 0"
    assert files_of(part.here)["labels.csv"] == b"one\n"
    assert done["absent"] == 4
    part("checkout", "--all")
    assert "partial" not in part("status").out
    assert len(files_of(part.here)) == 10
    assert part("status", "-s").out == ""
    assert not part("checkout", "--json").json["artifacts"]


def test_narrowing_refuses_to_lose_a_change(origin: Shell) -> None:
    origin.write("data/test/1", "mine")
    origin.write("data/test/2", "staged")
    origin("add", "data/test/2")
    before = files_of(origin.here)
    error = origin("checkout", "data", "--include", "*.csv", "--json", code=1).json
    assert error["error"] == "local-change"
    assert "test/1" in error["message"] + error["hint"]
    assert files_of(origin.here) == before
    assert origin("status", "--json").json["artifacts"][0]["part"] == {"include": [], "exclude": []}
    origin.write("data/untracked", "stays")
    origin("checkout", "data", "--include", "*.csv", "--force")
    assert set(files_of(origin.here)) == {"data/labels.csv", "data/untracked"}
    assert origin("status", "-s").out == "?? data/untracked\n"


def test_adding_a_path_outside_includes_it(origin: Shell, remote: str, tmp_path: Path) -> None:
    part = clone(tmp_path, remote, "--include", "test/**")
    part.write("notes.bin", "new, and outside")
    part.write("labels.csv", "replaced")
    assert part("status", "-s").out == " M labels.csv\n?? notes.bin\n"
    part("add", ".")
    assert part("status", "-s").out == "M  labels.csv\nA  notes.bin\n"
    part("commit", "-m", "three")
    assert part("status", "-s").out == ""
    assert part("status", "--json").json["artifacts"][0]["absent"] == 5
    part("push")
    part("checkout", "data@v2")
    assert "notes.bin" not in files_of(part.here)
    assert files_of(part.here)["labels.csv"] == b"one\ntwo\n"
    part("checkout", "data@main")
    assert files_of(part.here)["labels.csv"] == b"replaced"


def test_a_named_path_is_restored_and_then_checked_out(origin: Shell, remote: str, tmp_path: Path) -> None:
    part = clone(tmp_path, remote, "--include", "test/**")
    part("restore", "labels.csv")
    assert files_of(part.here)["labels.csv"] == b"one\ntwo\n"
    assert "labels.csv" not in absent(part)
    (part.here / "test/1").unlink()
    part("restore", ".")
    assert set(files_of(part.here)) == {"labels.csv", *(f"test/{number}" for number in range(4))}
    part("checkout", "data@v1", "--", "train")
    assert files_of(part.here)["train/0.bin"] == b"train 0" * LARGE
    assert part("status", "-s").out == "M  train/0.bin\n"
    part("reset", "--hard")
    assert files_of(part.here)["train/0.bin"] == b"train 0, again" * LARGE
    assert part("status", "-s").out == ""
    assert absent(part) == {"README.md"}


def test_pull_by_name_and_pattern(origin: Shell, remote: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(origin.here / "aimdvc.lock", project)
    shell = Shell(project)
    shell("init", "--remote", remote)
    shell("pull", "data", "--include", "*.csv")
    assert files_of(project) == {"data/labels.csv": b"one\ntwo\n"}
    assert blobs(shell) == 1
    assert "up to date at v2: 4 files written, 1 deleted" in shell("pull", "--include", "test/**").out
    origin.write("data/train/2.bin", b"train 2, again" * LARGE)
    origin.write("data/labels.csv", "three\n")
    origin.commit("data", "three")
    origin("push")
    shell("pull", "data", "--include", "*.csv")
    assert files_of(project) == {"data/labels.csv": b"three\n"}
    assert set(files_of(project)) == {"data/labels.csv"}
    assert shell("status", "-s").out == ""


def test_get_brings_a_part(origin: Shell, remote: str, tmp_path: Path) -> None:
    Shell(tmp_path)("get", f"{remote}/data@v1", "--out", "out", "--include", "/test/", "--exclude", "0")
    assert files_of(tmp_path / "out") == {f"test/{number}": f"test {number}".encode() for number in (1, 2, 3)}


def test_what_is_absent_after_the_loss_of_state_is_not_checked_out(origin: Shell, remote: str, tmp_path: Path) -> None:
    part = clone(tmp_path, remote, "--include", "test/**")
    for path in (part.here / ".aimdvc").glob("state.db*"):
        path.unlink()
    count = blobs(part)
    part("checkout")
    assert set(files_of(part.here)) == {f"test/{number}" for number in range(4)}
    assert part("status", "-s").out == ""
    assert "partial: no patterns: 6 files not checked out" in part("status").out
    assert blobs(part) == count
    part("checkout", "--all")
    assert len(files_of(part.here)) == 10


def test_patterns_that_choose_nothing_are_refused(origin: Shell) -> None:
    for pattern in ("", "#comment", "a\nb", "x" * 2000):
        assert "is no pattern" in origin("checkout", "data", "--include", pattern, "--json", code=2).json["message"]
    origin("checkout", "--all", "--include", "x", code=2)
    origin("checkout", "data", "--include", "x", "--", "data/labels.csv", code=2)


def test_merging_changes_what_is_not_checked_out(origin: Shell, remote: str, tmp_path: Path) -> None:
    part = clone(tmp_path, remote, "--include", "test/**")
    part.write("test/1", "mine")
    part.commit(".", "mine")
    origin.write("data/train/1.bin", b"theirs" * LARGE)
    origin.write("data/test/2", "theirs")
    origin.commit("data", "theirs")
    origin("push")
    assert part("pull", "--json").json["artifacts"][0]["how"] == "merge"
    assert files_of(part.here)["test/2"] == b"theirs"
    assert set(files_of(part.here)) == {f"test/{number}" for number in range(4)}
    part("push")
    origin("pull")
    assert files_of(origin.here / "data")["train/1.bin"] == b"theirs" * LARGE
    assert files_of(origin.here / "data")["test/1"] == b"mine"


def test_a_new_version_of_one_file_needs_no_other_blob(origin: Shell, remote: str, stock: str, tmp_path: Path) -> None:
    part = clone(tmp_path, remote, "--include", "new/**")
    assert files_of(part.here) == {}
    assert blobs(part) == 0
    part.write("new/file.bin", b"mine" * LARGE)
    part.write("train/3.bin", b"replaced" * LARGE)
    part("add", "new", "train/3.bin")
    part("commit", "-m", "three")
    part("push")
    assert blobs(part) == 2
    whole = tmp_path / "whole"
    git(tmp_path, "lfs", "install", "--skip-repo")
    git(tmp_path, "clone", "-q", stock, "whole")
    git(whole, "lfs", "pull")
    assert "OK" in git(whole, "lfs", "fsck")
    assert git(whole, "status", "--porcelain") == ""
    found = {path: content for path, content in files_of(whole).items() if not path.startswith((".aimd", ".gitattr"))}
    assert found == {
        **{f"train/{number}.bin": f"train {number}".encode() * LARGE for number in (1, 2)},
        "train/0.bin": b"train 0, again" * LARGE,
        "train/3.bin": b"replaced" * LARGE,
        "new/file.bin": b"mine" * LARGE,
        "test/0": b"test 0, again",
        **{f"test/{number}": f"test {number}".encode() for number in (1, 2, 3)},
        "labels.csv": b"one\ntwo\n",
        "README.md": b"read me\n",
    }


def test_a_hard_reset_loses_what_was_changed_at_a_path_that_is_not_checked_out(
    origin: Shell, remote: str, tmp_path: Path
) -> None:
    part = clone(tmp_path, remote, "--include", "test/**")
    part.write("labels.csv", "mine\n")
    part.write("new.csv", "mine alone\n")
    assert part("status", "--json").json["artifacts"][0]["unstaged"] != []
    # Without force the user's file is never touched.
    part("checkout", "data@v2")
    part("checkout", "data@v1")
    assert (part.here / "labels.csv").read_text() == "mine\n"
    part("reset", "--hard", "data@v1")
    assert not (part.here / "labels.csv").exists()
    assert (part.here / "new.csv").read_text() == "mine alone\n"
    assert "labels.csv" in absent(part)


def test_rm_says_that_a_path_is_not_checked_out(origin: Shell, remote: str, tmp_path: Path) -> None:
    part = clone(tmp_path, remote, "--include", "test/**")
    for options in ((), ("--cached",), ("-r",)):
        refused = part("rm", *options, "labels.csv", code=1).err
        assert "'labels.csv' of 'data' is not checked out" in refused
        assert "aimdvc restore labels.csv" in refused
    part("restore", "labels.csv")
    part("rm", "labels.csv")
    part("commit", "-m", "three")
    assert "labels.csv" not in part("ls", "@HEAD").out


def test_rules_that_want_in_git_what_is_not_here_are_refused_before_anything_changes(
    origin: Shell, remote: str, tmp_path: Path
) -> None:
    part = clone(tmp_path, remote, "--include", "test/**")
    refused = part("untrack", "*.csv", code=1).err
    assert "the rules keep 'labels.csv' in Git now" in refused and "aimdvc restore" in refused
    assert part("status", "--json").json["artifacts"][0]["staged"] == []
    part.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\ntest/* filter=lfs -text\n")
    assert "'labels.csv'" in part("add", ".", code=1).err
    part("restore", "labels.csv")
    part("add", ".")
    part("commit", "-m", "three")
    part("push")
    git(part.here, "-C", str(part.here / ".aimdvc/repos/data.git"), "fsck", "--strict")
    assert part("ls", "@HEAD", "--json").code == 0


@pytest.mark.parametrize("pattern", ["//", "/", "\\", "a//b", "./train/**", "../x", "!", "[a", "#x"])
def test_a_pattern_that_no_path_can_match_is_refused(origin: Shell, pattern: str) -> None:
    before = files_of(origin.here)
    assert "no pattern that a path can match" in origin("checkout", "data", "--include", pattern, code=2).err
    assert "no pattern that a path can match" in origin("checkout", "data", "--exclude", pattern, code=2).err
    assert files_of(origin.here) == before


def test_patterns_that_only_take_back_are_refused(origin: Shell) -> None:
    assert "only take back" in origin("checkout", "data", "--include", "!train", code=2).err


def test_a_pattern_that_matches_no_file_is_said(origin: Shell, remote: str, tmp_path: Path) -> None:
    done = origin("checkout", "data", "--include", "tset/**", "--include", "test/**", "--exclude", "*.tiff")
    assert "the pattern 'tset/**' matches no file of 'data'" in done.err
    assert "the pattern '*.tiff' matches no file of 'data'" in done.err
    assert "'test/**'" not in done.err
    assert "'x' matches no file" in Shell(tmp_path)("clone", f"{remote}/data", "p", "--include", "x").err
    part = Shell(tmp_path / "p")
    assert part("pull", "data", "--include", "test", "--exclude", "y", "--json").json["artifacts"][0]["unmatched"] == [
        "y"
    ]
