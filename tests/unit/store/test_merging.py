"""A merge in progress and HEAD's moves come back from state.db as they were noted, whatever their names hold."""

from pathlib import Path

import pytest

from aimdvc.model.commits import Signature
from aimdvc.model.oid import GitId
from aimdvc.store.merging import Merging, OpenConflict, Side
from aimdvc.store.moves import HeadMove
from aimdvc.store.state import Head, State

ONE, TWO, TREE = (GitId(digit * 40) for digit in "123")
ODD = "name\udcff\n\x1b"
MERGING = Merging("merge", f"branch '{ODD}'", (ONE, TWO), TREE, f"Merge {ODD}\n")
CONFLICTS = [
    OpenConflict("a", Side(0o100644, ONE), Side(0o100755, TWO), None),
    OpenConflict(f"z/{ODD}", None, None, Side(0o120000, TREE)),
]


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path)


@pytest.fixture
def head(state: State) -> Head:
    with state.transaction():
        return state.create_head("x", "x", False, "refs/heads/main", None)


def test_a_merge_is_kept_until_it_ends(state: State, head: Head, tmp_path: Path) -> None:
    assert state.merges.get(head.id) is None
    with state.transaction():
        state.merges.begin(head.id, MERGING, CONFLICTS)
    state.close()
    again = State(tmp_path)
    assert again.merges.get(head.id) == MERGING
    assert again.merges.conflicts(head.id) == CONFLICTS
    with again.transaction():
        again.merges.settle(head.id, ["a", "no conflict"])
    assert [one.is_settled for one in again.merges.conflicts(head.id)] == [True, False]
    with again.transaction():
        again.merges.end(head.id)
    assert (again.merges.get(head.id), again.merges.conflicts(head.id)) == (None, [])
    again.close()


def test_a_forgotten_artifact_leaves_neither_merge_nor_moves(state: State, head: Head) -> None:
    who = Signature(ODD, "a@b.c", 1_700_000_000, -3600)
    with state.transaction():
        state.merges.begin(head.id, MERGING, CONFLICTS)
        state.move_head(head, None, ONE, TREE, who, f"switch: {ODD}")
    assert state.moves.newest(head.id) == [
        HeadMove(None, ONE, "refs/heads/main", who, "switch: name\udcff \x1b"),
    ]
    with state.transaction():
        state.delete_head(head)
    assert (state.merges.get(head.id), state.merges.conflicts(head.id), state.moves.newest(head.id)) == (None, [], [])
    state.close()


def test_moves_come_newest_first_and_only_so_many(state: State, head: Head) -> None:
    who = Signature("A", "a@b.c", 1_700_000_000, 0)
    for number in range(5):
        with state.transaction():
            state.move_head(head, "refs/heads/main", ONE, TREE, who, str(number))
    assert [move.why for move in state.moves.newest(head.id, 2)] == ["4", "3"]
    assert len(state.moves.newest(head.id)) == 5
    state.close()
