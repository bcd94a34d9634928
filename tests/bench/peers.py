"""The servers that are measured: ours, nginx with static files, and giftless; and how each is asked."""

import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.cases import Bench
from tests.bench.http import wait_for
from tests.bench.measure import AIMDVC

LFS = "application/vnd.git-lfs+json"
_NGINX = """
daemon off; worker_processes 2; pid {place}/pid; error_log {place}/error.log crit; user root;
events {{ worker_connections 1024; }}
http {{
  access_log {place}/access.log; sendfile on; tcp_nopush on; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path {place}/temporary;
  server {{ listen 127.0.0.1:{port}; location / {{ root {place}/files; dav_methods PUT; create_full_put_path on; }} }}
}}
"""
_PACKAGES = (
    *("giftless", "gunicorn", "flask", "flask-marshmallow", "marshmallow-enum", "marshmallow<4", "webargs"),
    *(
        "flask-classful",
        # 2.10 takes no subject that is not text; giftless signs without one.
        "PyJWT<2.10",
        "python-dotenv",
        "figcan",
        "python-dateutil",
        "pyyaml",
        "cryptography",
        "cachetools",
        "typing-extensions",
    ),
)
"""What giftless needs, which it does not say itself."""

_GIFTLESS = """
TRANSFER_ADAPTERS:
  basic:
    factory: giftless.transfer.basic_streaming:factory
    options:
      storage_class: giftless.storage.local_storage:LocalStorage
      storage_options: {{path: {place}/files}}
AUTH_PROVIDERS:
  - factory: giftless.auth.jwt:factory
    options: {{algorithm: HS256, private_key: some-key-of-the-bench}}
  - giftless.auth.allow_anon:read_write
PRE_AUTHORIZED_ACTION_PROVIDER:
  factory: giftless.auth.jwt:factory
  options: {{algorithm: HS256, private_key: some-key-of-the-bench, default_lifetime: 3600}}
"""


class Ours:
    """The server that is measured, and what it is asked."""

    name = "aimdvc"

    def __init__(self, url: str, key: str, pid: int, log: Path) -> None:
        self.url, self.key, self.pid, self.log = url, key, pid, log
        self.basic = "Basic " + b64encode(f"x:{key}".encode()).decode()

    def batch_path(self, artifact: str) -> str:
        return f"/{artifact}.git/info/lfs/objects/batch"


class Giftless:
    """The peer."""

    name = "giftless"
    basic = ""

    def __init__(self, url: str, pid: int) -> None:
        self.url, self.pid = url, pid

    def batch_path(self, artifact: str) -> str:
        return f"/bench/{artifact}/objects/batch"


Server = Ours | Giftless


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _process(command: Sequence[str], port: int, **more: Any) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    try:
        wait_for(port, process)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def run_nginx(place: Path) -> Iterator[str]:
    (place / "files").mkdir(parents=True)
    port = _free_port()
    (place / "nginx.conf").write_text(_NGINX.format(place=place, port=port))
    place.chmod(0o755)
    command = ["nginx", "-p", str(place), "-e", str(place / "error.log"), "-c", str(place / "nginx.conf")]
    with _process(command, port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def run_aimdvc(bench: Bench) -> Iterator[Ours]:
    log = bench.scratch / "access.log"
    command = [AIMDVC, "serve", str(bench.scratch / "srv"), "--port", "0", "--json", "--access-log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        try:
            yield Ours(told["url"], told["admin_key"], process.pid, log)
        finally:
            process.terminate()


@contextmanager
def run_granian() -> Iterator[str]:
    """Runs granian as `aimdvc serve` does, but with an application that does nothing; yields its URL."""
    port = _free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--log-level", "error"]
    command += ["--workers", "2", "--blocking-threads", "64", "--port", str(port)]
    with _process([*command, "tests.bench.fixed:application"], port, cwd=Path(__file__).parents[2]):
        yield f"http://127.0.0.1:{port}"


def giftless_python(bench: Bench) -> str | None:
    """Returns a Python with giftless, in an environment of its own; None where it can't be installed."""
    place = bench.scratch / "giftless-env"
    try:
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, capture_output=True)
        python = str(place / "bin/python")
        subprocess.run([python, "-m", "pip", "install", "-q", *_PACKAGES], check=True, capture_output=True)
        subprocess.run([python, "-c", "import giftless.app"], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        print("giftless: not installed")
        return None
    return python


@contextmanager
def run_giftless(place: Path, python: str) -> Iterator[Giftless]:
    (place / "files").mkdir(parents=True)
    (place / "giftless.yaml").write_text(_GIFTLESS.format(place=place))
    port = _free_port()
    command = [python, "-m", "gunicorn", "-k", "gthread", "-w", "2", "--threads", "16", "-b", f"127.0.0.1:{port}"]
    environment = {**os.environ, "GIFTLESS_CONFIG_FILE": str(place / "giftless.yaml")}
    with _process([*command, "giftless.wsgi_entrypoint:app"], port, env=environment, cwd=place) as pid:
        yield Giftless(f"http://127.0.0.1:{port}", pid)


def oid_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def request(
    server: Server, method: str, target: str, body: bytes = b"", kind: str = LFS, key: bool = True
) -> tuple[int, bytes]:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    headers = {"Content-Type": kind, "Accept": LFS} if kind == LFS else {"Content-Type": kind}
    if key and server.basic:
        headers["Authorization"] = server.basic
    while True:
        # Who is refused is told so before all of the body is sent.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, target, body, headers)
        reply = connection.getresponse()
        content = reply.read()
        if reply.status != 429:
            connection.close()
            return reply.status, content
        # Too much runs at once: as it says, and as aimdvc and git-lfs do.
        connection.close()
        time.sleep(float(reply.getheader("Retry-After") or 1))


def batch(
    server: Server, artifact: str, operation: str, blobs: Sequence[tuple[str, int]], *transfers: str
) -> dict[str, Any]:
    """Asks for hrefs."""
    found: dict[str, Any] = {"objects": []}
    for start in range(0, len(blobs), 1000):
        wanted = [{"oid": oid, "size": size} for oid, size in blobs[start : start + 1000]]
        message = {"operation": operation, "transfers": list(transfers) or ["basic"], "objects": wanted}
        status, content = request(server, "POST", server.batch_path(artifact), json.dumps(message).encode())
        assert status == 200, content
        answer = json.loads(content)
        found = {**answer, "objects": found["objects"] + answer["objects"]}
    return found


def target_of(href: str) -> str:
    parts = urlsplit(href)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def auth_of(server: Server, action: dict[str, Any]) -> list[str]:
    return [part for name, value in action.get("header", {}).items() for part in ("-H", f"{name}: {value}")]


def with_jwt(action: dict[str, Any]) -> str:
    """Giftless permits by a header, or by the same token in the query, which any load generator can send."""
    header = action.get("header", {}).get("Authorization")
    target = target_of(action["href"])
    if header is None:
        return target
    return f"{target}{'&' if '?' in target else '?'}jwt={header.removeprefix('Bearer ')}"
