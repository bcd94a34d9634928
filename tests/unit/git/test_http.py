"""The HTTP transport: what a server says is taken for no more than it is, and never without a limit."""

from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path

import pytest

from aimdvc.errors import AimdvcError, ProtocolError, RefMoved, RemoteRefused
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


ADVERTISEMENT = "application/x-git-upload-pack-advertisement"
SERVICE = packet(b"# service=git-upload-pack\n") + b"0000"
BAD_ADVERTISEMENTS: dict[str, tuple[str, bytes, type[AimdvcError], str]] = {
    "a page": ("text/html", b"<html>", ProtocolError, "no Git repository"),
    "no service": (ADVERTISEMENT, packet(b"hello\n"), ProtocolError, "doesn't name its service"),
    "nothing": (ADVERTISEMENT, b"", ProtocolError, "doesn't name its service"),
    "an error": (ADVERTISEMENT, SERVICE + packet(b"ERR go \x1b away\n"), RemoteRefused, "go   away"),
    "no id": (ADVERTISEMENT, SERVICE + packet(b"xyz refs/heads/main\n"), ProtocolError, "advertised as 'xyz'"),
    "no length": (ADVERTISEMENT, SERVICE + b"zzzz", ProtocolError, "begins with"),
    "length 3": (ADVERTISEMENT, SERVICE + b"0003", ProtocolError, "of length 3"),
    "cut": (ADVERTISEMENT, SERVICE + b"00ff1111", ProtocolError, "was cut"),
}


@pytest.mark.parametrize("kind", BAD_ADVERTISEMENTS)
def test_what_is_no_advertisement_is_refused(kind: str) -> None:
    media, body, error, message = BAD_ADVERTISEMENTS[kind]
    with pytest.raises(error, match=message) as told:
        HttpTransport(Server(media, body), "https://host/r").read_refs(False)
    assert told.value.message.isprintable()


def test_more_refs_than_anybody_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimdvc.git.http._REF_LIMIT", 3)
    with pytest.raises(ProtocolError, match="more than 3 refs"):
        advertised(*(ONE.encode() + b" refs/heads/b%d" % number for number in range(5))).read_refs(False)


BAD_PACKS: dict[str, tuple[bytes, type[AimdvcError], str]] = {
    "nothing": (b"", ProtocolError, "no pack was sent"),
    "an error": (packet(b"ERR not yours\n"), RemoteRefused, "not yours"),
    "an error in its band": (packet(b"NAK\n") + packet(b"\3too much\n"), RemoteRefused, "too much"),
    "no band": (packet(b"NAK\n") + packet(b"\7x"), ProtocolError, "in no band"),
    "an empty packet": (packet(b"NAK\n") + packet(b""), ProtocolError, "in no band"),
    "no pack": (packet(b"NAK\n") + packet(b"\1junk" * 20) + b"0000", ProtocolError, "pack"),
}


@pytest.mark.parametrize("kind", BAD_PACKS)
def test_what_is_no_pack_is_refused(tmp_path: Path, kind: str) -> None:
    body, error, message = BAD_PACKS[kind]
    with History.create(tmp_path / "r.git", Disk()) as history:
        transport = HttpTransport(Server("application/x-git-upload-pack-result", body), "https://host/r")
        with pytest.raises(error, match=message):
            transport.fetch(history, [ONE], Silent())
        assert not list((history.path / "objects/pack").iterdir())


BAD_DEPTHS: dict[str, tuple[bytes, type[AimdvcError], str]] = {
    "no ends": (packet(b"NAK\n"), ProtocolError, "where commits were expected"),
    "no commit": (packet(b"shallow xyz"), ProtocolError, "where commits were expected"),
    "an error": (packet(b"ERR no depth\n"), RemoteRefused, "no depth"),
    "cut": (packet(b"shallow " + ONE.encode()) + b"00ff", ProtocolError, "was cut"),
    "too many": (b"".join(packet(b"shallow %040d" % number) for number in range(5)), ProtocolError, "more than 3"),
}


@pytest.mark.parametrize("kind", BAD_DEPTHS)
def test_what_is_no_end_of_a_history_is_refused(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimdvc.git.http._REF_LIMIT", 3)
    body, error, message = BAD_DEPTHS[kind]
    with History.create(tmp_path / "r.git", Disk()) as history:
        transport = HttpTransport(Server("application/x-git-upload-pack-result", body), "https://host/r")
        with pytest.raises(error, match=message):
            transport.fetch(history, [ONE], Silent(), depth=1)
        assert not history.shallow


def test_a_history_goes_on_only_where_its_commits_came(tmp_path: Path) -> None:
    who = Signature("A", "a@example.org", 1, 0)
    with History.create(tmp_path / "r.git", Disk()) as history:
        with history.writer() as writer:
            tree = writer.tree(None, {"a": (int(Mode.FILE), writer.blob(b"a"))})
            tip = writer.commit(CommitDraft(tree, (ONE,), who, who, "m"))
        history.end_at({tip})
        history.move_refs([RefUpdate("refs/heads/main", None, tip)], "m", who)
        empty = PackWriter(Disk(), tmp_path)
        empty.seal()
        body = packet(b"unshallow " + tip.encode()) + b"0000" + packet(b"NAK\n")
        body += packet(b"\1" + empty.temp.path.read_bytes()) + b"0000"
        empty.discard()
        transport = HttpTransport(Server("application/x-git-upload-pack-result", body), "https://host/r")
        with pytest.raises(ProtocolError, match=f"{ONE} was announced and is not in the pack"):
            transport.fetch(history, [tip], Silent(), depth=3)
        assert set(history.shallow) == {tip}
    with History.open(tmp_path / "r.git", Disk()) as history:
        assert history.commit(tip).parents == ()


REPORTS: dict[str, tuple[bytes, type[AimdvcError], str]] = {
    "the pack is refused": (packet(b"unpack bad object\n"), RemoteRefused, "bad object"),
    "no word": (packet(b"unpack ok\n"), ProtocolError, "no word about 'refs/aliases/a'"),
    "a race": (packet(b"unpack ok\n") + packet(b"ng refs/aliases/a fetch first\n"), RefMoved, "fetch first"),
    "a refusal": (packet(b"unpack ok\n") + packet(b"ng refs/aliases/a hook declined\n"), RemoteRefused, "declined"),
    "a refusal behind another's": (
        packet(b"ng refs/heads/x atomic push failed\n") + packet(b"ng refs/aliases/a hook declined\n"),
        RemoteRefused,
        "refs/aliases/a: hook declined",
    ),
}


@pytest.mark.parametrize("kind", REPORTS)
def test_a_report_is_taken_at_its_word(tmp_path: Path, kind: str) -> None:
    report, error, message = REPORTS[kind]
    body = packet(b"\2told\n") + packet(b"\1" + report + b"0000") + b"0000"
    with History.create(tmp_path / "r.git", Disk()) as history:
        transport = HttpTransport(Server("application/x-git-receive-pack-result", body), "https://host/r")
        with pytest.raises(error, match=message):
            updates = [RefUpdate("refs/aliases/a", ONE, None)]
            transport.push(history, updates, RemoteRefs({}, None, frozenset()), Silent())


def test_a_ref_of_ours_with_a_name_that_none_may_have_is_not_sent(tmp_path: Path) -> None:
    with History.create(tmp_path / "r.git", Disk()) as history:
        server = Server("x", b"")
        with pytest.raises(RefMoved, match="can't have this name"):
            updates = [RefUpdate("refs/heads/a b", ONE, None)]
            HttpTransport(server, "https://host/r").push(history, updates, RemoteRefs({}, None, frozenset()), Silent())
        assert server.sent == b""
