"""A process that has published a pack may have to wait for the catalog; what others do with the pack meanwhile."""

from pathlib import Path

from aimdvc.fs.disk import Disk, TempFile
from aimdvc.store.blobs import BlobStore


class Overtaken(Disk):
    """After each publishing another process adopts the pack, adds one of its own, and joins all there are."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def publish(self, temp: TempFile, target: Path, mode: int) -> None:
        super().publish(temp, target, mode)
        with BlobStore(self._root, Disk()) as other:
            add_and_join(other, b"of another process")


def add_and_join(store: BlobStore, content: bytes) -> None:
    with store.writer() as writer:
        writer.add_bytes(content)
    store.sweeper().join(sorted(path.name for path in store.layout.packs.iterdir()))


def test_a_pack_that_others_join_before_its_writer_noted_it_loses_nothing(tmp_path: Path) -> None:
    with BlobStore(tmp_path, Overtaken(tmp_path)) as store:
        with store.writer() as writer:
            oid = writer.add_bytes(b"small").oid
        assert store.read(oid) == b"small"
    with BlobStore(tmp_path, Disk()) as store:
        add_and_join(store, b"later")
        assert store.read(oid) == b"small"
