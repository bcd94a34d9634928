"""Downloads are checked by a quick sum that was noted when SHA-256 found the blob right; rot is found all the same."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from xxhash import xxh3_128

from aimdvc.server.embedded import EmbeddedServer
from tests.contract.backing import push_version
from tests.contract.server_client import Client, pointer_of
from tests.contract.test_server_scrub import download, rot_anywhere, wanted

LARGE = bytes(range(256)) * 20_000
SUM = xxh3_128(LARGE).digest()


def known(place: Path) -> bytes | None:
    with closing(sqlite3.connect(place / "sums.db")) as database:
        rows = database.execute("SELECT oid, value FROM sum").fetchall()
    assert {row[0].hex() for row in rows} <= {pointer_of(LARGE).oid}
    return bytes(rows[0][1]) if rows else None


def forget(place: Path, value: bytes | None = None) -> None:
    """Has the sum unknown, or a wrong one."""
    with closing(sqlite3.connect(place / "sums.db", isolation_level=None)) as database:
        database.execute("DELETE FROM sum")
        if value is not None:
            database.execute("INSERT INTO sum VALUES (?, ?)", (bytes.fromhex(pointer_of(LARGE).oid), value))


def test_the_sum_is_noted_as_the_blob_arrives_or_at_the_first_whole_download(tmp_path: Path) -> None:
    place = tmp_path / "srv"
    with EmbeddedServer(place) as server:
        client = Client(server.url, server.admin_key)
        push_version(client, "a", LARGE, b"small ones lie in packs")
        assert known(place) == SUM
        forget(place)
        href = client.batch("a", "download", [pointer_of(LARGE)]).json()["objects"][0]["actions"]["download"]["href"]
        part = client.request("GET", href, headers={"Range": "bytes=0-999999"}, key=False)
        assert (part.status, part.body, known(place)) == (206, LARGE[:1_000_000], None)
        assert download(client, "a", LARGE) == (200, LARGE)
        assert known(place) == SUM
        assert download(client, "a", LARGE) == (200, LARGE)


def test_other_bytes_leave_no_sum(tmp_path: Path) -> None:
    place = tmp_path / "srv"
    with EmbeddedServer(place) as server:
        client = Client(server.url, server.admin_key)
        href = client.batch("a", "upload", [pointer_of(LARGE)]).json()["objects"][0]["actions"]["upload"]["href"]
        assert client.request("PUT", href, LARGE[::-1], key=False).status == 422
        assert known(place) is None


@pytest.mark.parametrize("is_known", [True, False])
def test_rot_is_found_with_the_sum_and_without(tmp_path: Path, is_known: bool) -> None:
    place = tmp_path / "srv"
    with EmbeddedServer(place) as server:
        client = Client(server.url, server.admin_key)
        push_version(client, "a", LARGE)
        if not is_known:
            forget(place)
        rot_anywhere(place, LARGE)
        assert download(client, "a", LARGE)[0] == -1
        assert known(place) is None
        assert "error" in wanted(client, "a", LARGE, "download")
        client.upload("a", LARGE)
        assert download(client, "a", LARGE) == (200, LARGE)


def test_a_sum_that_is_wrong_itself_costs_one_download(tmp_path: Path) -> None:
    place = tmp_path / "srv"
    with EmbeddedServer(place) as server:
        client = Client(server.url, server.admin_key)
        push_version(client, "a", LARGE)
        forget(place, b"wrong")
        assert download(client, "a", LARGE)[0] == -1
        assert download(client, "a", LARGE) == (200, LARGE)
        assert known(place) == SUM
