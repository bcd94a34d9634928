"""A server whose blobs lie in a bucket: large ones go there straight, and are checked before they count."""

import json
import os
import re
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from aimdvc.errors import MissingBlob, StorageError, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.model.frames import PACKED_LIMIT
from aimdvc.server.bucket_storage import open_bucket
from aimdvc.server.database import Database
from aimdvc.server.embedded import EmbeddedServer
from tests.buckets import BucketServer
from tests.contract.server_client import LFS, Client, Reply, first_version, pointer_of

LARGE = sha256(b"large").digest() * (PACKED_LIMIT // 32)


@pytest.fixture(params=["nanio", "moto"])
def bucket(request: pytest.FixtureRequest) -> BucketServer:
    made: BucketServer = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def server(tmp_path: Path, bucket: BucketServer) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "srv", storage_url=bucket.bucket()) as running:
        yield running


@pytest.fixture
def client(server: EmbeddedServer) -> Client:
    return Client(server.url, server.admin_key)


def actions(client: Client, artifact: str, content: bytes) -> dict[str, dict[str, str]]:
    """Returns what a batch for upload says of a blob."""
    answer = client.batch(artifact, "upload", [pointer_of(content)]).json()["objects"][0]
    found: dict[str, dict[str, str]] = answer.get("actions", {})
    return found


def verify(client: Client, href: str, content: bytes) -> Reply:
    message = json.dumps({"oid": pointer_of(content).oid, "size": len(content)}).encode()
    return client.request("POST", href, message, {"Content-Type": LFS}, key=False)


def keys(server: EmbeddedServer, bucket: BucketServer) -> list[str]:
    """Returns what lies in the bucket, without its prefix."""
    url = str(server.site.database.storage_url(None))
    found = bucket.client().list_objects_v2(Bucket=urlsplit(url).netloc).get("Contents", [])
    return [str(one["Key"]).removeprefix("some/prefix/") for one in found]


def test_a_large_blob_never_goes_through_the_server(
    client: Client, server: EmbeddedServer, bucket: BucketServer
) -> None:
    said = actions(client, "a", LARGE)
    assert said["upload"]["href"].startswith(f"{bucket.endpoint}/")
    assert said["verify"]["href"].startswith(f"{server.url}/")
    assert client.request("PUT", said["upload"]["href"], LARGE, key=False).status == 200
    # It counts when it was verified, not before.
    assert client.batch("a", "download", [pointer_of(LARGE)]).json()["objects"][0]["error"]["code"] == 404
    assert verify(client, said["verify"]["href"], LARGE).status == 200
    assert verify(client, said["verify"]["href"], LARGE).status == 200
    given = client.batch("a", "download", [pointer_of(LARGE)]).json()["objects"][0]["actions"]["download"]
    assert given["href"].startswith(f"{bucket.endpoint}/") and given["header"] == {}
    reply = client.request("GET", given["href"], headers={"Range": "bytes=32-95"}, key=False)
    assert (reply.status, reply.body) == (206, LARGE[32:96])
    assert client.request("GET", given["href"], key=False).body == LARGE
    assert [key.split("-")[0] for key in keys(server, bucket)] == [
        f"blobs/{pointer_of(LARGE).oid[:2]}/{pointer_of(LARGE).oid}"
    ]


def test_other_bytes_never_count(client: Client, server: EmbeddedServer, bucket: BucketServer) -> None:
    said = actions(client, "a", LARGE)
    assert verify(client, said["verify"]["href"], LARGE).status == 404
    assert client.request("PUT", said["upload"]["href"], LARGE[:-1] + b"!", key=False).status == 200
    assert verify(client, said["verify"]["href"], LARGE).status == 422
    assert keys(server, bucket) == []
    # What counted is out of reach of an href that is still good.
    assert client.request("PUT", said["upload"]["href"], LARGE, key=False).status == 200
    assert verify(client, said["verify"]["href"], LARGE).status == 200
    assert client.request("PUT", said["upload"]["href"], LARGE[:-1] + b"!", key=False).status == 200
    given = client.batch("a", "download", [pointer_of(LARGE)]).json()["objects"][0]["actions"]["download"]
    assert client.request("GET", given["href"], key=False).body == LARGE
    assert verify(client, said["verify"]["href"], LARGE).status == 422


def test_another_artifact_gets_nothing_for_an_oid_alone(client: Client) -> None:
    client.upload("a", LARGE)
    said = actions(client, "b", LARGE)
    assert verify(client, said["verify"]["href"], LARGE).status == 404
    assert client.batch("b", "download", [pointer_of(LARGE)]).json()["objects"][0]["error"]["code"] == 404
    assert client.request("PUT", said["upload"]["href"], LARGE, key=False).status == 200
    assert verify(client, said["verify"]["href"], LARGE).status == 200
    assert "actions" in client.batch("b", "download", [pointer_of(LARGE)]).json()["objects"][0]


def test_an_href_is_for_one_method_one_key_one_size_and_some_minutes(tmp_path: Path, nanio: BucketServer) -> None:
    with EmbeddedServer(tmp_path / "srv", storage_url=nanio.bucket()) as server:
        client = Client(server.url, server.admin_key)
        href = actions(client, "a", LARGE)["upload"]["href"]
        query = parse_qs(urlsplit(href).query)
        assert 0 < int(query["X-Amz-Expires"][0]) <= 15 * 60
        assert "content-length" in query["X-Amz-SignedHeaders"][0].split(";")
        for wrong, body in ((href, LARGE + b"!"), (href, LARGE[:-32]), (re.sub("incoming/", "blobs/", href), LARGE)):
            assert client.request("PUT", wrong, body, key=False).status == 403
        assert client.request("GET", href, key=False).status == 403
        assert client.request("PUT", href, LARGE, key=False).status == 200
        place = f"incoming/{server.site.catalogue.find_by_path('admin/a').id}/{pointer_of(LARGE).oid}"  # type: ignore[union-attr]
        late = server.site.storage.direct._objects.href("GET", place, len(LARGE), 1)  # type: ignore[union-attr]
        assert client.request("GET", late, key=False).status == 200
        time.sleep(2.1)
        assert client.request("GET", late, key=False).status == 403


def test_a_blob_that_is_gone_from_the_bucket_is_asked_for_again(
    client: Client, server: EmbeddedServer, bucket: BucketServer
) -> None:
    small = b"small" * 100
    for content in (LARGE, small):
        pointer = client.upload("a", content)[0]
        assert actions(client, "a", content) == {}
        (key,) = [key for key in keys(server, bucket) if pointer.oid in key]
        url = urlsplit(str(server.site.database.storage_url(None)))
        bucket.client().delete_object(Bucket=url.netloc, Key=f"some/prefix/{key}")
        with pytest.raises(MissingBlob):
            b"".join(server.site.storage.blobs.iter_blob(pointer))
        assert "upload" in actions(client, "a", content)
        client.upload("a", content)
        assert b"".join(server.site.storage.blobs.iter_blob(pointer)) == content


def test_what_a_machine_holds_may_be_lost(tmp_path: Path, bucket: BucketServer, postgres: "object") -> None:
    url = bucket.bucket()
    database = postgres.database()  # type: ignore[attr-defined]
    with EmbeddedServer(tmp_path / "one", database_url=database, storage_url=url) as one:
        key = one.admin_key
        commit = first_version(Client(one.url, key))
    # The database remembers the storage.
    with EmbeddedServer(tmp_path / "two", database_url=database) as two:
        client = Client(two.url, key)
        assert client.refs("a")["refs/tags/v1"] == commit
        assert client.request("GET", "/api/v1/objects/admin/a?rev=v1").status in (200, 404)
        with two.site.storage.repository(two.site.catalogue.find_by_path("admin/a").id) as repository:  # type: ignore[union-attr]
            assert len(repository.packs()) == 1
    (copy,) = (tmp_path / "two/copies").glob("*/*.git")
    os.utime(copy, (0, 0))
    with EmbeddedServer(tmp_path / "two", database_url=database) as again:
        assert not copy.exists()
        assert Client(again.url, key).refs("a")["refs/tags/v1"] == commit


def test_a_storage_is_not_exchanged_under_a_server(tmp_path: Path, bucket: BucketServer) -> None:
    url = bucket.bucket()
    with EmbeddedServer(tmp_path / "srv", storage_url=url) as server:
        first_version(Client(server.url, server.admin_key))
    with pytest.raises(UsageError, match="blobs are kept in"):
        EmbeddedServer(tmp_path / "srv", storage_url=bucket.bucket())
    with EmbeddedServer(tmp_path / "local") as server:
        first_version(Client(server.url, server.admin_key))
    with pytest.raises(UsageError, match="blobs are kept in its directory"):
        EmbeddedServer(tmp_path / "local", storage_url=url)
    EmbeddedServer(tmp_path / "srv", storage_url=f"{url}&unknown=1".replace("&unknown=1", "")).close()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://bucket/x", "no s3:// URL"),
        ("s3://key:secret@bucket/x", "no s3:// URL"),
        ("s3:///x", "no s3:// URL"),
        ("s3://bucket?endpoint=ftp://x", "no http or https"),
        ("s3://bucket?secret=1", "not known"),
    ],
)
def test_what_is_no_bucket_is_told_and_no_secret_with_it(tmp_path: Path, url: str, told: str) -> None:
    database = Database(tmp_path / "server.db")
    with pytest.raises(UsageError, match=told) as raised:
        open_bucket(url, database, tmp_path, Disk())
    assert "secret" not in raised.value.message
    database.close()


def test_a_bucket_that_is_not_there_is_told_at_the_start(tmp_path: Path, bucket: BucketServer) -> None:
    with pytest.raises(StorageError, match="s3://no-such"):
        EmbeddedServer(tmp_path / "srv", storage_url=f"s3://no-such/x?endpoint={bucket.endpoint}")
