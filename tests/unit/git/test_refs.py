"""Refs on disk: who holds a lock, and whose lock it is."""

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
