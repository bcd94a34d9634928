"""Where things lie below the blob store, and the rule for temporary files: their name tells the process."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from aimdvc.model.oid import Oid

_PREFIX = re.compile("[0-9a-f]{2}")
_OID = re.compile("[0-9a-f]{64}")

SMALL = 64 << 10
"""Bytes; smaller blobs go into blob packs."""


class Layout(NamedTuple):
    """The directories of a store at `root`."""

    root: Path

    @property
    def files(self) -> Path:
        """Blobs of 64 KiB and more, in a directory by their first two digits."""
        return self.root / "blobs" / "files"

    @property
    def packs(self) -> Path:
        """Blob packs."""
        return self.root / "blobs" / "packs"

    @property
    def temporary(self) -> Path:
        """Files that are being written."""
        return self.root / "tmp"

    @property
    def partial(self) -> Path:
        """Downloads that were begun, by oid; they outlive the process."""
        return self.root / "tmp" / "partial"

    @property
    def damaged(self) -> Path:
        """Files whose bytes are not what their names say, by oid: kept for a look, never read."""
        return self.root / "damaged"

    @property
    def trash(self) -> Path:
        """What maintenance took out of the store, a directory each time; emptied by `trash empty` alone."""
        return self.root / "trash"

    def directories(self) -> tuple[Path, ...]:
        """Returns what must exist."""
        return (self.files, self.packs, self.partial)

    def iter_packs(self) -> Iterator[tuple[int, str]]:
        """Yields (size in bytes, name) of the blob packs; others may add and remove some meanwhile."""
        for entry in os.scandir(self.packs):
            with suppress(FileNotFoundError):
                if entry.name.endswith(".pack") and entry.is_file(follow_symlinks=False):
                    yield entry.stat(follow_symlinks=False).st_size, entry.name

    def prefixes(self) -> list[str]:
        """Returns the first two digits of the blobs stored as files, sorted; what else lies there is nobody's."""
        with os.scandir(self.files) as entries:
            return sorted(one.name for one in entries if _PREFIX.fullmatch(one.name) and one.is_dir())

    def iter_files(self, prefix: str) -> Iterator[tuple[Oid, os.stat_result]]:
        """Yields the blobs stored as files whose oids begin with two digits, sorted, with their stat."""
        for entry in sorted(os.scandir(self.files / prefix), key=lambda entry: entry.name):
            with suppress(FileNotFoundError):
                if _OID.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    yield Oid(entry.name), entry.stat(follow_symlinks=False)

    def blob_path(self, oid: Oid) -> str:
        """Returns where a blob stored as a file lies, as text: a Path takes ten times as long to make."""
        return f"{self.root}/blobs/files/{oid[:2]}/{oid}"

    def blob_file(self, oid: Oid) -> Path:
        """Returns where a blob stored as a file lies."""
        return Path(self.blob_path(oid))
