"""Copies what a database names, git packs and blobs, from one server's storage into another's. For backup and restore.

What the target has is not copied again. Everything is hashed on its way; what is damaged is told, and the rest goes on.
Cut anywhere, the same call goes on where it was. Knows storages by their Protocols alone.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO

from sqlalchemy import func, select

from aimdvc.errors import CorruptBlob, CorruptRepository, IntegrityError, MissingBlob
from aimdvc.fs.disk import TempFile
from aimdvc.model.frames import PACKED_LIMIT, read_frames
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.server.database import Database
from aimdvc.server.limits import CHUNK_BYTES
from aimdvc.server.repositories import GitPack, Repository
from aimdvc.server.schema import nodes, owned_blobs
from aimdvc.server.storage import BlobStorage, Storage
from aimdvc.server.tree import chain_of

_PAGE = 800
"""Rows looked at together; also the most values in one IN list, of which SQLite of 2020 and before allows 999."""
_TRAILER = 20


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is damaged or gone: of which artifact, by its path, what it is, and what is wrong with it."""

    artifact: str
    what: str
    reason: str


@dataclass(slots=True)
class Copied:
    """What was copied, sizes in bytes, and what could not be. `stale` are the target's (artifact, pack) that go."""

    artifacts: int = 0
    packs: int = 0
    blobs: int = 0
    size: int = 0
    damage: list[Damage] = field(default_factory=list)
    stale: list[tuple[str, str]] = field(default_factory=list)


def copy_bytes(
    database: Database, source: Storage, target: Storage, progress: Progress, with_packs: bool = True
) -> Copied:
    """Copies the git packs and the blobs of every artifact that a database names, and returns what was done."""
    done = Copied()
    with database.read() as connection:
        size = connection.scalar(select(func.sum(owned_blobs.c.size)))
    progress.start("copying", int(size or 0), "bytes")
    for artifact in iter_artifacts(database):
        done.artifacts += 1
        damage: list[tuple[str, str]] = []
        if with_packs:
            with source.repository(artifact) as theirs, target.repository(artifact) as ours:
                damage = _copy_packs(artifact, theirs, ours, done)
        for page in iter_owned(database, artifact):
            damage += _copy_blobs(page, source.blobs, target.blobs, done)
            progress.advance(sum(pointer.size for pointer in page))
        if damage:
            path = artifact_path(database, artifact)
            done.damage += (Damage(path, what, reason) for what, reason in damage)
    progress.finish()
    return done


def iter_artifacts(database: Database) -> Iterator[str]:
    """Yields the ids of all artifacts, in their order."""
    last = ""
    while True:
        query = select(nodes.c.id).where(nodes.c.kind == "artifact", nodes.c.id > last).order_by(nodes.c.id)
        with database.read() as connection:
            page = list(connection.scalars(query.limit(_PAGE)))
        if not page:
            return
        yield from page
        last = page[-1]


def iter_owned(database: Database, artifact: str) -> Iterator[list[Pointer]]:
    """Yields the blobs that an artifact owns, by oid, some hundred together."""
    last = b""
    columns = (owned_blobs.c.oid, owned_blobs.c.size)
    while True:
        query = select(*columns).where(owned_blobs.c.artifact == artifact, owned_blobs.c.oid > last)
        with database.read() as connection:
            page = connection.execute(query.order_by(owned_blobs.c.oid).limit(_PAGE)).all()
        if not page:
            return
        yield [Pointer(Oid(oid.hex()), size) for oid, size in page]
        last = page[-1].oid


def artifact_path(database: Database, artifact: str) -> str:
    """Returns an artifact's absolute path, or its id when its folders are gone."""
    with database.read() as connection:
        return "/".join(node.name for node in chain_of(connection, artifact)) or artifact


def _copy_packs(artifact: str, source: Repository, target: Repository, done: Copied) -> list[tuple[str, str]]:
    damage: list[tuple[str, str]] = []
    met: set[str] = set()
    try:
        before = {pack.path.stem for pack in target.packs()}
        for pack in source.iter_packs():
            met.add(pack.path.stem)
            if pack.path.stem in before:
                continue
            try:
                with suppress(FileNotFoundError):
                    _copy_pack(pack, target)
                    done.packs += 1
                    done.size += pack.size
            except CorruptRepository as error:
                damage.append((f"git pack {pack.path.name}", error.message))
    except CorruptRepository as error:
        damage.append(("git packs", error.message))
    if not damage:
        done.stale += ((artifact, name) for name in sorted(before - met))
    return damage


def _copy_pack(pack: GitPack, target: Repository) -> None:
    with (
        pack.path.open("rb") as file,
        pack.path.with_suffix(".idx").open("rb") as index_file,
        target.quarantine() as copy,
        target.quarantine() as index,
    ):
        trailer = _copy_hashed(file, copy, pack)
        # An index ends with the checksum of its pack, and its own.
        content = index_file.read()
        own = hashlib.sha1(content[:-_TRAILER], usedforsecurity=False).digest()
        if content[-2 * _TRAILER :] != trailer + own:
            raise CorruptRepository(pack.path.name, "its index has another checksum")
        index.write(content)
        target.publish(copy, index, pack.path.stem.removeprefix("pack-"))


def _copy_hashed(file: BinaryIO, copy: TempFile, pack: GitPack) -> bytes:
    digest = hashlib.sha1(usedforsecurity=False)
    left = pack.size - _TRAILER
    while left > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
        digest.update(chunk)
        copy.write(chunk)
        left -= len(chunk)
    trailer = file.read()
    if left or trailer != digest.digest():
        raise CorruptRepository(pack.path.name, "has another checksum")
    copy.write(trailer)
    return trailer


def _copy_blobs(
    page: Sequence[Pointer], source: BlobStorage, target: BlobStorage, done: Copied
) -> list[tuple[str, str]]:
    missing = target.missing(pointer.oid for pointer in page)
    wanted = [pointer for pointer in page if pointer.oid in missing]
    small = [pointer for pointer in wanted if pointer.size < PACKED_LIMIT]
    large = [pointer for pointer in wanted if pointer.size >= PACKED_LIMIT]
    damage: list[tuple[str, str]] = []
    if small:
        damage += _copy_small(small, source, target)
    for pointer in large:
        try:
            target.receive(pointer, source.iter_blob(pointer))
        except IntegrityError as error:
            damage.append(_told(pointer.oid, error))
    done.blobs += len(wanted) - len(damage)
    lost = {what for what, _ in damage}
    done.size += sum(pointer.size for pointer in wanted if f"blob {pointer.oid}" not in lost)
    return damage


def _copy_small(small: Sequence[Pointer], source: BlobStorage, target: BlobStorage) -> list[tuple[str, str]]:
    try:
        # In the order in which they lie, many to a read; what came before a damaged one is kept.
        target.receive_many(_framed(small, source))
    except (CorruptBlob, MissingBlob) as error:
        # It may have been set aside just now: asked again, it would only be gone.
        damage = [_told(Oid(error.oid), error)]
        left = target.missing(pointer.oid for pointer in small if pointer.oid != error.oid)
        target.receive_many(_one_by_one([pointer for pointer in small if pointer.oid in left], source, damage))
        return damage
    return []


def _framed(pointers: Sequence[Pointer], source: BlobStorage) -> Iterator[tuple[Pointer, bytes]]:
    reader = _Chunks(source.iter_frames(pointers))
    for frame, content in read_frames(reader.read, PACKED_LIMIT, "the storage"):
        yield Pointer(frame.oid, frame.size), content


def _one_by_one(
    pointers: Iterable[Pointer], source: BlobStorage, damage: list[tuple[str, str]]
) -> Iterator[tuple[Pointer, bytes]]:
    for pointer in pointers:
        try:
            content = b"".join(source.iter_blob(pointer))
        except IntegrityError as error:
            damage.append(_told(pointer.oid, error))
            continue
        yield pointer, content


def _told(oid: Oid, error: IntegrityError) -> tuple[str, str]:
    what = f"blob {oid}"
    if isinstance(error, MissingBlob):
        return what, "is gone"
    return what, error.message.removeprefix(f"{what}: ")


class _Chunks:
    """Reads chunks as if they were a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = b""

    def read(self, size: int) -> bytes:
        if not self._held:
            self._held = next(self._chunks, b"")
        part, self._held = self._held[:size], self._held[size:]
        return part
