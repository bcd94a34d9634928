"""Case S15: the power of a server's machine is cut, after an answer and before each durable step of a request.

What was acknowledged is there; what was not is old or new, and is done by doing it again.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.site import Location
from tests.contract.server_client import Client
from tests.crash.deeds import DEEDS
from tests.crash.image import Image
from tests.crash.serving import Served
from tests.crash.test_server_cut import hold_all


def test_what_was_acknowledged_is_there_after_a_power_cut(image: Image, tmp_path: Path) -> None:
    served = Served(image.mount_point / "srv")
    names = {what: f"a{number}" for number, what in enumerate(DEEDS)}
    try:
        for what, name in names.items():
            DEEDS[what].prepare(served.client, name)
            DEEDS[what].act(served.client, name)
            control = f"control-{name}"
            (image.mount_point / control).write_bytes(b"never synced\n" * 1000)
            copy = tmp_path / "copy.img"
            image.cut_to(copy)
            with image.mounted(copy) as place:
                assert not (place / control).exists() or not (place / control).read_bytes()
                look(place / "srv", served.key, names if name == f"a{len(names) - 1}" else {what: name})
    finally:
        served.stop()


def look(directory: Path, key: str, done: Mapping[str, str]) -> None:
    """What was done is there, and all that is there is whole."""
    with EmbeddedServer(directory) as server:
        for what, name in done.items():
            assert DEEDS[what].holds(Client(server.url, key), name), what
    if len(done) > 1:
        hold_all(Location(directory))


class _Cuts:
    """Keeps a copy of the image before some of the durable steps, once it is told to."""

    def __init__(self, image: Image, directory: Path, points: range) -> None:
        self._image = image
        self._directory = directory
        self._points = points
        self.steps = 0
        self.is_on = False
        self.copies: list[Path] = []

    def __call__(self, operation: str, path: Path | str) -> None:
        if self.is_on:
            self.steps += 1
            if self.steps in self._points:
                self.copies.append(self._directory / f"{self.steps}-{operation}.img")
                self._image.cut_to(self.copies[-1])


def sweep(image: Image, directory: Path, what: str, points: range) -> int:
    """Cuts the power at each of the points; returns how often."""
    deed, cuts = DEEDS[what], _Cuts(image, directory, points)
    with EmbeddedServer(image.mount_point / "srv", disk=Disk(cuts)) as server:
        client = Client(server.url, server.admin_key)
        deed.prepare(client, "a")
        cuts.is_on = True
        deed.act(client, "a")
        cuts.is_on = False
    for copy in cuts.copies:
        with image.mounted(copy) as place:
            with EmbeddedServer(place / "srv") as again:
                other = Client(again.url, client.key)
                assert not deed.holds(other, "a"), f"{what} is there before its last step, {copy.name}"
                deed.act(other, "a")
                assert deed.holds(other, "a"), copy.name
            hold_all(Location(place / "srv"))
    return len(cuts.copies)


STEPPED = ("large blob", "blob in pieces", "small blob", "aimd-pack", "first push", "push")
"""What writes more than rows of the database; those are the last that is written."""


@pytest.mark.parametrize(("what", "step"), [("large blob", 3), ("blob in pieces", 4), ("aimd-pack", 4), ("push", 4)])
def test_some_power_cuts_of_a_server(image: Image, tmp_path: Path, what: str, step: int) -> None:
    assert sweep(image, tmp_path, what, range(2, 1000, step)) > 1


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("what", STEPPED)
def test_every_power_cut_of_a_server(image: Image, tmp_path: Path, what: str) -> None:
    assert sweep(image, tmp_path, what, range(1, 1000)) > 4
