"""Copies of git packs beside a bucket: bounded while a server runs, and never gone under whoever reads them."""

import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.errors import AimdvcError
from aimdvc.fs.disk import Disk
from aimdvc.model.oid import GitId
from aimdvc.server.bucket_packs import BucketPacks
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.pack_copies import PackCopies
from aimdvc.server.s3 import S3Objects, parse_s3_url
from tests.buckets import BucketServer
from tests.contract.git_packs import Made
from tests.contract.server_client import Client, report_of

ARTIFACTS = 6
EACH = 50_000
BOUND = 3 * EACH


@pytest.fixture
def tips(tmp_path: Path, nanio: BucketServer) -> Iterator[tuple[EmbeddedServer, dict[str, GitId]]]:
    """A server with artifacts whose packs have some 50 KB each: by id, a blob that is in it."""
    with EmbeddedServer(tmp_path / "srv", storage_url=nanio.bucket()) as server:
        client = Client(server.url, server.admin_key)
        found = {}
        for number in range(ARTIFACTS):
            made = Made()
            blob = made.blob(random.Random(number).randbytes(EACH))
            commit = made.commit(made.tree([(b"100644", b"README.md", blob)]))
            name = f"a{number}"
            assert report_of(client.push(name, [(None, commit, "refs/heads/b")], made.pack()))[0] == "unpack ok"
            artifact = server.site.catalogue.find_by_path(f"admin/{name}")
            assert artifact is not None
            found[artifact.id] = GitId(blob)
        yield server, found


def machine(server: EmbeddedServer, directory: Path) -> BucketPacks:
    """The packs of the server on another machine, or in another process of it."""
    objects = S3Objects(parse_s3_url(str(server.site.database.storage_url(None))))
    return BucketPacks(objects, server.site.database, PackCopies(directory, Disk(), BOUND), Disk())


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*.pack"))


def test_copies_stay_within_their_bound_while_a_server_runs(
    tips: tuple[EmbeddedServer, dict[str, GitId]], tmp_path: Path
) -> None:
    server, blobs = tips
    packs = machine(server, tmp_path / "m")
    first, *others = blobs
    with packs.repository(first) as used:
        for _ in range(2):
            for artifact in others:
                with packs.repository(artifact) as repository:
                    assert len(repository.read(blobs[artifact])[1]) == EACH
                assert size_of(tmp_path / "m") < BOUND + 2 * EACH
                # It was used longest ago, and is in use.
                used.refresh()
                assert [pack.count for pack in used.packs()] == [3]
    for artifact in others:
        packs.repository(artifact).close()
    assert not list((tmp_path / "m").glob(f"*/{first}.git")), "in use no longer"
    assert not list((tmp_path / "m").glob("evicted-*"))
    # What was not used for a week goes where the rest has room.
    left = next((tmp_path / "m").glob("*/*.git"))
    os.utime(left, (0, 0))
    packs.copies.evict()
    assert not left.exists()


def test_whoever_reads_is_not_disturbed_by_who_evicts(
    tips: tuple[EmbeddedServer, dict[str, GitId]], tmp_path: Path
) -> None:
    server, blobs = tips
    failures: list[BaseException] = []

    def read(seed: int) -> None:
        packs = machine(server, tmp_path / "m")
        chance = random.Random(seed)
        try:
            for _ in range(12):
                artifact = chance.choice(list(blobs))
                with packs.repository(artifact) as repository:
                    packs.copies.evict()
                    assert len(repository.read(blobs[artifact])[1]) == EACH
                    assert len(repository.packs()) == 1
        except (AimdvcError, AssertionError) as error:  # told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
