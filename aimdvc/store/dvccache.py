"""DVC's cache and its remotes in local directories, read by MD5. Written by DVC alone; every content is checked.

Layout: `files/md5/ab/…` since DVC 3, `ab/…` before; the names of listings of directories end in `.dir`.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from aimdvc.errors import CorruptBlob
from aimdvc.fs.system import open_any

_CHUNK = 1 << 20


class DvcCache:
    """The places where DVC may have a content, the first that has it counts."""

    def __init__(self, places: Sequence[Path]) -> None:
        self._places = [inner for place in places for inner in (place / "files" / "md5", place)]

    def find(self, md5: str, is_directory: bool = False) -> Path | None:
        """Returns the file of a content, None where it is in no place."""
        name = md5[2:] + (".dir" if is_directory else "")
        candidates = (place / md5[:2] / name for place in self._places)
        return next((path for path in candidates if path.is_file()), None)

    def holds(self, path: Path) -> bool:
        """Returns whether a link of the work tree leads into one of the places."""
        real = Path(os.path.realpath(path))
        return any(real.is_relative_to(os.path.realpath(place)) for place in self._places)


def iter_checked(path: Path, md5: str, is_legacy: bool) -> Iterator[bytes]:
    """Yields a content of the cache. Raises CorruptBlob at its end where it isn't what its name says.

    `is_legacy` takes the MD5 of the content with LF for CR LF, too, as DVC before 3 made it of text.
    """
    plain, unix = (hashlib.md5(usedforsecurity=False) for _ in range(2))
    held = b""
    descriptor = open_any(str(path))
    try:
        while chunk := os.read(descriptor, _CHUNK):
            plain.update(chunk)
            if is_legacy:
                text = held + chunk
                # A CR at the end may be the first half of a CR LF.
                held = b"\r" if text.endswith(b"\r") else b""
                unix.update(text[: len(text) - len(held)].replace(b"\r\n", b"\n"))
            yield chunk
    finally:
        os.close(descriptor)
    unix.update(held)
    if md5 not in (plain.hexdigest(), unix.hexdigest() if is_legacy else ""):
        error = CorruptBlob(md5, f"DVC has another content at '{path}'")
        error.args = (f"content {md5} of DVC: another lies at '{path}'",)
        error.hint = "move that file away, then `dvc fetch --all-commits` brings it anew"
        raise error
