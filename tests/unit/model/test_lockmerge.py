"""The merge of two locks by artifact: its properties, and the form of one that is not settled."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimdvc.errors import AimdvcError, ConfigSyntaxError, LockConflict
from aimdvc.model.lock import LockSides, Pin, dump_lock, parse_lock
from aimdvc.model.lockmerge import MergedPins, dump_merged, merge_pins, parse_merged
from aimdvc.model.oid import GitId

COMMITS = [GitId(digit * 40) for digit in "123"]
PINS = st.builds(
    Pin, st.sampled_from(COMMITS), st.sampled_from(["x", "y", "x/in", "z"]), st.sampled_from([None, "o/p"])
)
Pins = dict[str, Pin]


def is_lock(pins: Mapping[str, Pin]) -> bool:
    try:
        return parse_lock(dump_lock(pins)) == pins
    except AimdvcError:
        return False


LOCKS = st.dictionaries(st.sampled_from(["a", "b", "c", "B"]), PINS).filter(is_lock)


@given(LOCKS, LOCKS, LOCKS)
def test_a_merge_is_a_lock_and_loses_nothing(base: Pins, ours: Pins, theirs: Pins) -> None:
    merged = merge_pins(base, ours, theirs)
    assert is_lock(merged.pins)
    assert not merged.pins.keys() & merged.conflicts.keys()
    for name, sides in merged.conflicts.items():
        assert sides == LockSides(ours.get(name), theirs.get(name)) and sides.ours != sides.theirs
    for name in base.keys() | ours.keys() | theirs.keys() if not merged.conflicts else ():
        before, our, their = base.get(name), ours.get(name), theirs.get(name)
        if before in (our, their) or our == their:
            assert merged.pins.get(name) == (our if their == before else their)


@given(LOCKS, LOCKS)
def test_one_side_alone_is_taken_and_so_is_what_both_did_alike(base: Pins, ours: Pins) -> None:
    for merged in (merge_pins(base, ours, base), merge_pins(base, base, ours), merge_pins(base, ours, ours)):
        assert merged == MergedPins(ours)


@given(LOCKS, LOCKS, LOCKS)
def test_the_sides_may_be_turned(base: Pins, ours: Pins, theirs: Pins) -> None:
    one, other = merge_pins(base, ours, theirs), merge_pins(base, theirs, ours)
    if is_lock(one.pins | {name: sides.ours for name, sides in one.conflicts.items() if sides.ours is not None}):
        mirrored = {name: LockSides(*reversed(sides)) for name, sides in other.conflicts.items()}
        if mirrored.keys() == one.conflicts.keys():
            assert MergedPins(other.pins, mirrored) == one


@given(LOCKS, LOCKS, LOCKS)
def test_what_is_written_is_read_again(base: Pins, ours: Pins, theirs: Pins) -> None:
    merged = merge_pins(base, ours, theirs)
    raw = dump_merged(merged)
    try:
        assert parse_merged(raw) == merged
    except AimdvcError:
        assert merged.conflicts  # A side by itself need not fit: one artifact's path inside another's.
        return
    if merged.conflicts:
        with pytest.raises(LockConflict) as told:
            parse_lock(raw)
        assert list(told.value.sides) == sorted(merged.conflicts)
        for name, sides in merged.conflicts.items():
            merged = merged.settle(name, sides.ours)
    assert not is_lock(merged.pins) or parse_lock(dump_merged(merged)) == merged.pins


def test_only_the_section_of_the_artifact_stands_between_marks() -> None:
    pins = {name: Pin(COMMITS[0], name, None) for name in ("a", "b", "c")}
    moved = [pins | {"b": Pin(commit, "b", None)} for commit in COMMITS[1:]]
    raw = dump_merged(merge_pins(pins, moved[0], {name: pin for name, pin in moved[1].items() if name != "a"}))
    assert raw.decode() == (
        '<<<<<<< ours\n[artifact "b"]\n\tcommit = '
        + "2" * 40
        + '\n\tpath = b\n=======\n[artifact "b"]\n\tcommit = '
        + "3" * 40
        + '\n\tpath = b\n>>>>>>> theirs\n\n[artifact "c"]\n\tcommit = '
        + "1" * 40
        + "\n\tpath = c\n"
    )


def test_one_that_moved_the_commit_and_one_that_moved_the_path_agree() -> None:
    base = {"a": Pin(COMMITS[0], "x", None)}
    merged = merge_pins(base, {"a": Pin(COMMITS[1], "x", None)}, {"a": Pin(COMMITS[0], "y", None)})
    assert merged == MergedPins({"a": Pin(COMMITS[1], "y", None)})


def test_the_marks_of_git_are_understood_too() -> None:
    lock = (
        '[artifact "a"]\n<<<<<<< HEAD\n\tcommit = {}\n||||||| base\n\tcommit = {}\n=======\n\tcommit = {}\n>>>>>>> x\n'
    )
    raw = (lock.format("1" * 40, "2" * 40, "3" * 40) + "\tpath = a\n").encode()
    sides = LockSides(Pin(COMMITS[0], "a", None), Pin(COMMITS[2], "a", None))
    assert parse_merged(raw) == MergedPins({}, {"a": sides})


def test_an_artifact_of_theirs_inside_another_is_to_settle() -> None:
    merged = merge_pins({}, {"a": Pin(COMMITS[0], "x", None)}, {"b": Pin(COMMITS[1], "x/in", None)})
    assert merged.conflicts == {"b": LockSides(None, Pin(COMMITS[1], "x/in", None))}


@pytest.mark.parametrize(
    "raw", [b"x <<<<<<< y", b"# <<<<<<<\n", b"<<<<<<< a\n<<<<<<< b\n=======\n>>>>>>> c\n", b"<<<<<<<"]
)
def test_marks_that_hold_no_two_locks_are_read_once(raw: bytes) -> None:
    try:
        assert parse_lock(raw) == {}
    except ConfigSyntaxError as error:
        assert not isinstance(error, LockConflict)
