"""Large blobs go straight between client and bucket, by hrefs that the storage itself checks.

Such an href is for one method on one key for some minutes, a PUT for one size. What a client put lies under
`incoming/`, where only its own artifact's href reaches; it is copied to where no href reaches, hashed there, and only
then has its row: what counts was checked, and can't be changed any more.
"""

import hashlib
from collections.abc import Iterable

from aimdvc.errors import CorruptBlob
from aimdvc.model.frames import PACKED_LIMIT
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.bucket_blobs import blob_key
from aimdvc.server.bucket_index import BucketIndex, Place
from aimdvc.server.objects import Objects

_LIMIT = 5 << 30
"""What S3 takes in one PUT, and copies at once; larger ones go through the server."""


class BucketDirect:
    """See storage.Direct."""

    def __init__(self, objects: Objects, index: BucketIndex) -> None:
        self._objects = objects
        self._index = index

    def takes(self, pointer: Pointer) -> bool:
        """Returns whether this blob goes straight."""
        return PACKED_LIMIT <= pointer.size <= _LIMIT

    def upload_href(self, artifact: str, pointer: Pointer, lifetime_s: int) -> str:
        """Returns where a client puts a blob."""
        return self._objects.href("PUT", _incoming(artifact, pointer.oid), pointer.size, lifetime_s)

    def download_hrefs(self, pointers: Iterable[Pointer], lifetime_s: int) -> dict[Oid, str]:
        """Returns where clients get those of the blobs that are here, and go straight."""
        wanted = [pointer.oid for pointer in pointers if self.takes(pointer)]
        return {
            oid: self._objects.href("GET", place.key, place.size, lifetime_s)
            for oid, place in self._index.find(wanted).items()
            if place.offset is None
        }

    def take_in(self, artifact: str, pointer: Pointer) -> bool:
        """Checks what a client put, and makes it count; returns False where nothing is there.

        Safe to repeat. Raises CorruptBlob for other bytes; nothing is kept then.
        """
        incoming = _incoming(artifact, pointer.oid)
        size = self._objects.size(incoming)
        if size is None:
            return False
        try:
            if size != pointer.size:
                raise CorruptBlob(pointer.oid, f"{size} bytes, expected {pointer.size}")
            self._count(incoming, pointer)
        except KeyError:
            return False  # Taken in by another request meanwhile, which claims it.
        except CorruptBlob:
            self._objects.delete([incoming])
            raise
        self._objects.delete([incoming])
        return True

    def _count(self, incoming: str, pointer: Pointer) -> None:
        if self._index.touch([pointer.oid]):
            # It is here: the bytes are only the proof that the artifact has them.
            self._check(incoming, pointer)
            return
        key = blob_key(pointer.oid)
        self._objects.copy(incoming, key)
        try:
            self._check(key, pointer)
        except CorruptBlob:
            self._objects.delete([key])
            raise
        self._index.add([Place(pointer.oid, pointer.size, key, None)])

    def _check(self, key: str, pointer: Pointer) -> None:
        digest = hashlib.sha256()
        size = 0
        for chunk in self._objects.get(key):
            size += len(chunk)
            digest.update(chunk)
        if size != pointer.size or digest.hexdigest() != pointer.oid:
            raise CorruptBlob(pointer.oid, f"{size} bytes with another hash")


def _incoming(artifact: str, oid: Oid) -> str:
    return f"incoming/{artifact}/{oid}"
