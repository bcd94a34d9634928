"""S3-compatible object storage, through botocore, the extra `aimdvc[s3]`; loaded only where it is used.

Credentials come from where AWS's own tools take them (environment, ~/.aws, the machine's role), never from the URL.
Signatures are of version 4. botocore does not try again: the wrappers around this do.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.session import get_session

from aimdvc.errors import DiskFull, StorageError, UsageError
from aimdvc.server.limits import CHUNK_BYTES
from aimdvc.server.objects import Content, Listed, Unavailable

_TIMEOUT_S = 60
_CONNECT_S = 10
_CONNECTIONS = 64
_DELETED_AT_ONCE = 1000
_AGAIN = frozenset({"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "503", "500", "502", "504"})
_FULL = frozenset({"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "507"})
_NOTHING = frozenset({"NoSuchKey", "404", "NotFound"})
_HINT = "write s3://BUCKET/PREFIX, with ?endpoint=URL for a service that is not AWS's"


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket and what all keys in it begin with, "" or ending in a slash; `endpoint` is None for AWS."""

    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None


def parse_s3_url(url: str) -> S3Place:
    """Returns what `s3://BUCKET/PREFIX?endpoint=URL&region=NAME` means. Raises UsageError."""
    parts = urlsplit(url)
    query = parse_qs(parts.query, keep_blank_values=True)
    if parts.scheme != "s3" or not parts.hostname or parts.username or parts.port or parts.fragment:
        # It may hold a secret: it is not repeated.
        raise UsageError("the storage is no s3:// URL of a bucket", hint=_HINT)
    unknown = query.keys() - {"endpoint", "region"}
    if unknown or any(len(values) > 1 for values in query.values()):
        raise UsageError("the storage's URL has options that are not known, or come twice", hint=_HINT)
    endpoint = query["endpoint"][0] if "endpoint" in query else None
    if endpoint is not None and urlsplit(endpoint).scheme not in ("http", "https"):
        raise UsageError("the storage's endpoint is no http or https URL", hint=_HINT)
    prefix = parts.path.strip("/")
    region = query["region"][0] if "region" in query else None
    return S3Place(parts.netloc, f"{prefix}/" if prefix else "", endpoint, region)


class S3Objects:
    """One bucket of an S3-compatible service; safe for many threads."""

    def __init__(self, place: S3Place) -> None:
        """Connects to nothing yet. Raises UsageError where there are no credentials."""
        self._bucket = place.bucket
        self._prefix = place.prefix
        self.name = f"s3://{place.bucket}/{place.prefix}"
        session = get_session()
        with self._mapped():
            if session.get_credentials() is None:
                raise UsageError(
                    f"there are no credentials for '{self.name}'",
                    hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what AWS's tools read",
                )
            self._client: Any = session.create_client(
                "s3",
                # Others than AWS seldom mind, and one is needed to sign.
                region_name=place.region or session.get_config_variable("region") or "us-east-1",
                endpoint_url=place.endpoint,
                config=Config(
                    signature_version="s3v4",
                    connect_timeout=_CONNECT_S,
                    read_timeout=_TIMEOUT_S,
                    retries={"total_max_attempts": 1},
                    max_pool_connections=_CONNECTIONS,
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    # Every request tells the SHA-256 of its body, which services compare, over https, too.
                    s3={"addressing_style": "path" if place.endpoint else "auto", "payload_signing_enabled": True},
                ),
            )

    def put(self, key: str, content: Content) -> None:
        """See Objects."""
        with self._mapped():
            self._client.put_object(**self._named(key), Body=_rewound(content))

    def begin(self, key: str) -> str:
        """See Objects."""
        with self._mapped():
            return str(self._client.create_multipart_upload(**self._named(key))["UploadId"])

    def put_part(self, key: str, upload: str, number: int, content: Content) -> str:
        """See Objects."""
        with self._mapped():
            done = self._client.upload_part(
                **self._named(key), UploadId=upload, PartNumber=number, Body=_rewound(content)
            )
        return str(done["ETag"])

    def complete(self, key: str, upload: str, tags: Sequence[str]) -> None:
        """See Objects."""
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        with self._mapped():
            self._client.complete_multipart_upload(
                **self._named(key), UploadId=upload, MultipartUpload={"Parts": parts}
            )

    def abort(self, key: str, upload: str) -> None:
        """See Objects."""
        with self._mapped(), _fine("NoSuchUpload", "404", "NotFound"):
            self._client.abort_multipart_upload(**self._named(key), UploadId=upload)

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See Objects."""
        if end is not None and end <= start:
            return
        wanted = {} if (start, end) == (0, None) else {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        with self._mapped(key):
            body = self._client.get_object(**self._named(key), **wanted)["Body"]
            try:
                yield from body.iter_chunks(CHUNK_BYTES)
            finally:
                body.close()

    def size(self, key: str) -> int | None:
        """See Objects."""
        try:
            with self._mapped(key):
                return int(self._client.head_object(**self._named(key))["ContentLength"])
        except KeyError:
            return None

    def copy(self, source: str, target: str) -> None:
        """See Objects."""
        with self._mapped(source):
            place = {"Bucket": self._bucket, "Key": self._prefix + source}
            self._client.copy_object(**self._named(target), CopySource=place)

    def delete(self, keys: Iterable[str]) -> None:
        """See Objects."""
        pending = iter(keys)
        while group := list(islice(pending, _DELETED_AT_ONCE)):
            with self._mapped():
                done = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": self._prefix + key} for key in group], "Quiet": True},
                )
            if done.get("Errors"):
                raise Unavailable(self.name, f"could not delete: {done['Errors'][0].get('Code', '')}")

    def iter_keys(self, prefix: str) -> Iterator[Listed]:
        """See Objects."""
        with self._mapped():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for one in page.get("Contents", ()):
                    key = str(one["Key"]).removeprefix(self._prefix)
                    yield Listed(key, int(one["Size"]), one["LastModified"].timestamp())

    def iter_begun(self, prefix: str) -> Iterator[tuple[str, str, float]]:
        """See Objects."""
        with self._mapped():
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for one in page.get("Uploads", ()):
                    key = str(one["Key"]).removeprefix(self._prefix)
                    yield key, str(one["UploadId"]), one["Initiated"].timestamp()

    def href(self, method: str, key: str, size: int, lifetime_s: int) -> str:
        """See Objects. What is signed: method, key, expiry, and of a PUT the Content-Length."""
        parameters: dict[str, object] = self._named(key)
        if method == "PUT":
            parameters["ContentLength"] = size
        with self._mapped():
            return str(
                self._client.generate_presigned_url(
                    "put_object" if method == "PUT" else "get_object", parameters, ExpiresIn=lifetime_s
                )
            )

    def _named(self, key: str) -> dict[str, object]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    @contextmanager
    def _mapped(self, key: str | None = None) -> Iterator[None]:
        """Maps what botocore raises; with a key, KeyError where nothing is there."""
        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if key is not None and code in _NOTHING:
                raise KeyError(key) from error
            raise self._failure(code, error) from error
        except (HTTPClientError, EndpointConnectionError, IncompleteReadError) as error:
            raise Unavailable(self.name, "it does not answer") from error
        except BotoCoreError as error:
            raise StorageError(self.name, type(error).__name__) from error

    def _failure(self, code: str, error: ClientError) -> StorageError:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _FULL or status == 507:
            return DiskFull(self.name, "no space left")
        if code in _AGAIN or status in (429, 500, 502, 503, 504):
            return Unavailable(self.name, code)
        if code == "RequestTimeTooSkewed":
            return StorageError(self.name, "its clock and ours differ by too much")
        return StorageError(self.name, code)


def _rewound(content: Content) -> Content:
    if not isinstance(content, bytes):
        content.seek(0)
    return content


@contextmanager
def _fine(*codes: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in codes:
            raise
