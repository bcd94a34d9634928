"""Real S3-compatible servers for the tests, as processes of their own on a free port."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.session import get_session

KEY_ID = "AIMDTEST"
SECRET = "a-secret-that-signs-requests-of-tests"
REGION = "us-east-1"
KINDS = ("nanio", "moto")
"""nanio checks signatures, also of presigned URLs; moto knows more of what S3 can answer, and checks none."""


class BucketServer:
    """One server, and the buckets in it."""

    def __init__(self, kind: str, directory: Path) -> None:
        self._numbers = count(1)
        self.directory = directory
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.kind = kind
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        environment = {**os.environ, "NANIO_ACCESS_KEY": KEY_ID, "NANIO_SECRET_KEY": SECRET}
        where = ["--host", "127.0.0.1", "--port", str(self.port)]
        if self.kind == "nanio":
            command = ["-m", "nanio", "serve", "--data-dir", str(self.directory), "--no-access-log", *where]
        else:
            command = ["-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end_s = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, f"{self.kind} did not start"
            assert time.monotonic() < end_s, f"{self.kind} does not answer"
            time.sleep(0.05)

    def stop(self) -> None:
        """Kills it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def bucket(self) -> str:
        """Makes an empty bucket and returns its URL, as `serve --storage` takes it."""
        name = f"made-{os.getpid()}-{next(self._numbers)}"
        self.client().create_bucket(Bucket=name)
        return f"s3://{name}/some/prefix?endpoint={self.endpoint}&region={REGION}"

    def client(self) -> Any:
        """Returns a client of botocore's."""
        return get_session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )


_WHY_NOT = {"nanio": "it needs Python 3.11", "moto": "pip install 'aimdvc[test]'"}


@contextmanager
def serving(kind: str) -> Iterator[BucketServer]:
    """A server while the `with` lasts; where it is not installed the test is skipped."""
    if find_spec(kind) is None:
        pytest.skip(f"{kind} is not installed: {_WHY_NOT[kind]}")
    with tempfile.TemporaryDirectory() as place:
        made = BucketServer(kind, Path(place))
        try:
            yield made
        finally:
            made.stop()
