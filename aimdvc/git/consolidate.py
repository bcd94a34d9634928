"""Joins small git packs and loose objects of a repository into one pack, streaming.

Objects of packs are copied as they stand there, deltas too, their CRC checked; loose ones are hashed and compressed
anew. What was copied is deleted when the new pack is durable, as `git repack -d` does: nothing is lost by it. Cut
anywhere, objects are there twice, and the next run finishes it. Readers look again for what moved (git/objects.py).
"""

import hashlib
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aimdvc.errors import Busy, CorruptRepository
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.fs.locks import exclusive
from aimdvc.fs.system import pread
from aimdvc.git.kinds import KIND_NAMES, OFS_DELTA, REF_DELTA
from aimdvc.git.layout import iter_loose
from aimdvc.git.packindex import read_entries
from aimdvc.git.packs import PackWriter, clean_repository
from aimdvc.model.joining import worth_joining
from aimdvc.model.oid import GitId

PACKS_AT = 50
LOOSE_AT = 2000
_JOINED_BYTES = 64 << 20
"""Bytes joined at once; 64 MiB of pointers are about 400,000 objects, and 100 MiB of memory."""

_SAMPLE = tuple(f"{digit}7" for digit in "0123456789abcdef")
_ORPHAN_AGE_S = 24 * 3600
_PARTS = (".rev", ".bitmap", ".mtimes", ".pack", ".idx")
"""A pack's files, in the order in which they are deleted; an index alone is small, and removed a day later."""

_KINDS = {name: kind for kind, name in KIND_NAMES.items()}


@dataclass(frozen=True, slots=True)
class Consolidated:
    """What was joined into one pack."""

    packs: int
    loose: int


def is_due(repository: Path) -> bool:
    """Returns whether a repository has many packs or loose objects. Looks at a few directories only."""
    objects = repository / "objects"
    loose = sum(len(_names(objects / fan)) for fan in _SAMPLE) * 256 // len(_SAMPLE)
    return loose >= LOOSE_AT or len([name for name in _names(objects / "pack") if name.endswith(".pack")]) >= PACKS_AT


def consolidate(repository: Path, disk: Disk, is_forced: bool = False) -> Consolidated | None:
    """Joins what is worth it, with `is_forced` whatever there is of small packs and loose objects.

    Returns None where another process does it, ours or git's. Raises CorruptRepository for a damaged object; nothing is
    deleted then.
    """
    directory = repository / "objects" / "pack"
    try:
        with exclusive(repository / "aimdvc-maintenance.lock", f"maintenance of '{repository}'", 0):
            clean_repository(repository)
            _remove_orphans(directory, disk)
            packs = worth_joining(_joinable(directory), 2 if is_forced else PACKS_AT, _JOINED_BYTES)
            loose = list(iter_loose(repository / "objects"))
            if len(packs) < 2 and not (loose if is_forced else len(loose) >= LOOSE_AT // 2):
                return Consolidated(0, 0)
            _join(directory, packs, loose, disk)
            return Consolidated(len(packs), len(loose))
    except (Busy, FileNotFoundError):
        return None


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _joinable(directory: Path) -> Iterator[tuple[int, str]]:
    """Yields (size, stem) of the packs that may go: whole ones, which nobody marked to keep."""
    names = set(_names(directory))
    for name in names:
        stem = name.removesuffix(".pack")
        if stem != name and f"{stem}.idx" in names and not names & {f"{stem}.keep", f"{stem}.promisor"}:
            yield (directory / name).stat().st_size, stem


def _join(directory: Path, packs: Sequence[str], loose: Sequence[tuple[GitId, Path]], disk: Disk) -> None:
    disk.make_directory(directory)
    writer = PackWriter(disk, directory)
    try:
        # Whole packs first, one after the other: a delta then never gets a base that stands on it in another pack.
        for stem in packs:
            for name, raw in _iter_entries(directory / stem):
                writer.add_entry(name, raw)
        for git_id, path in loose:
            kind, content = _read_loose(git_id, path)
            writer.add(kind, content, git_id)
        new = writer.publish(directory)
    except BaseException:  # Whatever stopped it, an interrupt too: what isn't published is thrown away.
        writer.discard()
        raise
    for stem in packs:
        if stem != new:
            for part in _PARTS:
                if (directory / (stem + part)).exists():
                    disk.unlink(directory / (stem + part))
    for _, path in loose:
        disk.unlink(path)


def _iter_entries(stem: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yields each object's raw id and its entry, whose delta, if it is one, names its base by id."""
    path = stem.with_name(stem.name + ".pack")
    entries = read_entries(stem.with_name(stem.name + ".idx"))
    at = {offset: name for name, offset, _ in entries}
    with mapped(path), path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size - 20
        for (name, offset, crc), (_, following, _) in zip(entries, [*entries[1:], (b"", end, 0)], strict=True):
            raw = pread(file.fileno(), following - offset, offset)
            if zlib.crc32(raw) != crc:
                raise CorruptRepository(str(path), f"git object {name.hex()} has another checksum")
            yield name, _by_name(raw, offset, at, path)


def _by_name(raw: bytes, offset: int, at: dict[int, bytes], path: Path) -> bytes:
    if (raw[0] >> 4) & 7 != OFS_DELTA:
        return raw
    position = 1
    while raw[position - 1] & 0x80:
        position += 1
    head = bytes([raw[0] & 0x8F | REF_DELTA << 4]) + raw[1:position]
    distance = raw[position] & 0x7F
    while raw[position] & 0x80:
        position += 1
        distance = (distance + 1) << 7 | raw[position] & 0x7F
    base = at.get(offset - distance)
    if base is None:
        raise CorruptRepository(str(path), f"a delta at {offset} has no base")
    return head + base + raw[position + 1 :]


def _read_loose(git_id: GitId, path: Path) -> tuple[int, bytes]:
    try:
        with mapped(path):
            whole = zlib.decompress(path.read_bytes())
    except zlib.error as error:
        raise CorruptRepository(str(path), "can't be inflated") from error
    head, _, content = whole.partition(b"\0")
    kind = _KINDS.get(head.partition(b" ")[0])
    if kind is None or hashlib.sha1(whole, usedforsecurity=False).hexdigest() != git_id:
        raise CorruptRepository(str(path), "has another hash")
    return kind, content


def _remove_orphans(directory: Path, disk: Disk) -> None:
    """Removes indexes whose packs are gone: a cut run leaves one. A new one may be on its way, so only old ones."""
    for path in directory.glob("*.idx"):
        if not path.with_suffix(".pack").exists() and time.time() - path.stat().st_mtime > _ORPHAN_AGE_S:
            disk.unlink(path)
