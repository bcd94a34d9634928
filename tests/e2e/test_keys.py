"""Where keys may be read, and to whom they go. Cases C20 and C21; the session's own tests hold C06 to C08."""

import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell


def test_a_key_is_nowhere_to_be_read(
    shell: Shell, server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case C20: not in what is printed, with `--debug` (which Shell sets) neither, nor in the project."""
    key = server.admin_key or ""
    shell("remote", "add", "origin", server.url)
    shell.write("data/a", "1")
    shell.commit("data")
    said = []
    for line in ("push", "pull", "remote --json", "config --json", "status --json", "version --json"):
        done = shell(*line.split())
        said.append(done.out + done.err)
    monkeypatch.setenv("AIMDVC_API_KEY", key)
    monkeypatch.setenv("AIMDVC_HOST", "http://127.0.0.1:1")
    for line in ("clone http://127.0.0.1:1/x y", f"clone {server.url}/nothing z"):
        done = shell(*line.split(), code=6)
        said.append(done.out + done.err)
    monkeypatch.setenv("AIMDVC_API_KEY", key + " \x1b")
    done = shell("clone", f"{server.url}/nothing", "z", code=2)
    said.append(done.out + done.err)
    assert key and not [text for text in said if key in text]
    kept = [path for path in shell.here.rglob("*") if path.is_file()]
    assert not [path for path in kept if key.encode() in path.read_bytes()]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    place = tmp_path / "certificate.pem"
    made = subprocess.run(
        [
            "openssl",
            *["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=x.example", "-keyout"],
            str(place),
        ],
        check=True,
        capture_output=True,
    )
    with place.open("ab") as file:
        file.write(made.stdout)
    return place


@pytest.mark.parametrize("trust", ["not trusted", "for another host"])
def test_a_server_that_can_not_prove_its_name_gets_no_key(
    shell: Shell, certificate: Path, monkeypatch: pytest.MonkeyPatch, trust: str
) -> None:
    """Case C21."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)

    if trust == "for another host":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        monkeypatch.setattr("aimdvc.remote.session.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setattr(HTTPServer, "handle_error", lambda *_: None)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        url = f"https://127.0.0.1:{server.server_port}/team"
        monkeypatch.setenv("AIMDVC_API_KEY", "very-secret")
        done = shell("clone", f"{url}/data", "x", "--json", code=6).json
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert done["error"] == "remote-unreachable"
    assert "TLS" in done["message"] and "certificate" in done["message"]
    assert seen == []
