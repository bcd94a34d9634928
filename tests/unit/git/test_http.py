"""The HTTP transport: what a server says is taken for no more than it is, and never without a limit."""

from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path

import pytest

from aimdvc.errors import ProtocolError
from aimdvc.fs.disk import Disk
from aimdvc.git.history import History
from aimdvc.git.http import HttpTransport
from aimdvc.git.packs import PackWriter
from aimdvc.git.transport import HttpReply, RemoteRefs
from aimdvc.model.commits import CommitDraft, RefUpdate, Signature
from aimdvc.model.entries import Mode
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


def test_a_tip_that_is_broken_here_is_fetched_without_counting_on_what_is_here(tmp_path: Path) -> None:
    who = Signature("A", "a@example.org", 1, 0)
    with History.create(tmp_path / "theirs.git", Disk()) as theirs, History.create(tmp_path / "r.git", Disk()) as ours:
        with theirs.writer() as writer:
            tree = writer.tree(None, {"a": (int(Mode.FILE), writer.blob(b"a"))})
            tip = writer.commit(CommitDraft(tree, (), who, who, "m"))
        with ours.writer() as writer:
            assert writer.commit(CommitDraft(tree, (), who, who, "m")) == tip
        ours.move_refs([RefUpdate("refs/heads/main", None, tip)], "m", who)
        pack = PackWriter(Disk(), tmp_path)
        for git_id in theirs.iter_missing_objects([tip], []):
            pack.add(*theirs.read_object(git_id), git_id)
        pack.seal()
        body = packet(b"NAK\n") + packet(b"\1" + pack.temp.path.read_bytes()) + b"0000"
        pack.discard()
        server = Server("application/x-git-upload-pack-result", body)
        HttpTransport(server, "https://host/r").fetch(ours, [tip], Silent())
        assert f"want {tip}".encode() in server.sent
        assert b"have" not in server.sent
        assert ours.is_whole_tip(tip)
