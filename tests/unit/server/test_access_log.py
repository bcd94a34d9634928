"""Each request has a line of JSON of its own, whatever its path, method and names are."""

import json
from pathlib import Path

import pytest

from aimdvc.server.access_log import AccessLog

ODD = ['/a"b', "/a\\b", "/a\nb", "/a\x7fb", "/é", "/\udcff", "/plain/path.git/info/lfs/objects/batch", ""]


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_a_line_is_what_happened(tmp_path: Path, text: str) -> None:
    log = AccessLog(tmp_path / "log")
    for at, name in enumerate([text, None] * 2):
        words = {"method": text, "path": text, "route": name, "user": name, "key": name}
        log.write(
            request=f"id{at}",
            method=text,
            path=text,
            route=name,
            status=200 + at,
            seconds=0.25,
            received=at,
            sent=2 * at,
            user=name,
            key=name,
        )
        last = json.loads((tmp_path / "log").read_text().splitlines()[-1])
        assert last.pop("time").endswith("+00:00")
        more = {"id": f"id{at}", "status": 200 + at, "seconds": 0.25, "received": at, "sent": 2 * at}
        assert last == {**words, **more}
    log.close()
    assert len((tmp_path / "log").read_bytes().splitlines()) == 4
