"""What looks after a server holds the same memory for any number of git objects. Only `pytest -m sweep` runs it."""

import time
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.contract.git_packs import Made
from tests.contract.server_client import Client, report_of
from tests.e2e.test_memory import LIMIT_MIB, peak_mib

WORK, SIDE = "refs/heads/work", "refs/heads/side"


def flat(made: Made, count: int) -> str:
    """Makes a folder of so many files."""
    blobs = [(b"%07d" % number, made.blob(b"%040d of the folder\n" % number)) for number in range(count)]
    return made.tree([(b"100644", name, blob) for name, blob in blobs])


def line(made: Made, tip: str | None, count: int, folder: str) -> str:
    """Makes a line of so many commits, each with a new file: four git objects each."""
    for number in range(count):
        parents = (tip,) if tip is not None else ()
        blob = made.blob(b"%s %040d\n" % (tip.encode() if tip else b"", number))
        inner = made.tree([(b"100644", b"changed", blob)])
        tip = made.commit(made.tree([(b"40000", b"a", folder), (b"40000", b"b", inner)]), parents)
    assert tip is not None
    return tip


def filled(client: Client, files: int, kept: int, left: int) -> None:
    """Pushes a branch of a folder and `kept` commits, and another one, of which a force push leaves `left`."""
    made = Made()
    folder = flat(made, files)
    base = line(made, None, kept, folder)
    assert report_of(client.push("a", [(None, base, WORK)], made.pack())) == ["unpack ok", f"ok {WORK}"]
    more = Made()
    tip = line(more, base, left, folder)
    assert report_of(client.push("a", [(None, tip, SIDE)], more.pack())) == ["unpack ok", f"ok {SIDE}"]
    assert report_of(client.push("a", [(tip, base, SIDE)], Made().pack()))[1] == f"ok {SIDE}"


@pytest.mark.sweep
@pytest.mark.timeout(1800)
def test_verify_and_gc_hold_400_000_git_objects_in_flat_memory(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "srv") as server:
        client = Client(server.url, server.admin_key)
        client.timeout_s = 300
        filled(client, 160_000, 40_000, 20_000)
    here = tmp_path / "srv"
    peaks, took_s = {}, {}
    for name in ("verify", "gc --apply --keep 0", "gc --keep 0", "gc --apply --keep 0 again", "verify again"):
        begun_s = time.monotonic()
        peaks[name] = peak_mib(here, "server", *name.removesuffix(" again").split())
        took_s[name] = round(time.monotonic() - begun_s, 1)
    print(peaks, took_s)
    (pack,) = (here / "repos").rglob("*.pack")
    assert int.from_bytes(pack.with_suffix(".idx").read_bytes()[8 + 4 * 255 : 8 + 4 * 256], "big") == 320_001
    assert max(peaks.values()) < LIMIT_MIB, (peaks, took_s)
