"""Writes what stays of an artifact's git objects into one new pack, and puts that in place of all others.

Entries are copied as they stand. What has to be sorted lies in a scratch table on disk: memory is the same for any
number of objects. Before the others go, the new pack is read whole, and proven to name nothing that it does not hold.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping
from itertools import accumulate

from aimdvc.errors import CorruptRepository
from aimdvc.fs.disk import TempFile
from aimdvc.fs.scratch import Scratch
from aimdvc.git.fsck import BadObjectError
from aimdvc.git.kinds import REF_DELTA
from aimdvc.git.packs import encode_entry
from aimdvc.server.numbered import Marks, Numbered
from aimdvc.server.packclosure import Named
from aimdvc.server.packcontents import PackContents
from aimdvc.server.packkinds import INDEX_MAGIC, RELEASED_EVERY, PackKinds
from aimdvc.server.packverify import verify_pack
from aimdvc.server.repositories import Repository

_BUFFER = 1 << 20
_FAR = 0x80000000
_TABLES = """
CREATE TABLE old (offset INTEGER PRIMARY KEY, position INTEGER NOT NULL);
CREATE TABLE new (name BLOB PRIMARY KEY, offset INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID
"""


def rewrite(repository: Repository, objects: Numbered, kept: Marks, still_held: Callable[[], None]) -> None:
    """Makes a repository hold just these objects. Nothing may push meanwhile: `still_held` raises where that is over.

    Raises CorruptRepository, StorageError: all is as it was then.
    """
    old = [pack.path.stem for pack in repository.packs()]
    with repository.quarantine() as pack, repository.quarantine() as index, repository.scratch() as scratch:
        for statement in _TABLES.split(";"):
            scratch.run(statement)
        trailer = _write_pack(pack, objects, kept, scratch)
        objects.release()
        _write_index(index, trailer, scratch)
        _check(pack, index, kept.count)
        still_held()
        repository.replace(pack, index, trailer.hex(), old)


class _Writer:
    """Appends to a file in large pieces, and hashes on the way."""

    def __init__(self, temp: TempFile) -> None:
        self._temp = temp
        self._buffer = bytearray()
        self._digest = hashlib.sha1(usedforsecurity=False)
        self.size = 0

    def put(self, content: bytes) -> None:
        self._digest.update(content)
        self._buffer += content
        self.size += len(content)
        if len(self._buffer) >= _BUFFER:
            self._flush()

    def end(self) -> bytes:
        """Appends the hash of all before, and returns it."""
        trailer = self._digest.digest()
        self.put(trailer)
        self._flush()
        return trailer

    def _flush(self) -> None:
        self._temp.write(bytes(self._buffer))
        self._buffer.clear()


def _write_pack(temp: TempFile, objects: Numbered, kept: Marks, scratch: Scratch) -> bytes:
    """Writes the pack, and a row of `new` for each of its objects; returns its checksum."""
    writer = _Writer(temp)
    writer.put(b"PACK" + struct.pack(">II", 2, kept.count))
    for start, stored in objects.spans:
        scratch.run("DELETE FROM old")
        here = (number - start for number in kept.within(start, start + stored.count))
        scratch.run_many("INSERT INTO old VALUES (?, ?)", ((stored.offset_at(one), one) for one in here))
        contents = PackContents(stored)
        ordered = scratch.run("SELECT offset, position FROM old ORDER BY offset")
        for turn, (offset, position) in enumerate(ordered):
            if turn % RELEASED_EVERY == 0:
                stored.release()
            raw = _entry(stored, contents, offset, scratch)
            row = (stored.name_at(position), writer.size, zlib.crc32(raw))
            scratch.run("INSERT INTO new VALUES (?, ?, ?)", row)
            writer.put(raw)
    return writer.end()


def _entry(stored: PackKinds, contents: PackContents, offset: int, scratch: Scratch) -> bytes:
    """Returns an object's entry as it stands; a delta names its base by id, or is made whole where that goes."""
    entry = stored.entry(offset)
    if entry.base is None:
        return entry.head + entry.data
    found = next(scratch.run("SELECT position FROM old WHERE offset = ?", (entry.base,)), None)
    if found is None:
        return encode_entry(*contents.read(offset))
    return bytes([entry.head[0] & 0x8F | REF_DELTA << 4]) + entry.head[1:] + stored.name_at(found[0]) + entry.data


def _write_index(temp: TempFile, trailer: bytes, scratch: Scratch) -> None:
    """Writes the index of what `new` has (Git, gitformat-pack.txt § Version 2 pack-*.idx files)."""
    writer = _Writer(temp)
    writer.put(INDEX_MAGIC)
    counts = [0] * 256
    for (name,) in scratch.run("SELECT name FROM new"):
        counts[name[0]] += 1
    writer.put(struct.pack(">256I", *accumulate(counts)))
    for (name,) in scratch.run("SELECT name FROM new ORDER BY name"):
        writer.put(name)
    for (crc,) in scratch.run("SELECT crc FROM new ORDER BY name"):
        writer.put(struct.pack(">I", crc))
    far = 0
    for (offset,) in scratch.run("SELECT offset FROM new ORDER BY name"):
        writer.put(struct.pack(">I", offset if offset < _FAR else _FAR | far))
        far += offset >= _FAR
    for (offset,) in scratch.run("SELECT offset FROM new WHERE offset >= ? ORDER BY name", (_FAR,)):
        writer.put(struct.pack(">Q", offset))
    writer.put(trailer)
    writer.end()


def _check(pack: TempFile, index: TempFile, count: int) -> None:
    with PackKinds(pack.path, count, index.path) as stored:
        contents = PackContents(stored)

        def absent(wanted: Mapping[bytes, int]) -> list[bytes]:
            found = stored.find(wanted)
            return [name for name, kind in wanted.items() if found.get(name) != kind]

        def read(name: bytes) -> bytes:
            return contents.read(stored.offsets([name])[name])[1]

        named = Named(absent, read)
        try:
            verify_pack(stored, lambda _, kind, content: named.take(kind, content))
            named.settle()
        except BadObjectError as error:
            raise CorruptRepository("a repository", f"what stays can't be kept: {error.message}") from error
        if named.absent:
            raise CorruptRepository("a repository", f"git object {min(named.absent).hex()} would be lost")
