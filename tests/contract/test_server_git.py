"""Git's smart protocol by hand on a real port: what stock Git never sends, and what a hostile client would."""

import gzip
import socket
import struct
import threading
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.limits import Limits
from aimdvc.server.refs import read_refs
from aimdvc.server.schema import ref_history
from tests.contract import git_packs as packs
from tests.contract.git_packs import EMPTY_PACK, Made
from tests.contract.server_client import (
    BLOB,
    MAIN,
    Client,
    first_version,
    pointer_of,
    push_body,
    report_of,
    version_with,
)


def _stored_packs(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "srv" / "repos").glob("**/*") if path.is_file()]


def test_a_push_is_accepted_and_numbered(client: Client) -> None:
    commit = first_version(client)
    refs = client.refs("a")
    assert refs == {"HEAD": commit, MAIN: commit, "refs/tags/v1": commit}


def test_several_commits_get_a_number_each_along_the_first_parents(client: Client) -> None:
    first = first_version(client)
    made = Made()
    tree = made.tree([(b"100644", b"t", made.blob(b"text\n"))])
    side = made.commit(tree, (first,), b"side\n")
    second = made.commit(tree, (first,), b"second\n")
    third = made.commit(tree, (second, side), b"third\n")
    report_of(client.push("a", [(first, third, MAIN)], made.pack()))
    refs = client.refs("a")
    assert [refs[f"refs/tags/v{n}"] for n in (1, 2, 3)] == [first, second, third]
    assert "refs/tags/v4" not in refs


def test_a_merge_with_the_remote_as_second_parent_numbers_only_what_is_new(client: Client) -> None:
    first = first_version(client)
    made = Made()
    tree = made.tree([(b"100644", b"t", made.blob(b"text\n"))])
    theirs = made.commit(tree, (first,), b"theirs\n")
    report_of(client.push("a", [(first, theirs, MAIN)], made.pack()))
    made = Made()
    tree = made.tree([(b"100644", b"t", made.blob(b"text\n"))])
    mine = made.commit(tree, (first,), b"mine\n")
    merge = made.commit(tree, (mine, theirs), b"merge\n")
    assert report_of(client.push("a", [(theirs, merge, MAIN)], made.pack())) == ["unpack ok", f"ok {MAIN}"]
    refs = client.refs("a")
    assert [refs[f"refs/tags/v{n}"] for n in (1, 2, 3, 4)] == [first, theirs, mine, merge]


def test_main_never_goes_back(client: Client) -> None:
    first = first_version(client)
    made = Made()
    other = made.commit(made.tree([]), (), b"unrelated\n")
    assert report_of(client.push("a", [(first, other, MAIN)], made.pack())) == [
        "unpack ok",
        f"ng {MAIN} non-fast-forward",
    ]
    assert report_of(client.push("a", [(first, None, MAIN)], b""))[1] == f"ng {MAIN} main can't be deleted"
    assert client.refs("a")[MAIN] == first


def test_other_branches_may_be_forced_and_deleted(client: Client) -> None:
    first = first_version(client)
    made = Made()
    other = made.commit(made.tree([]), (), b"unrelated\n")
    branch = "refs/heads/try"
    client.push("a", [(None, first, branch)], EMPTY_PACK)
    assert report_of(client.push("a", [(first, other, branch)], made.pack()))[1] == f"ok {branch}"
    assert report_of(client.push("a", [(other, None, branch)], b""))[1] == f"ok {branch}"
    assert branch not in client.refs("a")


def test_a_lost_race_says_fetch_first_and_changes_nothing(client: Client, tmp_path: Path) -> None:
    first = first_version(client)
    made = Made()
    second = made.commit(made.tree([]), (first,))
    assert report_of(client.push("a", [(None, second, MAIN)], made.pack())) == ["unpack ok", f"ng {MAIN} fetch first"]
    assert client.refs("a")[MAIN] == first


def test_of_sixteen_pushes_at_once_one_wins(client: Client) -> None:
    first = first_version(client)
    reports: list[str] = []

    def push(number: int) -> None:
        made = Made()
        commit = made.commit(made.tree([]), (first,), b"%d\n" % number)
        reports.append(report_of(client.push("a", [(first, commit, MAIN)], made.pack()))[1])

    threads = [threading.Thread(target=push, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(reports) == [*[f"ng {MAIN} fetch first"] * 15, f"ok {MAIN}"]
    assert "refs/tags/v3" not in client.refs("a")


def test_an_atomic_push_is_all_or_none(client: Client) -> None:
    first = first_version(client)
    made = Made()
    second = made.commit(made.tree([]), (first,))
    updates = [(first, second, MAIN), (None, second, "refs/aliases/good"), (first, second, "refs/heads/gone")]
    report = report_of(client.push("a", updates, made.pack(), "atomic"))
    assert report[1:] == [
        f"ng {MAIN} atomic transaction failed",
        "ng refs/aliases/good atomic transaction failed",
        "ng refs/heads/gone it was deleted meanwhile",
    ]
    assert client.refs("a") == {"HEAD": first, MAIN: first, "refs/tags/v1": first}
    assert report_of(client.push("a", updates[:2], made.pack(), "atomic"))[1:] == [f"ok {MAIN}", "ok refs/aliases/good"]


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ("refs/heads/aliases/prod", "'refs/heads/aliases/prod' is a branch; to move aliases push to refs/aliases/"),
        ("refs/heads/tags/x", "'refs/heads/tags/x' is a branch; to move tags push to refs/tags/"),
        ("refs/tags/v7", "versions are numbered by the server"),
        ("refs/tags/V7", "versions are numbered by the server"),
        ("refs/aliases/v7", "alias name 'v7': expected a name that doesn't look like a version"),
        ("refs/aliases/latest", "alias name 'latest': expected a name other than latest, main and HEAD"),
        ("refs/pull/1/head", "only refs/heads, refs/tags, refs/aliases and refs/notes are kept here"),
        ("refs/heads/a..b", "funny refname"),
        ("refs/heads/\x1b[31m", "funny refname"),
        ("../../etc/passwd", "funny refname"),
        ("refs/heads/main/sub", "conflicts with refs/heads/main"),
        ("refs/heads/MAIN", "conflicts with refs/heads/main"),
    ],
)
def test_some_refs_are_refused(client: Client, ref: str, reason: str) -> None:
    first = first_version(client)
    assert report_of(client.push("a", [(None, first, ref)], EMPTY_PACK))[1] == f"ng {ref} {reason}"


def test_a_first_push_may_bring_its_numbers(client: Client) -> None:
    made = Made()
    line = [made.commit(made.tree([]))]
    for _ in range(2):
        line.append(made.commit(made.tree([]), (line[-1],)))
    updates = [(None, line[2], MAIN), (None, line[0], "refs/tags/v2"), (None, line[1], "refs/tags/v7")]
    assert report_of(client.push("a", updates, made.pack()))[1:] == [f"ok {ref}" for _, _, ref in updates]
    tags = {ref: commit for ref, commit in client.refs("a").items() if ref.startswith("refs/tags/")}
    assert tags == {"refs/tags/v2": line[0], "refs/tags/v7": line[1], "refs/tags/v8": line[2]}
    assert report_of(client.push("a", [(None, line[0], "refs/tags/v1")], EMPTY_PACK))[1].startswith("ng ")


@pytest.mark.parametrize("ref", ["refs/tags/v0", "refs/tags/v07", "refs/tags/V7", "refs/tags/v9999999999"])
def test_a_first_push_brings_no_odd_numbers(client: Client, ref: str) -> None:
    made = Made()
    first = made.commit(made.tree([]))
    report = report_of(client.push("a", [(None, first, MAIN), (None, first, ref)], made.pack()))
    assert report[1:] == [f"ok {MAIN}", f"ng {ref} versions are numbered by the server"]


def test_a_version_is_immutable(client: Client) -> None:
    first = first_version(client)
    made = Made()
    second = made.commit(made.tree([]), (first,))
    report = report_of(client.push("a", [(first, second, "refs/tags/v1")], made.pack()))
    assert report[1] == "ng refs/tags/v1 versions are immutable"
    assert report_of(client.push("a", [(first, None, "refs/tags/v1")], b""))[1].endswith("versions are immutable")


def test_an_alias_moves_and_its_history_is_kept(client: Client, server: EmbeddedServer) -> None:
    first = first_version(client)
    made = Made()
    second = made.commit(made.tree([]), (first,))
    alias = "refs/aliases/prod"
    client.push("a", [(None, first, alias)], EMPTY_PACK)
    client.push("a", [(first, second, alias)], made.pack())
    client.push("a", [(second, None, alias)], b"")
    with server.site.database.read() as connection:
        columns = (ref_history.c.old, ref_history.c.new)
        query = select(*columns).where(ref_history.c.name == alias.encode()).order_by(ref_history.c.id)
        rows = connection.execute(query).all()
        assert [tuple(row) for row in rows] == [(None, first), (first, second), (second, None)]


def test_a_version_whose_blob_is_missing_is_refused(client: Client, tmp_path: Path) -> None:
    made = Made()
    commit = version_with(made, pointer_of(BLOB))
    report = report_of(client.push("a", [(None, commit, MAIN)], made.pack()))
    assert report == ["unpack ok", f"ng {MAIN} 1 blobs are missing"]
    assert client.refs("a") == {}
    assert _stored_packs(tmp_path) == []


def test_a_blob_of_another_artifact_does_not_count(client: Client) -> None:
    pointers = client.upload("other", BLOB)
    made = Made()
    commit = version_with(made, *pointers)
    assert "missing" in report_of(client.push("a", [(None, commit, MAIN)], made.pack()))[1]


def test_a_pointer_with_a_wrong_size_does_not_count(client: Client) -> None:
    pointer = client.upload("a", BLOB)[0]
    made = Made()
    commit = version_with(made, pointer._replace(size=pointer.size + 1))
    assert "missing" in report_of(client.push("a", [(None, commit, MAIN)], made.pack()))[1]


def _hostile() -> dict[str, tuple[bytes, str]]:
    """Returns packs that no repository may take, each with the commit that the push names."""
    found: dict[str, tuple[bytes, str]] = {}
    for name in (b"..", b".", b".git", b".GIT", b"git~1", b".git ", b".git.", ".g\u200cit".encode(), b".git::$INDEX"):
        made = Made()
        tree = made.tree([(b"100644", name, made.blob(b"x"))])
        commit = made.commit(tree)
        found[f"name {name!r}"] = (made.pack(), commit)
    made = Made()
    blob = made.blob(b"x")
    for title, entries in {
        "twice": [(b"100644", b"a", blob), (b"100644", b"a", blob)],
        "unsorted": [(b"100644", b"b", blob), (b"100644", b"a", blob)],
        "zero-padded": [(b"0100644", b"a", blob)],
        "odd mode": [(b"104755", b"a", blob)],
        "old mode": [(b"100664", b"a", blob)],
        "empty link": [(b"120000", b"a", packs.Made().blob(b""))],
        "link with NUL": [(b"120000", b"a", packs.Made().blob(b"a\0b"))],
        "long link": [(b"120000", b"a", packs.Made().blob(b"a" * 4096))],
        "slash": [(b"100644", b"a/b", blob)],
        "file and directory": [(b"100644", b"a", blob), (b"40000", b"a", packs.Made().tree([]))],
        "file as directory": [(b"40000", b"a", blob)],
        "missing blob": [(b"100644", b"a", "1" * 40)],
    }.items():
        made = Made()
        for content in (b"x", b"", b"a\0b", b"a" * 4096):
            made.blob(content)
        commit = made.commit(made.tree(entries))
        found[title] = (made.pack(), commit)
    commits: dict[str, bytes] = {
        "no tree": b"author x\n",
        "missing tree": b"tree " + b"2" * 40 + b"\nauthor " + packs.WHO + b"\ncommitter " + packs.WHO + b"\n\nm\n",
        "bad author": b"tree %s\nauthor <<\ncommitter " + packs.WHO + b"\n\nm\n",
    }
    for title, text in commits.items():
        made = Made()
        empty = made.tree([])
        commit = made.add(packs.COMMIT, text.replace(b"%s", empty.encode()))
        found[title] = (made.pack(), commit)
    made = Made()
    commit = made.commit(made.tree([]), (), b"a\0b\n")
    found["NUL"] = (made.pack(), commit)
    made = Made()
    commit = made.commit(made.tree([]), ("3" * 40,))
    found["missing parent"] = (made.pack(), commit)
    return found


@pytest.mark.parametrize("title", sorted(_hostile()))
def test_objects_that_break_the_rules_are_refused(client: Client, tmp_path: Path, title: str) -> None:
    pack, commit = _hostile()[title]
    report = report_of(client.push("a", [(None, commit, MAIN)], pack))
    assert report[0] != "unpack ok"
    assert report[1].startswith(f"ng {MAIN} ")
    assert client.refs("a") == {}
    assert _stored_packs(tmp_path) == []


def _bombs() -> dict[str, bytes]:
    blob = packs.entry(packs.BLOB, b"x" * 100)
    huge = packs.varint(100) + packs.varint(393 << 20) + b"\x90\x64" * 100
    ofs = packs.ofs_entry(len(blob), huge)
    lie = packs.header(packs.BLOB, 10) + zlib.compress(bytes(40 << 20))
    small_delta = packs.varint(100) + packs.varint(100) + b"\x90\x64"
    first = packs.ref_entry("a" * 40, small_delta)
    chain, last = [blob], blob
    for number in range(200):
        copy = b"\xb0" + struct.pack("<H", 100 + number)
        delta = packs.varint(100 + number) + packs.varint(101 + number) + copy + b"\1z"
        last = packs.ofs_entry(len(last), delta)
        chain.append(last)
    return {
        "delta bomb": packs.pack_of([blob, ofs]),
        "zlib bomb": packs.pack_of([lie]),
        "declared size": packs.pack_of([packs.header(packs.BLOB, 2**40) + zlib.compress(b"x")]),
        "large object": packs.pack_of([packs.entry(packs.BLOB, bytes(70 << 20))]),
        "object count": packs.pack_of([blob], 2**32 - 1),
        "count too small": packs.pack_of([blob, packs.entry(packs.BLOB, b"y")], 1),
        "self reference": packs.pack_of([blob, packs.ofs_entry(0, small_delta)]),
        "outside": packs.pack_of([packs.ofs_entry(5000, small_delta)]),
        "unknown base": packs.pack_of([blob, first]),
        "deep chain": packs.pack_of(chain),
        "cut": packs.pack_of([blob])[:-30],
        "checksum": packs.pack_of([blob])[:-1] + b"!",
        "no pack": b"PACK",
        "other version": b"PACK" + struct.pack(">II", 9, 0) + bytes(20),
        "twice": packs.pack_of([blob, blob]),
    }


@pytest.mark.parametrize("title", sorted(_bombs()))
def test_a_pack_that_lies_is_refused_and_nothing_is_kept(client: Client, tmp_path: Path, title: str) -> None:
    report = report_of(client.push("a", [(None, "1" * 40, MAIN)], _bombs()[title]))
    assert report[0] != "unpack ok"
    assert report[1] == f"ng {MAIN} unpacker error"
    assert _stored_packs(tmp_path) == []


def test_a_truncated_push_changes_nothing(client: Client, tmp_path: Path) -> None:
    made = Made()
    commit = version_with(made, *client.upload("a", BLOB))
    body = push_body([(None, commit, MAIN)], made.pack())
    parts = urlsplit(client.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as sock:
        head = (
            f"POST /a.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\n"
            f"Content-Type: application/x-git-receive-pack-request\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        sock.sendall(head.encode() + body[:-25])
        sock.shutdown(socket.SHUT_WR)
        sock.recv(4096)
    assert client.refs("a") == {}
    assert _stored_packs(tmp_path) == []


def test_a_gzipped_body_is_inflated_and_counted(client: Client) -> None:
    made = Made()
    commit = version_with(made, *client.upload("a", BLOB))
    body = gzip.compress(push_body([(None, commit, MAIN)], made.pack()))
    headers = {"Content-Type": "application/x-git-receive-pack-request", "Content-Encoding": "gzip"}
    assert report_of(client.request("POST", "/a/git-receive-pack", body, headers))[0] == "unpack ok"
    bomb = gzip.compress(bytes(50 << 20))
    headers = {"Content-Type": "application/vnd.git-lfs+json", "Content-Encoding": "gzip"}
    assert client.request("POST", "/a/info/lfs/objects/batch", bomb, headers).status == 413
    assert client.request("POST", "/a/info/lfs/objects/batch", body[:-10], headers).status == 400


@pytest.mark.parametrize("body", [b"", b"zzzz", b"0003", b"ffff", b"0032want ", b"0000" * 60_000])
def test_requests_that_make_no_sense_are_400_or_empty(client: Client, body: bytes) -> None:
    first_version(client)
    headers = {"Content-Type": "application/x-git-upload-pack-request"}
    assert client.request("POST", "/a/git-upload-pack", body, headers).status in (200, 400, 413)
    headers = {"Content-Type": "application/x-git-receive-pack-request"}
    assert client.request("POST", "/a/git-receive-pack", body, headers).status in (200, 400, 413)


def test_limits_count_what_is_inflated(tmp_path: Path) -> None:
    limits = Limits(inflated_bytes=10_000)
    with EmbeddedServer(tmp_path / "srv", limits=limits) as server:
        client = Client(server.url, server.admin_key)
        made = Made()
        for number in range(3):
            made.blob(b"%d" % number * 4000)
        report = report_of(client.push("a", [(None, "1" * 40, MAIN)], made.pack()))
        assert report[0] == "unpack git objects of more than 10000 bytes together, push fewer versions at a time"
        assert not any(read_refs(server.site.database, "x"))
