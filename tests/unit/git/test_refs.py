"""Refs on disk: who holds a lock, and whose lock it is."""

from itertools import pairwise
from pathlib import Path

import pytest

from aimdvc.errors import Busy, RefMoved
from aimdvc.fs.disk import Disk
from aimdvc.git import refs
from aimdvc.git.history import History
from aimdvc.model.commits import RefUpdate, Signature
from aimdvc.model.oid import GitId

ONE, TWO = GitId("1" * 40), GitId("2" * 40)
WHO = Signature("A", "a@example.org", 0, 0)
MAIN = "refs/heads/main"


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History.create(tmp_path / "r.git", Disk())


def test_a_lock_of_git_is_waited_for_and_left_alone(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refs, "_LOCK_WAIT_S", 0.1)
    lock = history.path / f"{MAIN}.lock"
    lock.write_text("")
    with pytest.raises(Busy) as told:
        history.move_refs([RefUpdate(MAIN, None, ONE)], "m", WHO)
    assert str(lock) in told.value.hint
    assert lock.exists()
    assert history.ref(MAIN) is None
    lock.unlink()
    history.move_refs([RefUpdate(MAIN, None, ONE)], "m", WHO)
    assert history.ref(MAIN) == ONE


def test_a_lock_that_a_killed_command_left_is_taken_over(history: History) -> None:
    history.move_refs([RefUpdate(MAIN, None, ONE)], "m", WHO)
    (history.path / f"{MAIN}.lock").hardlink_to(history.path / "aimdvc-refs.lock")
    history.move_refs([RefUpdate(MAIN, ONE, TWO)], "m", WHO)
    assert history.ref(MAIN) == TWO


def test_all_refs_move_or_none(history: History) -> None:
    history.move_refs([RefUpdate(MAIN, None, ONE)], "m", WHO)
    with pytest.raises(RefMoved):
        history.move_refs([RefUpdate("refs/aliases/a", None, ONE), RefUpdate(MAIN, TWO, GitId("3" * 40))], "m", WHO)
    assert history.refs() == {MAIN: ONE}
    assert [line.new for line in history.reflog(MAIN)] == [ONE]


@pytest.mark.parametrize("name", ["refs/heads/../x", "refs/heads/a b", "refs/heads/.x", "refs/heads/x.lock"])
def test_unsafe_names_are_refused(history: History, name: str) -> None:
    with pytest.raises(RefMoved):
        history.move_refs([RefUpdate(name, None, ONE)], "m", WHO)
    assert history.ref(name) is None


def test_a_ref_becomes_a_directory_of_refs_and_back(history: History) -> None:
    names = ["refs/heads/f", "refs/heads/f/a", "refs/heads/f/a/b", "refs/heads/f", "refs/heads/f/a"]
    history.move_refs([RefUpdate(names[0], None, ONE)], "m", WHO)
    for old, new in pairwise(names):
        history.move_refs([RefUpdate(new, None, TWO), RefUpdate(old, history.ref(old), None)], f"to {new}", WHO)
        assert history.refs() == {new: TWO}
        assert [line.message for line in history.reflog(new)] == [f"to {new}"]
    aside = history.path / "deleted-logs/refs~/heads~"
    assert sorted(path.name for path in aside.rglob("*") if path.is_file()) == ["a", "b", "f"]


def test_a_ref_in_the_way_that_stays_is_named_and_nothing_moves(history: History) -> None:
    history.move_refs([RefUpdate("refs/heads/f/a", None, ONE)], "m", WHO)
    (history.path / "packed-refs").write_text(f"{ONE} refs/heads/p/q\n")
    for name in ("refs/heads/f", "refs/heads/f/a/b", "refs/heads/p", "refs/heads/p/q/r"):
        with pytest.raises(RefMoved, match="is in its way"):
            history.move_refs([RefUpdate(MAIN, None, ONE), RefUpdate(name, None, ONE)], "m", WHO)
    with pytest.raises(RefMoved, match="is in its way"):
        history.move_refs([RefUpdate("refs/heads/x", None, ONE), RefUpdate("refs/heads/x/y", None, ONE)], "m", WHO)
    assert history.refs() == {"refs/heads/f/a": ONE, "refs/heads/p/q": ONE}


def test_a_deletion_leaves_no_empty_directories(history: History) -> None:
    history.move_refs([RefUpdate("refs/heads/a/b/c", None, ONE)], "m", WHO)
    history.move_refs([RefUpdate("refs/heads/a/b/c", ONE, None)], "m", WHO)
    assert list((history.path / "refs/heads").iterdir()) == []


@pytest.mark.parametrize(("old", "new"), [("refs/heads/f", "refs/heads/f/a"), ("refs/heads/f/a", "refs/heads/f")])
def test_a_rename_that_is_killed_at_any_step_is_finished_by_the_next(tmp_path: Path, old: str, new: str) -> None:
    updates = [RefUpdate(old, ONE, None), RefUpdate(new, None, TWO)]
    for step in range(100):
        path = tmp_path / f"{step}.git"
        history = History.create(path, Disk())
        history.move_refs([RefUpdate(old, None, ONE)], "m", WHO)
        left = [step]

        def before(operation: str, place: Path | str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt

        try:
            History(path, Disk(before)).move_refs(updates, "m", WHO)
        except KeyboardInterrupt:
            for name in (old, new):
                lock = path / f"{name}.lock"
                if lock.parent.is_dir() and not lock.exists():
                    lock.hardlink_to(path / "aimdvc-refs.lock")
            history.move_refs(updates, "m", WHO)
        assert history.refs() == {new: TWO}
        if left[0] >= 0:
            assert step > 5
            return
    raise AssertionError("it never ends")


def test_a_symbolic_ref_is_followed_and_one_that_leads_nowhere_is_no_ref(history: History) -> None:
    history.move_refs([RefUpdate(MAIN, None, ONE)], "m", WHO)
    targets = {"x": MAIN, "y": "refs/heads/x", "o": "refs/heads/o", "n": "refs/heads/no", "z": "../z"}
    for name, target in targets.items():
        (history.path / "refs/heads" / name).write_text(f"ref: {target}\n")
    (history.path / "packed-refs").write_text(f"{TWO} refs/heads/p\n")
    (history.path / "refs/heads/q").write_text("ref: refs/heads/p\n")
    assert history.refs() == {
        MAIN: ONE,
        "refs/heads/p": TWO,
        "refs/heads/q": TWO,
        "refs/heads/x": ONE,
        "refs/heads/y": ONE,
    }
