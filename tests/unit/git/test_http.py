"""The HTTP transport: what a server says is taken for no more than it is, and never without a limit."""

from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path

import pytest

from aimdvc.errors import ProtocolError
from aimdvc.fs.disk import Disk
from aimdvc.git.history import History
from aimdvc.git.http import HttpTransport
from aimdvc.git.transport import HttpReply, RemoteRefs
from aimdvc.model.commits import RefUpdate
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Silent

ONE, TWO = GitId("1" * 40), GitId("2" * 40)


class Reply:
    """An answer with this body."""

    def __init__(self, kind: str, body: bytes) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {"content-type": kind}
        self._body = BytesIO(body)

    def read(self, size: int) -> bytes:
        return self._body.read(size)

    def close(self) -> None:
        self._body.close()


class Server:
    """Answers everything with one body."""

    def __init__(self, kind: str, body: bytes) -> None:
        self._reply = Reply(kind, body)
        self.sent = b""

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None = None,
        is_repeatable: bool = True,
    ) -> HttpReply:
        self.sent += body if isinstance(body, bytes) else b"".join(body or ())
        return self._reply


def packet(content: bytes) -> bytes:
    return b"%04x%s" % (len(content) + 4, content)


def advertised(*lines: bytes) -> HttpTransport:
    body = packet(b"# service=git-upload-pack\n") + b"0000" + b"".join(packet(line) for line in lines) + b"0000"
    return HttpTransport(Server("application/x-git-upload-pack-advertisement", body), "https://host/r")


def test_where_a_server_does_not_name_its_head_branch_the_usual_names_go_first() -> None:
    lines = [ONE.encode() + b" HEAD\0side-band-64k", *(ONE.encode() + b" refs/heads/" + b for b in (b"a", b"main"))]
    assert advertised(*lines).read_refs(False).head == "refs/heads/main"
    lines[2] = ONE.encode() + b" refs/heads/master"
    assert advertised(*lines).read_refs(False).head == "refs/heads/master"
    lines[2] = TWO.encode() + b" refs/heads/master"
    assert advertised(*lines).read_refs(False).head == "refs/heads/a"


def test_a_report_without_end_is_cut_off(tmp_path: Path) -> None:
    history = History.create(tmp_path / "r.git", Disk())
    endless = packet(b"\1" + b"x" * 60_000) * 40
    transport = HttpTransport(Server("application/x-git-receive-pack-result", endless), "https://host/r")
    with pytest.raises(ProtocolError, match="a report of more than 1048576 bytes"):
        transport.push(history, [RefUpdate("refs/aliases/a", ONE, None)], RemoteRefs({}, None, frozenset()), Silent())
