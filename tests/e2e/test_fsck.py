"""`fsck`: what it finds, for whom that matters, and what is no damage."""

import zlib
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.git.history import History
from aimdvc.git.kinds import BLOB, TREE
from aimdvc.git.packs import git_id_of
from aimdvc.model.attributes import DEFAULT_ATTRIBUTES
from aimdvc.model.commits import CommitDraft, RefUpdate, Signature
from aimdvc.model.entries import Mode
from aimdvc.model.oid import GitId, Oid
from aimdvc.model.pointer import Pointer, encode_pointer, parse_pointer
from tests.planting import plant, plant_version, tree_line
from tests.shell import Shell

BIG = b"B" * 200_000


@pytest.fixture
def versions(shell: Shell) -> Shell:
    """Three versions that hold the same large blob, and notes that differ."""
    shell.write("data/big.bin", BIG)
    for number in range(1, 4):
        shell.write("data/sub/notes.md", f"{number}\n")
        shell.commit("data", f"m{number}")
    return shell


def repository(shell: Shell) -> Path:
    return shell.here / ".aimdvc/repos/data.git"


def stored(shell: Shell) -> Path:
    return next((shell.here / ".aimdvc/blobs/files").glob("*/*"))


def loose(shell: Shell, git_id: str) -> Path:
    path = repository(shell) / "objects" / git_id[:2] / git_id[2:]
    path.chmod(0o644)
    return path


def damage(shell: Shell) -> dict[str, list[str]]:
    found = shell("fsck", "--json", code=3).json["checked"]["damage"]
    return {one["what"]: one["needed_by"] for one in found}


def test_a_damaged_blob_names_every_version_that_needs_it(versions: Shell) -> None:
    path = stored(versions)
    path.chmod(0o644)
    path.write_bytes(b"C" * 200_000)
    assert damage(versions) == {path.name: [f"data@v{number}?:big.bin" for number in (1, 2, 3)]}


def test_a_missing_blob_that_no_remote_has_is_damage(versions: Shell) -> None:
    path = stored(versions)
    path.unlink()
    for arguments in (["fsck"], ["fsck", "--quick"]):
        assert "no remote is known to have it" in versions(*arguments, code=3).out
    assert damage(versions) == {path.name: [f"data@v{number}?:big.bin" for number in (1, 2, 3)]}


def test_a_missing_blob_that_a_remote_has_is_not(versions: Shell, tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    versions("remote", "add", "origin", str(tmp_path / "remote"))
    versions("push")
    stored(versions).unlink()
    assert versions("fsck", "--json").json["checked"]["not_fetched"] == 1
    versions.write("data/more.bin", b"M" * 100_000)
    versions.commit("data", "m4")
    path = next(path for path in (versions.here / ".aimdvc/blobs/files").glob("*/*"))
    path.unlink()
    assert damage(versions) == {path.name: ["data@v4?:more.bin"]}


def test_a_replaced_git_blob_is_damage(versions: Shell) -> None:
    git_id = git_id_of(BLOB, b"2\n")
    loose(versions, git_id).write_bytes(zlib.compress(b"blob 2\x00X\n"))
    assert damage(versions) == {f"git object {git_id}": ["data@v2?:sub/notes.md"]}


def test_a_missing_tree_and_a_damaged_commit_are_named(versions: Shell) -> None:
    with History(repository(versions), Disk()) as history:
        last, middle, _ = history.iter_log(history.refs()["refs/heads/main"])
        node = next(raw for raw in history.read_tree(last.tree).split(b"40000 sub\0")[1:])
        tree = GitId(node[:20].hex())
    loose(versions, tree).unlink()
    assert damage(versions) == {f"git object {tree}": ["data@v3?:sub/"]}
    loose(versions, middle.id).write_bytes(b"")
    found = damage(versions)
    assert found.keys() == {f"git object {tree}", f"git object {middle.id}"}


def test_branches_behind_a_merge_are_all_walked(shell: Shell) -> None:
    shell.write("data/a.md", "a")
    shell.commit("data", "root")
    lost = Pointer(Oid("a" * 64), 7)
    who = Signature("A", "a@example.org", 2_000_000_000, 0)
    with History(repository(shell), Disk()) as history:
        root = history.refs()["refs/heads/main"]
        tips = []
        with history.writer() as writer:
            base = history.commit(root).tree
            for name, content in (("x.md", b"x"), ("lost.bin", encode_pointer(lost)), ("y.md", b"y")):
                tree = writer.tree(base, {name: (int(Mode.FILE), writer.blob(content))})
                tips.append(writer.commit(CommitDraft(tree, (root,), who, who, name)))
            merge = writer.commit(CommitDraft(base, tuple(tips), who, who, "merge"))
        history.move_refs([RefUpdate("refs/heads/main", root, merge)], "m", who)
        history.move_refs([RefUpdate("refs/heads/x", None, tips[0])], "m", who)
    assert damage(shell) == {lost.oid: [f"data@{tips[1][:12]}:lost.bin"]}


def test_entries_against_the_rules_are_warned_of(shell: Shell) -> None:
    shell.write("data/a.bin", b"a" * 10)
    shell.write("data/empty", b"")
    shell.commit("data", "one")
    assert shell("fsck", "--json").json["checked"]["warnings"] == []
    who = Signature("A", "a@example.org", 2_000_000_000, 0)
    with History(repository(shell), Disk()) as history:
        root = history.refs()["refs/heads/main"]
        tree = history.commit(root).tree
        pointer = history.entry(tree, "a.bin")
        assert pointer is not None
        parse_pointer(history.read_blob(pointer.git_id))
        with history.writer() as writer:
            rules = writer.blob(DEFAULT_ATTRIBUTES + b"a.bin !filter\n")
            edits = {".gitattributes": rules, "inline.bin": writer.blob(b"raw"), "empty.bin": writer.blob(b"")}
            tree = writer.tree(tree, {path: (int(Mode.FILE), blob) for path, blob in edits.items()})
            tip = writer.commit(CommitDraft(tree, (root,), who, who, "foreign"))
        history.move_refs([RefUpdate("refs/heads/other", None, tip)], "m", who)
    shell("checkout", "data@other")
    done = shell("fsck")
    assert "warning: data: files are pointers, or not, against .gitattributes" in done.out
    assert "  data:a.bin\n  data:inline.bin\n" in done.out


def test_what_is_staged_and_not_stored_is_damage(versions: Shell) -> None:
    versions.write("data/new.bin", b"N" * 100_000)
    versions("add", "data")
    path = next(path for path in (versions.here / ".aimdvc/blobs/files").glob("*/*") if path.stat().st_size == 100_000)
    content = path.read_bytes()
    path.unlink()
    assert damage(versions) == {path.name: ["data:new.bin (staged)"]}
    path.write_bytes(b"X" + content[1:])
    assert damage(versions) == {path.name: ["data:new.bin (staged)"]}


def test_a_pin_on_a_commit_that_is_not_here_is_damage(versions: Shell) -> None:
    lock = versions.here / "aimdvc.lock"
    tip = versions("log", "--json").json["versions"][0]["commit"]["id"]
    lock.write_text(lock.read_text().replace(tip, "4" * 40))
    assert damage(versions) == {"aimdvc.lock: data": []}


def test_a_tree_without_end_is_damage_and_so_is_a_tag_on_nothing(versions: Shell) -> None:
    place = repository(versions)
    tree = plant(place, TREE, tree_line(b"100644", b"f", plant(place, BLOB, b"x")))
    for _ in range(600):
        tree = plant(place, TREE, tree_line(b"40000", b"d", tree))
    plant_version(place, tree_line(b"40000", b"d", tree), "refs/heads/deep")
    (place / "refs/heads/broken").write_text("5" * 40 + "\n")
    found = damage(versions)
    assert any("refs/heads/broken" in where for where in found[f"git object {'5' * 40}"])
    assert len(found) == 2


def test_a_history_that_can_not_be_read_at_all_is_named(versions: Shell) -> None:
    (repository(versions) / "config").write_text("[core]\n\trepositoryformatversion = 7\n")
    assert "fsck" not in versions("fsck", "--json", code=4).json["hint"]


def test_du_counts_each_version_once(versions: Shell) -> None:
    versions.write("model.bin", b"m" * 10)
    versions("add", "model.bin")
    found = versions("du", "--json").json
    assert [(one["artifact"], one["versions"], one["blobs"], one["size"]) for one in found["artifacts"]] == [
        ("data", 3, 1, len(BIG)),
        ("model.bin", 0, 0, 0),
    ]
