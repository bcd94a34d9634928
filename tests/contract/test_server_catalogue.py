"""When an artifact comes into being, and for whom."""

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.contract.git_packs import Made
from tests.contract.server_client import Client, report_of

MAIN = "refs/heads/main"


def _nodes(server: EmbeddedServer) -> list[str]:
    with server.site.database.read() as connection:
        return [str(row[0]) for row in connection.exec_driver_sql("SELECT name FROM nodes ORDER BY name")]


def test_asking_what_to_push_onto_makes_nothing(client: Client, server: EmbeddedServer) -> None:
    before = _nodes(server)
    reply = client.request("GET", "/folder/a.git/info/refs?service=git-receive-pack")
    assert reply.status == 200
    assert b"0" * 40 + b" capabilities^{}" in reply.body
    assert _nodes(server) == before
    assert client.request("GET", "/folder/a.git/info/refs?service=git-upload-pack").status == 404
    made = Made()
    commit = made.commit(made.tree([]))
    assert report_of(client.push("folder/a", [(None, commit, MAIN)], made.pack()))[1] == f"ok {MAIN}"
    assert client.refs("folder/a", "git-receive-pack")[MAIN] == commit
    assert set(_nodes(server)) - set(before) == {"folder", "a"}


@pytest.mark.parametrize(
    ("path", "status"), [("a/b", 409), ("folder", 409), ("x/../y", 400), ("bad..git/b", 400), ("x/" * 40 + "y", 400)]
)
def test_where_no_artifact_can_be_a_push_is_refused_at_once(client: Client, path: str, status: int) -> None:
    made = Made()
    commit = made.commit(made.tree([]))
    for artifact in ("a", "folder/b"):
        client.push(artifact, [(None, commit, MAIN)], made.pack())
    for method, tail in (("GET", "info/refs?service=git-receive-pack"), ("POST", "git-receive-pack")):
        headers = {"Content-Type": "application/x-git-receive-pack-request"}
        assert client.request(method, f"/{path}.git/{tail}", b"0000", headers).status == status


def test_who_may_not_write_is_told_at_once(client: Client, server: EmbeddedServer) -> None:
    made = Made()
    commit = made.commit(made.tree([]))
    client.push("a", [(None, commit, MAIN)], made.pack())
    caller = server.site.accounts.caller(client.key or "")
    assert caller is not None
    reader = Client(server.url, server.site.accounts.add_key(caller.id, "read"))
    for path, status in (("a", 403), ("b", 404)):
        assert reader.request("GET", f"/{path}.git/info/refs?service=git-receive-pack").status == status
    assert client.request("GET", "/b.git/info/refs?service=git-receive-pack", key=False).status == 401
