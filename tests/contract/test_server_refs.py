"""Which refs can stand together on the server, also those of one push."""

from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.limits import Limits
from tests.contract.git_packs import EMPTY_PACK, TAG, WHO, Made
from tests.contract.server_client import Client, report_of

MAIN = "refs/heads/main"


def _first_version(client: Client) -> str:
    made = Made()
    commit = made.commit(made.tree([]))
    assert report_of(client.push("a", [(None, commit, MAIN)], made.pack())) == ["unpack ok", f"ok {MAIN}"]
    return commit


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("refs/heads/x", "refs/heads/x/y", "conflicts with refs/heads/x"),
        ("refs/heads/x/y", "refs/heads/x", "conflicts with refs/heads/x/y"),
        ("refs/heads/Foo", "refs/heads/foo", "conflicts with refs/heads/Foo"),
        ("refs/heads/X", "refs/heads/x/y", "conflicts with refs/heads/X"),
        ("refs/heads/prod", "refs/aliases/prod", "a branch has this name"),
        ("refs/aliases/prod", "refs/heads/prod", "an alias has this name"),
    ],
)
def test_refs_of_one_push_are_judged_together(client: Client, first: str, second: str, reason: str) -> None:
    commit = _first_version(client)
    updates = [(None, commit, first), (None, commit, second)]
    assert report_of(client.push("a", updates, EMPTY_PACK, "atomic"))[1:] == [
        f"ng {first} atomic transaction failed",
        f"ng {second} {reason}",
    ]
    assert report_of(client.push("a", updates, EMPTY_PACK))[1:] == [f"ok {first}", f"ng {second} {reason}"]
    assert second not in client.refs("a")


def test_a_deletion_makes_room_in_the_same_push(client: Client) -> None:
    commit = _first_version(client)
    client.push("a", [(None, commit, "refs/heads/x")], EMPTY_PACK)
    updates = [(None, commit, "refs/heads/x/y"), (commit, None, "refs/heads/x")]
    assert report_of(client.push("a", updates, EMPTY_PACK, "atomic"))[1:] == [
        "ok refs/heads/x/y",
        "ok refs/heads/x",
    ]


def test_a_deletion_that_is_refused_makes_no_room(client: Client) -> None:
    commit = _first_version(client)
    client.push("a", [(None, commit, "refs/heads/x")], EMPTY_PACK)
    updates = [("1" * 40, None, "refs/heads/x"), (None, commit, "refs/heads/x/y")]
    assert report_of(client.push("a", updates, EMPTY_PACK))[1:] == [
        "ng refs/heads/x fetch first",
        "ng refs/heads/x/y conflicts with refs/heads/x",
    ]


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ("refs/heads/main/x", "conflicts with refs/heads/main"),
        ("refs/heads/Main", "conflicts with refs/heads/main"),
        ("refs/tags/v1/x", "versions are numbered by the server"),
    ],
)
def test_the_names_of_what_is_to_come_are_kept_free(client: Client, ref: str, reason: str) -> None:
    made = Made()
    commit = made.commit(made.tree([]))
    assert report_of(client.push("a", [(None, commit, ref)], made.pack()))[1] == f"ng {ref} {reason}"
    _first_version(client)


def test_a_ref_names_what_is_there_and_of_its_kind(client: Client) -> None:
    """Case S03: nothing, a blob, a tree, and tags of tags without end."""
    made = Made()
    blob = made.blob(b"x")
    tree = made.tree([(b"100644", b"f", blob)])
    commit = made.commit(tree)
    tag = chain = made.tag(commit)
    for number in range(300):
        chain = made.add(TAG, f"object {chain}\ntype tag\ntag t{number}\ntagger ".encode() + WHO + b"\n\nm\n")
    hollow = Made()
    lost = hollow.tag("12" * 20)
    missing, lasting = "missing necessary objects", "refs/heads/kept"
    assert report_of(client.push("a", [(None, commit, lasting)], made.pack()))[1] == f"ok {lasting}"
    for kind in ("refs/heads/x", "refs/aliases/x", "refs/notes/x", MAIN):
        for target in (blob, tree, tag):
            report = report_of(client.push("a", [(None, target, kind)], EMPTY_PACK))
            assert report[1] == f"ng {kind} it is not a commit"
        assert report_of(client.push("a", [(None, "34" * 20, kind)], EMPTY_PACK))[1] == f"ng {kind} {missing}"
    assert report_of(client.push("a", [(None, chain, "refs/tags/x")], EMPTY_PACK))[1] == f"ng refs/tags/x {missing}"
    assert report_of(client.push("a", [(None, lost, "refs/tags/x")], hollow.pack()))[1].startswith("ng refs/tags/x ")
    assert client.refs("a") == {lasting: commit}


def test_an_artifact_has_so_many_refs_and_no_more(tmp_path: Path) -> None:
    """Case S31: numbers count, too; what takes refs away or moves them is done all the same."""
    with EmbeddedServer(tmp_path / "srv", limits=Limits(refs=5)) as server:
        client = Client(server.url, server.admin_key)
        first = _first_version(client)
        full = "an artifact has at most 5 refs"
        made = Made()
        second = made.commit(made.tree([]), (first,))
        names = [f"refs/tags/t{number}" for number in range(4)]
        report = report_of(client.push("a", [(None, first, name) for name in names], made.pack()))
        assert report[1:] == [f"ng {name} {full}" for name in names]
        assert (
            report_of(client.push("a", [(None, first, name) for name in names[:3]], made.pack()))[1] == f"ok {names[0]}"
        )
        assert report_of(client.push("a", [(first, second, MAIN)], made.pack()))[1] == f"ng {MAIN} {full}"
        assert report_of(client.push("a", [(None, first, names[3])], made.pack()))[1] == f"ng {names[3]} {full}"
        assert report_of(client.push("a", [(first, second, names[0])], made.pack()))[1] == f"ok {names[0]}"
        atomic = client.push("a", [(first, None, names[1]), (None, second, names[3])], EMPTY_PACK, "atomic")
        assert report_of(atomic)[1:] == [f"ok {names[1]}", f"ok {names[3]}"]
        assert report_of(client.push("a", [(first, None, names[2])], b""))[1] == f"ok {names[2]}"
        assert report_of(client.push("a", [(first, second, MAIN)], made.pack()))[1] == f"ok {MAIN}"
        assert len(client.refs("a")) == 6
