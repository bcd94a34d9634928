"""Commits and tags from elsewhere: what can't be one is damage, and no date breaks what shows it."""

from datetime import datetime, timedelta, timezone

import pytest

from aimdvc.errors import CorruptRepository
from aimdvc.git.commits import parse_commit, tag_target
from aimdvc.git.signatures import parse_signature
from aimdvc.model.oid import GitId

ID = GitId("1" * 40)
TREE = b"tree " + b"2" * 40 + b"\n"


@pytest.mark.parametrize(
    "head", [b"", b"tree 22\n", b"tree " + b"z" * 40 + b"\n", TREE + b"parent x\n", TREE + b"parent " + b"3" * 39]
)
def test_a_commit_that_names_no_tree_or_a_bad_parent_is_damage(head: bytes) -> None:
    with pytest.raises(CorruptRepository):
        parse_commit(ID, head + b"author A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nm\n")


def test_a_tag_that_names_no_object_is_damage() -> None:
    assert tag_target(ID, b"object " + b"4" * 40 + b"\ntype commit\n") == "4" * 40
    with pytest.raises(CorruptRepository, match="names an object"):
        tag_target(ID, b"object \xff\n")


@pytest.mark.parametrize("time", ["0", "100000000000000000", "-100000000000000000", "9" * 300])
@pytest.mark.parametrize("zone", ["+0000", "-2359", "+2359", "+9999", "x", "+١٢٠٠"])
def test_any_time_that_is_read_can_be_shown(time: str, zone: str) -> None:
    who = parse_signature(f"A <a@example.org> {time} {zone}")
    assert who is not None
    assert datetime.fromtimestamp(who.time_s, timezone(timedelta(seconds=who.zone_s)))
    assert datetime.fromtimestamp(who.time_s).astimezone()


@pytest.mark.parametrize("text", ["", "A", "A <a>", "A <a> --5 +0000", "A <a> ² +0000", "A <a> 1 2 3"])
def test_what_is_no_signature_is_none(text: str) -> None:
    assert parse_signature(text) is None
