"""Packs that arrive: whole ones are kept, those that leave something out are not, and what broke before is healed."""

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.errors import ProtocolError
from aimdvc.fs.disk import Disk
from aimdvc.git.history import History
from aimdvc.git.incoming import take_pack
from aimdvc.git.kinds import BLOB
from aimdvc.git.packs import PackWriter, git_id_of
from aimdvc.model.commits import CommitDraft, RefUpdate, Signature
from aimdvc.model.entries import Mode
from aimdvc.model.oid import EMPTY_TREE, GitId

WHO = Signature("A", "a@example.org", 1, 0)
MAIN = "refs/heads/main"


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[History]:
    with History.create(tmp_path / "theirs.git", Disk()) as history:
        yield history


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[History]:
    with History.create(tmp_path / "ours.git", Disk()) as history:
        yield history


def commit(history: History, contents: dict[str, bytes], *parents: GitId) -> GitId:
    with history.writer() as writer:
        tree = writer.tree(None, {path: (int(Mode.FILE), writer.blob(raw)) for path, raw in contents.items()})
        made = writer.commit(CommitDraft(tree, parents, WHO, WHO, "m"))
    history.move_refs([RefUpdate(MAIN, history.ref(MAIN), made)], "m", WHO)
    return made


def pack_of(history: History, git_ids: list[GitId]) -> bytes:
    writer = PackWriter(Disk(), history.path)
    for git_id in git_ids:
        writer.add(*history.read_object(git_id), git_id)
    writer.seal()
    raw = writer.temp.path.read_bytes()
    writer.discard()
    return raw


def packs(history: History) -> list[Path]:
    return list((history.path / "objects" / "pack").iterdir())


def test_a_pack_that_leaves_out_a_tree_a_blob_or_a_parent_is_not_kept(theirs: History, ours: History) -> None:
    first = commit(theirs, {"a/b": b"1"})
    tip = commit(theirs, {"a/b": b"2"}, first)
    every = list(theirs.iter_missing_objects([tip], []))
    assert len(every) == 8
    for left_out in every:
        with pytest.raises(ProtocolError, match="is not in the pack"):
            take_pack(ours, [pack_of(theirs, [git_id for git_id in every if git_id != left_out])], "url", [tip])
        assert packs(ours) == []
    take_pack(ours, [pack_of(theirs, every)], "url", [tip])
    assert [entry.path for entry in ours.iter_entries(ours.commit(tip).tree)] == ["a/b"]


def test_a_pack_may_lean_on_what_is_here(theirs: History, ours: History) -> None:
    files = {f"f{number}": b"%d" % number for number in range(700)}
    first = commit(theirs, files)
    take_pack(ours, [pack_of(theirs, list(theirs.iter_missing_objects([first], [])))], "url", [first])
    second = commit(theirs, files | {"f0": b"new"}, first)
    new = list(theirs.iter_missing_objects([second], [first]))
    assert len(new) == 3
    take_pack(ours, [pack_of(theirs, new)], "url", [second])
    assert ours.is_whole_tip(second)


def test_an_empty_pack_is_no_answer_to_a_want(theirs: History, ours: History) -> None:
    tip = commit(theirs, {"a": b"1"})
    with pytest.raises(ProtocolError, match=f"{tip} was wanted"):
        take_pack(ours, [pack_of(theirs, [])], "url", [tip])
    take_pack(ours, [pack_of(theirs, [])], "url", [])


def test_a_tip_without_its_tree_is_not_whole(theirs: History, ours: History) -> None:
    tip = commit(theirs, {"a": b"1"})
    assert theirs.is_whole_tip(tip)
    assert not ours.is_whole_tip(tip)
    raw = theirs.read_object(tip)[1]
    with ours.writer() as writer:
        draft = CommitDraft(theirs.commit(tip).tree, (), WHO, WHO, "m")
        assert writer.commit(draft) == tip, raw
        empty = writer.commit(CommitDraft(EMPTY_TREE, (), WHO, WHO, "m"))
    assert not ours.is_whole_tip(tip)
    assert ours.is_whole_tip(empty)


def thin_pack(base: GitId, delta: bytes) -> bytes:
    body = b"PACK\0\0\0\2\0\0\0\1" + bytes([7 << 4 | len(delta)]) + bytes.fromhex(base) + zlib.compress(delta)
    return body + hashlib.sha1(body).digest()


def test_a_thin_pack_is_completed_or_told_as_wrong(ours: History) -> None:
    with ours.writer() as writer:
        base = writer.blob(b"base")
    made = git_id_of(BLOB, b"based")
    take_pack(ours, [thin_pack(base, b"\4\5\x90\4\1d")], "url", [made])
    assert ours.read_blob(made) == b"based"
    kept = packs(ours)
    for pack in (thin_pack(base, b"\5\5\x90\4\1d"), thin_pack(base, b"\4\5\x90"), thin_pack(base, b"")):
        with pytest.raises(ProtocolError):
            take_pack(ours, [pack], "url", [])
    with pytest.raises(ProtocolError, match="neither in the pack nor here"):
        take_pack(ours, [thin_pack(GitId("5" * 40), b"\4\5\x90\4\1d")], "url", [])
    assert packs(ours) == kept
    assert list((ours.path / "objects").glob("incoming-*")) == []
