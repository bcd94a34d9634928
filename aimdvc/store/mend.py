"""Mends the blob store after damage: whole blobs stay, damaged bytes are moved to `damaged/`, nothing is deleted.

Heals nothing that has to come from elsewhere: that is `ops/repair.py`, which calls this. Every step is whole, so a cut
run is finished by the next.
"""

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from aimdvc.fs.disk import Disk
from aimdvc.fs.system import pread
from aimdvc.model.frames import FRAME, MAGIC, end_frame, frame_header
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.store.blobs import CHUNK, BlobStore
from aimdvc.store.blobwriter import BlobWriter
from aimdvc.store.catalog import scan_pack

_BUFFER = 1 << 20


def damaged_packs(store: BlobStore) -> Iterator[tuple[Path, str]]:
    """Yields the packs whose frames are damaged, with what is wrong. Reads no blob."""
    for path in sorted(store.layout.packs.glob("*.pack")):
        frames, fault = scan_pack(path)
        if not fault and not set(_known(store, path.name)) <= set(frames):
            fault = "a frame names another blob than store.db"
        if fault:
            yield path, fault


def _known(store: BlobStore, name: str) -> Iterator[tuple[Oid, int, int]]:
    return ((row.oid, row.offset, row.size) for row in store.catalog.pack_rows(name))


def mend_pack(store: BlobStore, disk: Disk, name: str) -> int:
    """Writes the whole blobs of a pack into a new one, sets the old one aside, and returns how many there were.

    First the new pack is there, then the catalog leads to it, then the old one goes.
    """
    path = store.layout.packs / name
    kept: list[tuple[Oid, int, int]] = []
    new = f"{os.urandom(16).hex()}.pack"
    with path.open("rb") as file, disk.create_temp(store.layout.temporary) as temp:
        parts, buffered, size = [MAGIC], len(MAGIC), len(MAGIC)
        for oid, offset, length in sorted({*_known(store, name), *scan_pack(path)[0]}, key=lambda one: one[1]):
            content = pread(file.fileno(), length, offset)
            if hashlib.sha256(content).hexdigest() != oid:
                continue
            parts += (frame_header(oid, length), content)
            kept.append((oid, size + FRAME.size, length))
            size += FRAME.size + length
            buffered += FRAME.size + length
            if buffered >= _BUFFER:
                temp.write(b"".join(parts))
                parts, buffered = [], 0
        temp.write(b"".join([*parts, end_frame(len(kept))]))
        if kept:
            disk.publish(temp, store.layout.packs / new, 0o444)
            store.catalog.insert_pack(new, kept)
    disk.make_directory(store.layout.damaged)
    disk.rename(path, store.layout.damaged / name)
    disk.sync_directory(store.layout.damaged)
    disk.sync_directory(store.layout.packs)
    store.catalog.adopt_new_packs()
    return len(kept)


def take_back(store: BlobStore, writer: BlobWriter, wanted: Collection[Pointer]) -> Iterator[tuple[Oid, str]]:
    """Stores those of the wanted blobs that lie elsewhere in the store: in packs that store.db forgot, in `damaged/`.

    Yields each with where it was. Two blobs whose files were swapped are found this way.
    """
    sizes = {pointer.oid: pointer for pointer in wanted}
    for path in sorted(store.layout.packs.glob("*.pack")):
        with path.open("rb") as file:
            for oid, offset, length in scan_pack(path)[0]:
                content = pread(file.fileno(), length, offset) if oid in sizes else b""
                if oid in sizes and hashlib.sha256(content).hexdigest() == oid:
                    writer.add_bytes(content)
                    del sizes[oid]
                    yield oid, f"blob pack '{path.name}', which store.db had forgotten"
    if not sizes or not store.layout.damaged.is_dir():
        return
    for path in sorted(store.layout.damaged.iterdir()):
        if len(path.name) != 64 or path.stat().st_size not in {pointer.size for pointer in sizes.values()}:
            continue
        oid = _hash(path)
        if oid in sizes:
            with path.open("rb", buffering=0) as file:
                writer.receive(sizes.pop(oid), iter(lambda: file.read(CHUNK), b""))
            yield oid, f"'{path}', where it had a wrong name"


def _hash(path: Path) -> Oid:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return Oid(digest.hexdigest())
