"""Remotes that aimdvc didn't make, or that are broken: what is cloned from them, and what is left alone."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.shell import Shell, files_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(cwd: Path, *arguments: str, typed: str | None = None) -> str:
    done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, input=typed)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A bare repository of stock Git with one commit on master, in a folder."""
    place = tmp_path / "remote" / "data.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "master", str(place))
    commit(place, "master", "one")
    return place


def commit(bare: Path, branch: str, content: str) -> str:
    blob = git(bare, "hash-object", "-w", "--stdin", typed=content)
    tree = git(bare, "mktree", typed=f"100644 blob {blob}\tnotes.txt\n")
    known = git(bare, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
    made = git(bare, "commit-tree", tree, "-m", content, *(["-p", known] if known else []))
    git(bare, "update-ref", f"refs/heads/{branch}", made)
    return made


@pytest.fixture
def clone(bare: Path, tmp_path: Path) -> Shell:
    return cloned(bare, tmp_path)


def cloned(bare: Path, tmp_path: Path, name: str = "clone") -> Shell:
    Shell(tmp_path)("clone", f"{bare.parent}/data", name)
    return Shell(tmp_path / name)


def repository(shell: Shell) -> Path:
    return shell.here / ".aimdvc/repos/data.git"


def test_the_head_branch_is_main_also_where_another_is_called_main(bare: Path, tmp_path: Path) -> None:
    commit(bare, "main", "another")
    shell = cloned(bare, tmp_path)
    assert files_of(shell.here) == {"notes.txt": b"one"}
    commit(bare, "master", "two")
    assert "fast-forward" in shell("pull").out
    assert files_of(shell.here) == {"notes.txt": b"two"}


def test_annotated_tags_are_cloned_and_mean_their_commits(bare: Path, tmp_path: Path) -> None:
    made = git(bare, "rev-parse", "master")
    git(bare, "tag", "-a", "-m", "first", "v1", "master")
    git(bare, "tag", "-a", "-m", "tag of a tag", "stable", "v1")
    git(bare, "update-ref", "refs/aliases/production", git(bare, "rev-parse", "v1"))
    shell = cloned(bare, tmp_path)
    assert shell("log", "--json").json["versions"][0]["version"] == "v1"
    for name in ("v1", "stable", "production"):
        shell("checkout", f"data@{name}")
        assert f"commit = {made}" in (shell.here / "aimdvc.lock").read_text()
    assert git(repository(shell), "cat-file", "-t", "refs/remotes/origin/tags/v1") == "tag"
    git(repository(shell), "fsck", "--strict", "--connectivity-only")
    assert shell("fsck").code == 0


def test_a_tag_on_a_blob_or_a_tree_does_not_stop_a_clone(bare: Path, tmp_path: Path) -> None:
    git(bare, "tag", "-a", "-m", "a key", "key", git(bare, "rev-parse", "master:notes.txt"))
    git(bare, "tag", "light", git(bare, "rev-parse", "master:notes.txt"))
    git(bare, "tag", "-a", "-m", "tree", "tree", git(bare, "rev-parse", "master^{tree}"))
    shell = cloned(bare, tmp_path)
    shell("fetch")
    commit(bare, "master", "two")
    shell("pull")
    assert files_of(shell.here) == {"notes.txt": b"two"}
    assert shell("fsck").code == 0
    shell("checkout", "data@key", code=2)


def test_a_symbolic_ref_is_followed_and_one_that_leads_nowhere_is_skipped(bare: Path, tmp_path: Path) -> None:
    git(bare, "symbolic-ref", "refs/heads/current", "refs/heads/master")
    git(bare, "symbolic-ref", "refs/heads/gone", "refs/heads/nowhere")
    git(bare, "symbolic-ref", "refs/heads/circle", "refs/heads/circle")
    (bare / "refs/heads/out").write_text("ref: ../../../secret\n")
    shell = cloned(bare, tmp_path)
    assert git(repository(shell), "for-each-ref", "--format=%(refname)", "refs/remotes/").split() == [
        "refs/remotes/origin/heads/current",
        "refs/remotes/origin/heads/main",
    ]


def test_a_branch_that_becomes_a_directory_of_branches_and_back_is_fetched(bare: Path, clone: Shell) -> None:
    for old, new in (
        ("", "feature"),
        ("feature", "feature/a"),
        ("feature/a", "feature/a/b"),
        ("feature/a/b", "feature"),
    ):
        if old:
            git(bare, "branch", "-D", old)
        made = commit(bare, new, f"on {new}")
        clone("fetch")
        tracked = git(repository(clone), "for-each-ref", "--format=%(refname) %(objectname)", "refs/remotes/").split(
            "\n"
        )
        assert f"refs/remotes/origin/heads/{new} {made}" in tracked
        assert len(tracked) == 2


def test_published_versions_without_a_number_have_no_label(bare: Path, clone: Shell) -> None:
    commit(bare, "master", "two")
    first = git(bare, "rev-parse", "master~1")
    assert clone("log", "--json").json["versions"][0]["version"] != "v1?"
    clone("fetch")
    assert first[:12] in clone("log", "--oneline").out
    clone("pull")
    clone.write("notes.txt", "ours\n")
    clone.commit(".", "ours")
    shown = clone("log", "--oneline").out
    assert "v1? " in shown
    assert "v2?" not in shown
    done = clone("checkout", "data@v1", "--json", code=2).json
    assert done["hint"] == "it has no number yet: write data@v1?, or push it"
    assert clone("checkout", "data@v1?").code == 0


def test_a_tip_that_lost_its_tree_is_healed_by_a_fetch(bare: Path, clone: Shell) -> None:
    tree = git(bare, "rev-parse", "master^{tree}")
    for path in (repository(clone) / "objects/pack").iterdir():
        path.unlink()
    for git_id in (git(bare, "rev-parse", "master"),):
        content = git(bare, "cat-file", "commit", git_id) + "\n"
        assert git(repository(clone), "hash-object", "-t", "commit", "-w", "--stdin", typed=content) == git_id
    assert clone("fsck", "--quick", code=3).code == 3
    clone("fetch")
    assert git(repository(clone), "cat-file", "-t", tree) == "tree"
    assert clone("fsck").code == 0


@pytest.mark.parametrize("is_damaged", [False, True], ids=["missing", "damaged"])
def test_a_lost_git_object_below_a_whole_tip_is_healed_by_a_refetch(bare: Path, clone: Shell, is_damaged: bool) -> None:
    git_id = git(bare, "rev-parse", "master:notes.txt")
    packs = repository(clone) / "objects/pack"
    for pack in sorted(packs.glob("*.pack")):
        content = pack.read_bytes()
        for path in packs.iterdir():
            path.unlink()
        done = subprocess.run(["git", "unpack-objects", "-q"], cwd=repository(clone), input=content, timeout=60)
        assert done.returncode == 0
    lost = repository(clone) / "objects" / git_id[:2] / git_id[2:]
    lost.chmod(0o644)
    if is_damaged:
        lost.write_bytes(b"")
    else:
        lost.unlink()
    assert "`aimdvc fetch --refetch` brings" in clone("fsck", "--quick", code=3).out
    clone("fetch")
    assert clone("fsck", code=3).code == 3
    clone("fetch", "--refetch")
    assert clone("fsck").code == 0
    assert clone("show", "data").code == 0


def test_a_damaged_pack_hides_nothing_that_a_refetch_brought(bare: Path, clone: Shell) -> None:
    commit(bare, "master", "two")
    pack = next((repository(clone) / "objects/pack").glob("*.pack"))
    content = bytearray(pack.read_bytes())
    content[40:60] = bytes(20)
    pack.chmod(0o644)
    pack.write_bytes(content)
    assert clone("fsck", code=3).code == 3
    clone("fetch", "--refetch")
    assert pack.read_bytes() == content
    clone("log")
    assert pack.name in clone("fsck", code=3).out
    assert clone("fsck", "--repair").code == 0
    assert clone("fsck").code == 0
