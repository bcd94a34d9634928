"""A new secret for hrefs: those given before end in every process, by a command on the machine, without a restart."""

import subprocess
import sys
from pathlib import Path

import pytest

from aimdvc.server.audit import read_audit, verify_audit
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.rights import SYSTEM
from aimdvc.server.secret import rotate_secret
from tests.contract.backing import back_up
from tests.contract.server_client import BLOB, Client, first_version, pointer_of
from tests.postgres import Postgres


def href_of(client: Client, content: bytes = BLOB) -> str:
    action = client.batch("a", "download", [pointer_of(content)]).json()["objects"][0]["actions"]["download"]
    return str(action["href"])


def status(client: Client, href: str, port_of: str) -> int:
    """Returns what a server answers to an href that another process gave."""
    path = "/" + href.split("/", 3)[3]
    return client.request("GET", port_of + path, key=False).status


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_new_secret_ends_the_hrefs_of_all_processes(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    place = tmp_path / "srv"
    database = None
    if kind == "postgresql":
        postgres = request.getfixturevalue("postgres")
        assert isinstance(postgres, Postgres)
        database = postgres.database()
    with (
        EmbeddedServer(place, database_url=database) as one,
        EmbeddedServer(place, database_url=database) as two,
    ):
        client = Client(one.url, one.admin_key)
        other = Client(two.url, one.admin_key)
        first_version(client)
        before = href_of(client)
        listed = client.request("GET", "/api/v1/objects/a")
        known = {"If-None-Match": listed.headers["etag"]}
        assert client.request("GET", "/api/v1/objects/a", headers=known).status == 304
        assert {status(client, before, url) for url in (one.url, two.url)} == {200}
        command = [sys.executable, "-m", "aimdvc", "server", "secret", "rotate"]
        subprocess.run([*command, *(["--database", database] if database else [])], cwd=place, check=True)
        assert {status(client, before, url) for url in (one.url, two.url)} == {403}
        assert client.request("GET", "/api/v1/objects/a", headers=known).status == 200, "its hrefs have ended"
        for signing in (client, other):
            after = href_of(signing)
            assert {status(client, after, url) for url in (one.url, two.url)} == {200}
        assert [entry.action for entry in read_audit(one.site.database)].count("secret.rotate") == 1
        verify_audit(one.site.database)


def test_a_backup_goes_on_after_the_secret_was_made_anew(
    server: EmbeddedServer, client: Client, tmp_path: Path
) -> None:
    first_version(client)
    back_up(server, tmp_path / "copy")
    secrets = {server.site.database.secret()}
    for _ in range(2):
        rotate_secret(server.site.database, SYSTEM, lambda seconds: None)
        secrets.add(server.site.database.secret())
        back_up(server, tmp_path / "copy")
    assert len(secrets) == 3
