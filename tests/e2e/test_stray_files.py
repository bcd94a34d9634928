"""Files that aren't ours in a server's directory: `lost+found` of a mount, a file manager's notes, links to nowhere."""

import os
from pathlib import Path

from aimdvc.server.embedded import EmbeddedServer
from tests.contract.backing import push_version
from tests.contract.server_client import Client
from tests.shell import Shell

LARGE = b"large " * 30_000


def strewn(place: Path) -> None:
    """Puts strays wherever blobs lie."""
    files, packs, trash = place / "blobs/files", place / "blobs/packs", place / "trash"
    inner = next(files.iterdir())
    first = inner.name
    (files / "lost+found").mkdir()
    (files / ".DS_Store").write_text("x")
    os.symlink("/nonexistent", inner / (first + "0" * 62))
    os.symlink(first + "1" * 62, inner / (first + "1" * 62))
    (inner / (first + "2" * 62)).mkdir()
    (inner / ("Z" * 64)).write_text("x")
    (packs / ("1" * 32 + ".pack")).mkdir()
    os.symlink("/nonexistent", packs / ("2" * 32 + ".pack"))
    trash.mkdir(exist_ok=True)
    (trash / "20261125T071500Z-gc-3fa9c1d2").write_text("x")
    (place / "repos/lost+found").mkdir()


def test_what_lies_there_and_is_nobody_s_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "srv"
    with EmbeddedServer(place) as server:
        key = server.admin_key
        push_version(Client(server.url, key), "a", LARGE, b"small")
    strewn(place)
    before = sorted(str(path) for path in place.rglob("*") if "lost+found" in str(path) or path.is_symlink())
    machine = Shell(place)
    for line in (
        "verify --data",
        "scrub",
        "gc --apply --grace 0",
        "gc --apply --grace 0",
        "stats",
        f"backup {tmp_path / 'copy'}",
        "trash list",
        "trash empty --older-than 0",
        "verify --data",
    ):
        machine("server", *line.split())
    assert sorted(str(path) for path in place.rglob("*") if "lost+found" in str(path) or path.is_symlink()) == before
    with EmbeddedServer(place) as server:
        push_version(Client(server.url, key), "b", LARGE, b"another")
