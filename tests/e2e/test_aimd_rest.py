"""What AIMD clients upload by REST, seen from the command line; and that the server holds none of it in memory."""

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import aimdvc
from aimdvc.server.embedded import EmbeddedServer
from tests.contract.aimd_client import ARTIFACTS, AimdClient
from tests.crash.serving import Served
from tests.shell import Shell

MIB = 1 << 20


def test_what_an_aimd_client_uploads_is_an_artifact_like_any_other(
    shell: Shell, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = AimdClient(server.url, server.admin_key or "")
    folder = alice.make_folder("default")
    first = alice.upload(folder, "digits", {"a.csv": b"1\n" * 9, "d/b.bin": b"b" * 90_000}, description="Digits")
    second = alice.upload(folder, "digits", {"a.csv": b"2\n" * 9, "c.md": b"# c\n"}, aliases=["prod"])
    shell("clone", f"{server.url}/default/digits", "clone")
    here = Shell(shell.here / "clone")
    told = here("log", "--json").json["versions"]
    assert [(one["version"], one["commit"]["id"]) for one in told] == [
        ("v2", second["commit"]),
        ("v1", first["commit"]),
    ]
    assert (here.here / "a.csv").read_bytes() == b"2\n" * 9
    changed = here("diff", "@v1", "@prod").out
    assert all(name in changed for name in ("a.csv", "d/b.bin", "c.md"))
    here("fsck")
    # In Python, too: by id and by reference.
    monkeypatch.chdir(shell.here)
    aimdvc.login(server.url, server.admin_key)
    for grabbed in (
        aimdvc.grab_artifact(artifact_ref="default/digits:v1"),
        aimdvc.grab_artifact(artifact_id=first["metadata"]["id"]),
    ):
        assert (grabbed.id, grabbed.version, grabbed.commit) == (first["metadata"]["id"], "v1", first["commit"])
        grabbed.download()
        assert Path(str(grabbed.local_path("d/b.bin"))).read_bytes() == b"b" * 90_000


@pytest.mark.timeout(120)
def test_an_aimd_client_s_upload_is_never_held_whole(tmp_path: Path) -> None:
    served = Served(tmp_path / "srv")
    served.start()
    try:
        alice = AimdClient(served.client.url, served.key)
        name = alice.begin(alice.make_folder("default"), "large")
        alice.send(name, "small", b"1")
        before = peak_mib(served)
        head = b'--b\r\nContent-Disposition: form-data; name="content"; filename="f"\r\n\r\n'
        form = {"Content-Type": "multipart/form-data; boundary=b"}
        told = send(alice, "POST", f"{name}/objects?key=form", form, head, 90, b"\r\n--b--\r\n")
        assert told["size_bytes"] == 90 * MIB
        upload = alice.post(f"{ARTIFACTS}/{name}/multipart", key="parts").json()["uploadId"]
        path = f"{name}/multipart/{upload}?key=parts"
        etags = [send(alice, "PUT", f"{path}&partNum={n}", {}, b"", 110, b"%d" % n)["etag"] for n in (1, 2)]
        parts = [{"etag": etag, "partNumber": number} for number, etag in enumerate(etags, 1)]
        whole = alice.post(f"{ARTIFACTS}/{path}", json={"parts": parts})
        assert whole.json()["size_bytes"] == 220 * MIB + 2
        assert alice.finalize(name).status_code == 200
        with alice.request("GET", f"{ARTIFACTS}/{name}/objects", {"key": "parts"}, stream=True) as reply:
            assert sum(map(len, reply.iter_content(MIB))) == 220 * MIB + 2
        assert peak_mib(served) - before < 60
    finally:
        served.stop()


def send(
    client: AimdClient, method: str, path: str, headers: dict[str, str], head: bytes, mebibytes: int, tail: bytes
) -> dict[str, int]:
    """Sends a body as it is made, with its length said before; returns the answer."""
    place = urlsplit(client.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    length = str(len(head) + mebibytes * MIB + len(tail))
    url = f"{ARTIFACTS}/{path}&apikey={client.key}"

    def body() -> Iterator[bytes]:
        yield head
        for number in range(mebibytes):
            yield bytes([number]) * MIB
        yield tail

    try:
        connection.request(method, url, body(), {**headers, "Content-Length": length})
        reply = connection.getresponse()
        content = reply.read()
        assert reply.status == 200, content
        return dict(json.loads(content))
    finally:
        connection.close()


def peak_mib(served: Served) -> float:
    """Returns the most memory that a process of the server ever had, in MiB."""
    peaks = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
            command = (status.parent / "cmdline").read_bytes()
        except OSError:  # It has ended since.
            continue
        found = re.search(r"VmHWM:\s+([0-9]+) kB", text)
        if found is not None and str(served.directory).encode() in command:
            peaks.append(int(found[1]) / 1024)
    return max(peaks)
