"""Many small blobs out of a bucket: right whatever is read ahead, which is bounded for all that read together."""

from collections.abc import Generator
from contextlib import closing

import pytest

from aimdvc.server.bucket_index import Place
from aimdvc.server.bucket_reading import Ahead, iter_contents
from aimdvc.server.s3 import S3Objects, parse_s3_url
from tests.buckets import BucketServer
from tests.contract.server_client import pointer_of

SIZE = 100_000
CONTENTS = [bytes([number]) * SIZE for number in range(80)]


@pytest.fixture
def objects(nanio: BucketServer) -> S3Objects:
    made = S3Objects(parse_s3_url(nanio.bucket()))
    made.put("pack", b"".join(CONTENTS))
    made.put("alone", CONTENTS[0])
    return made


def places() -> list[Place]:
    """Returns where the blobs lie, out of order: in a pack, alone, and one in a key that is gone."""
    packed = [Place(pointer_of(content).oid, SIZE, "pack", at * SIZE) for at, content in enumerate(CONTENTS)]
    return [*packed[::-1], Place(packed[0].oid, SIZE, "alone", None), Place(packed[1].oid, SIZE, "gone", None)]


@pytest.mark.parametrize("room", [0, 1 << 20, 32 << 20])
def test_all_come_in_order_whatever_room_there_is_to_read_ahead(objects: S3Objects, room: int) -> None:
    ahead = Ahead(room)
    found = list(iter_contents(objects, places(), ahead))
    assert [content for _, content in found] == [CONTENTS[0], None, *CONTENTS]
    assert [place.key for place, _ in found] == ["alone", "gone"] + ["pack"] * len(CONTENTS)
    assert ahead.left == room


def begun(objects: S3Objects, ahead: Ahead) -> Generator[object, None, None]:
    """Returns a reading that can be closed before its end."""
    yield from iter_contents(objects, places(), ahead)


def test_what_one_reads_ahead_is_not_there_for_others_until_it_stops(objects: S3Objects) -> None:
    ahead = Ahead(4 << 20)
    with closing(begun(objects, ahead)) as slow:
        for _ in range(3):
            next(slow)
        taken = (4 << 20) - ahead.left
        assert 1 << 20 < taken <= 4 << 20
        # Another one goes on with what is left, and with nothing.
        assert len(list(iter_contents(objects, places(), ahead))) == len(CONTENTS) + 2
        assert (4 << 20) - ahead.left == taken
    assert ahead.left == 4 << 20


def test_blobs_whose_key_is_gone_give_back_what_was_taken(objects: S3Objects) -> None:
    ahead = Ahead()
    whole = ahead.left
    objects.delete(["pack"])
    assert [content for _, content in iter_contents(objects, places(), ahead)].count(None) == len(CONTENTS) + 1
    assert ahead.left == whole
