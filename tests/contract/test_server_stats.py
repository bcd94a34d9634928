"""`stats`: what a server holds, added up by the database, the same on both."""

from urllib.parse import quote

import pytest

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.guard import HttpError
from aimdvc.server.stats import Part, read_stats, read_stored
from tests.contract.backing import push_version
from tests.contract.git_packs import Made
from tests.contract.server_client import Client, report_of

LARGE = b"large " * 20_000


def test_what_is_held_is_added_up_by_folder(server: EmbeddedServer, client: Client) -> None:
    site = server.site
    site.accounts.add_user("ada")
    site.accounts.change_user("ada", is_disabled=True)
    tip = push_version(client, "a", b"one", LARGE)
    push_version(client, "a", b"two", LARGE, parent=tip)
    push_version(client, "scans/b", b"one")
    push_version(client, "scans/old/c", LARGE)
    made = Made()
    tag = made.tag(tip, b"v1.0")
    assert report_of(client.push("a", [(None, tag, "refs/tags/v1.0")], made.pack()))[0] == "unpack ok"
    stats = read_stats(site.database)
    assert (stats.users, stats.groups, stats.keys) == (1, 0, 1)
    assert (stats.folders, stats.artifacts, stats.versions) == (4, 3, 4)
    size = 2 * len(LARGE) + 9
    assert (stats.blobs, stats.size, stats.different) == (5, size, 3)
    assert stats.by_folder == [Part("admin", 3, 4, 5, size), Part("ada", 0, 0, 0, 0)]
    assert stats.largest == [
        Part("admin/a", 1, 2, 3, len(LARGE) + 6),
        Part("admin/scans/old/c", 1, 1, 1, len(LARGE)),
        Part("admin/scans/b", 1, 1, 1, 3),
    ]
    inner = read_stats(site.database, "admin/scans")
    assert inner.by_folder == [Part("admin/scans/old", 1, 1, 1, len(LARGE)), Part("admin/scans/b", 1, 1, 1, 3)]
    assert [part.path for part in inner.largest] == ["admin/scans/old/c", "admin/scans/b"]
    with pytest.raises(HttpError, match="no such folder"):
        read_stats(site.database, "nothing")
    stored = read_stored(site.storage)
    assert stored.size >= len(LARGE) + 6 and stored.size < 2 * len(LARGE)
    assert stored.packs == 5 and stored.packs_size > 500 and stored.trash == 0


def test_the_rest_tells_administrators(server: EmbeddedServer, client: Client) -> None:
    push_version(client, "a", b"one")
    told = client.request("GET", f"/api/v1/stats?path={quote('admin')}").json()
    assert (told["artifacts"], told["versions"], told["size"]) == (1, 1, 3)
    assert told["by_folder"] == [{"path": "admin/a", "artifacts": 1, "versions": 1, "blobs": 1, "size": 3}]
    assert client.request("GET", "/api/v1/stats?path=nothing").status == 404


def test_a_new_server_holds_nothing(server: EmbeddedServer) -> None:
    stats = read_stats(server.site.database)
    assert (stats.artifacts, stats.size, stats.largest) == (0, 0, [])
    assert (read_stored(server.site.storage).packs, read_stored(server.site.storage).size) == (0, 0)
