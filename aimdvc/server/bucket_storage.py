"""The storage of a server in an S3-compatible bucket: `--storage s3://BUCKET/PREFIX`. Loaded only where it is used.

The directory of the server holds copies of git packs, and parts on their way; it may be lost at any time. So any number
of processes, on any number of machines, serve one bucket and one database.
"""

from contextlib import suppress
from pathlib import Path

from aimdvc.fs.disk import Disk
from aimdvc.server.bucket_blobs import BucketBlobs
from aimdvc.server.bucket_direct import BucketDirect
from aimdvc.server.bucket_index import BucketIndex
from aimdvc.server.bucket_keeping import BucketKeeping
from aimdvc.server.bucket_packs import BucketPacks
from aimdvc.server.database import Database
from aimdvc.server.limiting import Limited
from aimdvc.server.objects import Objects, Unavailable
from aimdvc.server.pack_copies import PackCopies
from aimdvc.server.repositories import Repository
from aimdvc.server.retrying import Retrying
from aimdvc.server.s3 import S3Objects, parse_s3_url

_PLACES = 64


class BucketStorage:
    """See storage.Storage."""

    def __init__(self, objects: Objects, database: Database, directory: Path, disk: Disk) -> None:
        scratch = directory / "scratch"
        disk.make_directory(scratch)
        index = BucketIndex(database)
        self._objects = objects
        copies = PackCopies(directory / "copies", disk)
        copies.evict()
        self._packs = BucketPacks(objects, database, copies, disk)
        self.blobs = BucketBlobs(objects, index, scratch)
        self.direct = BucketDirect(objects, index)
        self.uploads = None
        self.keeping = BucketKeeping(objects, database, index, self.blobs)

    def repository(self, artifact: str) -> Repository:
        """Returns the open git packs of an artifact, made when there are none; close it."""
        return self._packs.repository(artifact)

    def git_size(self) -> tuple[int, int]:
        """Returns how many git packs there are of all artifacts, and how many bytes these have."""
        sizes = [one.size for one in self._objects.iter_keys("git/") if one.key.endswith(".pack")]
        return len(sizes), sum(sizes)

    def drop_artifact(self, artifact: str) -> None:
        """See storage.Storage."""
        self._packs.drop(artifact)

    def check(self) -> None:
        """Raises StorageError where nothing can be read now."""
        # A listing, since asking for one key is answered alike where there is no bucket.
        next(self._objects.iter_keys("aimdvc"), None)

    def close(self) -> None:
        """Holds nothing open."""


def open_bucket(url: str, database: Database, directory: Path, disk: Disk) -> BucketStorage:
    """Returns the storage at an `s3://…` URL. Raises UsageError, and StorageError where the bucket can't be read."""
    objects = Limited(Retrying(S3Objects(parse_s3_url(url))), _PLACES)
    storage = BucketStorage(objects, database, directory, disk)
    # One that does not answer now is waited for; one that will never work is told.
    with suppress(Unavailable):
        storage.check()
    return storage
