"""The MD5 of blobs, which AIMD clients know them by: computed when it is asked for, and then remembered."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice

from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.store.blobs import BlobStore
from aimdvc.store.layout import SMALL

_BATCH = 1000


def md5_of(content: bytes) -> str:
    """Returns the MD5 of bytes, in hex digits."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def read_checksums(store: BlobStore, pointers: Iterable[Pointer]) -> dict[Oid, str]:
    """Returns the MD5, in hex digits, of those of the blobs that are here. Raises CorruptBlob."""
    found: dict[Oid, str] = {}
    pending = iter(pointers)
    while batch := list(islice(pending, _BATCH)):
        known = store.catalog.checksums(pointer.oid for pointer in batch)
        missing = store.missing(pointer.oid for pointer in batch if pointer.oid not in known)
        wanted = {one.oid: one for one in batch if one.oid not in known and one.oid not in missing}
        if wanted:
            new = dict(_computed(store, list(wanted.values())))
            store.catalog.keep_checksums(new)
            known.update(new)
        found.update(known)
    return found


def _computed(store: BlobStore, pointers: list[Pointer]) -> Iterator[tuple[Oid, str]]:
    small = [pointer for pointer in pointers if pointer.size < SMALL]
    for pointer, content in store.iter_contents(small):
        yield pointer.oid, md5_of(content)
    for pointer in pointers:
        if pointer.size >= SMALL:
            digest = hashlib.md5(usedforsecurity=False)
            for chunk in store.iter_chunks(pointer.oid):
                digest.update(chunk)
            yield pointer.oid, digest.hexdigest()
