"""What docs/deployment.md says: a proxy with TLS before the server, a unit that systemd accepts."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.shell import Shell, files_of, git

TEXT = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text("utf-8")


def block(kind: str) -> str:
    """Returns the first block of a kind."""
    found = re.search(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def nginx(place: Path, port: int, server_port: int) -> Iterator[Path]:
    """Runs nginx with the configuration of the docs on another port; yields the certificate."""
    certificate, key = place / "cert.pem", place / "key.pem"
    wanted = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key)]
    subprocess.run(["openssl", "req", *wanted, *named, "-out", str(certificate)], check=True, capture_output=True)
    site = block("nginx").replace("127.0.0.1:8750", f"127.0.0.1:{server_port}")
    site = site.replace("listen 443", f"listen 127.0.0.1:{port}").replace("aimd.example.org;", "localhost;")
    site = site.replace("/etc/ssl/aimd.example.org.pem", str(certificate))
    site = site.replace("/etc/ssl/private/aimd.example.org.key", str(key))
    paths = "".join(
        f"{name}_temp_path {place}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    settings = place / "nginx.conf"
    settings.write_text(
        f"daemon off; pid {place}/pid; error_log {place}/error.log; user {os.environ.get('USER', 'root')};"
        f"events {{}} http {{ access_log off; {paths} {site} }}"
    )
    command = ["nginx", "-p", str(place), "-e", str(place / "error.log"), "-c", str(settings)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        end_s = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (place / "error.log").read_text()
            assert time.monotonic() < end_s
            time.sleep(0.05)
        yield certificate
    finally:
        process.terminate()
        process.wait()


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_behind_nginx_with_tls_all_works(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    url = f"https://localhost:{port}"
    command = [sys.executable, "-m", "aimdvc", "serve", str(tmp_path / "srv"), "--port", "0", "--json", "--url", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            place = tmp_path / "nginx"
            place.mkdir()
            with nginx(place, port, int(told["url"].rpartition(":")[2])) as certificate:
                shell = Shell(tmp_path / "work")
                shell.here.mkdir()
                shell("init")
                shell.write("data/large", os.urandom(3_000_000))
                shell.write("data/small", "small")
                # Whose certificate it is nobody has said yet.
                assert "TLS" in shell("login", url, typed=told["admin_key"], code=6).err
                monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
                shell("login", url, typed=told["admin_key"])
                shell("remote", "add", "origin", url)
                shell.commit("data")
                shell("push")
                clone = Shell(tmp_path)
                clone("clone", f"{url}/data", str(tmp_path / "clone"))
                assert files_of(tmp_path / "clone") == files_of(tmp_path / "work/data")
                monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
                git(tmp_path, "lfs", "install", "--skip-repo")
                address = url.replace("://", f"://x:{told['admin_key']}@")
                git(tmp_path, "clone", "-q", f"{address}/data", "stock")
                git(tmp_path / "stock", "lfs", "pull")
                assert (tmp_path / "stock/large").read_bytes() == (tmp_path / "work/data/large").read_bytes()
        finally:
            process.terminate()
            process.communicate()
    assert not (tmp_path / "nginx/error.log").read_text().strip()


@pytest.mark.parametrize("url", ["aimd.example.org", "ftp://x", "https://x/path", "https://u:p@x"])
def test_what_is_no_url_of_a_server_is_refused_as_one(tmp_path: Path, url: str) -> None:
    done = Shell(tmp_path)("serve", "srv", "--url", url, code=2)
    assert "is no URL of a server" in done.err


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "aimdvc.service"
    unit.write_text(block("ini").replace("/opt/aimdvc/bin/aimdvc", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "aimdvc.service" in line]
    assert not told


def instruction(name: str) -> str:
    """Returns what the last instruction of a name in the docs' container file says, its lines joined."""
    text = block("dockerfile").replace("\\\n", "")
    return str(re.findall(rf"^{name} (.*)$", text, re.MULTILINE)[-1])


def test_the_container_installs_and_starts_what_is_there() -> None:
    tree, text = Path(__file__).parents[2], block("dockerfile")
    extras = re.search(r"'/src\[([a-z0-9,]+)\]'", text)
    assert extras is not None
    known = (tree / "setup.cfg").read_text()
    assert all(f"\n{extra} =\n" in known for extra in extras[1].split(","))
    copied = re.findall(r"^COPY ([^-].*) \S+$", text, re.MULTILINE)
    assert copied and all((tree / name).exists() for line in copied for name in line.split())
    arguments = json.loads(instruction("ENTRYPOINT"))
    assert Shell(Path.cwd())(*arguments[1:2], "--help", code=0)
    assert all(option in Shell(Path.cwd())("serve", "--help").out for option in arguments if option.startswith("--"))


def test_the_container_has_no_privileges_and_its_data_are_for_its_user_alone() -> None:
    user, group = instruction("USER").split(":")
    text = block("dockerfile")
    assert int(user) > 0 and f"--uid {user} " in text and f"groupadd --gid {group} " in text
    assert re.search(rf"install -d .*-m 0700 {instruction('VOLUME')} ", text)


def test_the_check_of_the_container_tells_a_server_that_answers_from_none(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aimdvc", "serve", "srv", "--port", "0", "--url", "https://aimd.example.org"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, text=True) as process:
        assert process.stdout is not None
        try:
            serving, _, hint = (process.stdout.readline().strip() for _ in range(3))
            assert hint == "Keep it with `aimdvc login https://aimd.example.org`"
            check = json.loads(instruction("HEALTHCHECK").partition(" CMD ")[2])
            check = [sys.executable, *check[1:-1], check[-1].replace("8750", serving.rpartition(":")[2])]
            # Podman gives containers the proxy of the machine.
            env = {**os.environ, "http_proxy": "http://127.0.0.1:1", "no_proxy": ""}
            subprocess.run(check, check=True, env=env)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    assert process.returncode == 0
    assert subprocess.run(check, env=env, stderr=subprocess.DEVNULL).returncode == 1
