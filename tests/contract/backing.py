"""Servers that are backed up and restored, on either database, and what of two has to be the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from aimdvc.fs.disk import Disk
from aimdvc.model.progress import Silent
from aimdvc.server.backup import Kept, backup, restore
from aimdvc.server.bytecopy import Copied
from aimdvc.server.database import Database
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.rowcopy import copied_tables
from aimdvc.server.site import Location, Site, open_site
from tests.contract.git_packs import Made
from tests.contract.server_client import MAIN, Client, pointer_of, report_of, version_with


@contextmanager
def opened(directory: Path, url: str | None = None, bucket: str | None = None) -> Iterator[Site]:
    """An open site."""
    site = open_site(Location(directory, url, bucket))
    try:
        yield site
    finally:
        site.close()


def kept(site: Site) -> Kept:
    return Kept(site.database, site.storage)


def back_up(server: EmbeddedServer, directory: Path, disk: Disk | None = None) -> Copied:
    """Backs a running server up."""
    return backup(kept(server.site), directory, disk or Disk(), Silent())


def restored(source: Path, directory: Path, url: str | None = None, bucket: str | None = None) -> Copied:
    """Restores a backup into a new server."""
    with opened(source) as backed, opened(directory, url, bucket) as site:
        return restore(kept(backed), kept(site), Silent())


def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Returns every row that backups keep, by table."""
    with database.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in copied_tables()
        }


def rows_in(directory: Path, url: str | None = None) -> dict[str, list[tuple[object, ...]]]:
    with opened(directory, url) as site:
        return rows(site.database)


def push_version(client: Client, artifact: str, *contents: bytes, parent: str | None = None) -> str:
    """Pushes a version of these files to an artifact's main, and returns its commit."""
    made = Made()
    commit = version_with(made, *client.upload(artifact, *contents), parents=(parent,) if parent else ())
    report = report_of(client.push(artifact, [(parent, commit, MAIN)], made.pack()))
    assert report == ["unpack ok", f"ok {MAIN}"]
    return commit


def rot(files: Path, content: bytes) -> None:
    """Turns one bit of a blob that is a file."""
    oid = pointer_of(content).oid
    path = files / oid[:2] / oid
    path.chmod(0o600)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def rot_small(packs: Path, content: bytes) -> None:
    """Turns bits of a blob that lies in a blob pack."""
    for path in packs.iterdir():
        path.chmod(0o600)
        path.write_bytes(path.read_bytes().replace(content, bytes(byte ^ 1 for byte in content)))
