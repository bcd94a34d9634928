"""Git's smart HTTP, protocol version 0, as a client (Git, gitprotocol-http(5), gitprotocol-pack(5)).

Packs are streamed into a temporary file, checked whole, and only then published. Pushes send a pack of our own writing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from aimdvc.errors import ProtocolError, RefMoved, RemoteRefused
from aimdvc.git.deepening import NO_DEEPENING, begin_deepening, changing_ends, finish_deepening
from aimdvc.git.graph import Deepening
from aimdvc.git.history import History
from aimdvc.git.incoming import take_pack
from aimdvc.git.packs import PackWriter, clean_repository
from aimdvc.git.reflogs import ZERO
from aimdvc.git.refnames import is_safe_ref, telling
from aimdvc.git.transport import Http, HttpReply, RemoteRefs
from aimdvc.model.commits import RefUpdate
from aimdvc.model.oid import GitId, is_git_id
from aimdvc.model.progress import Progress

_CHUNK = 256 << 10
_HAVES = 256
_REF_LIMIT = 1_000_000
_REPORT_LIMIT = 1 << 20
_FETCH_HEADERS = {
    "Content-Type": "application/x-git-upload-pack-request",
    "Accept": "application/x-git-upload-pack-result",
}
_RACE_WORDS = ("fetch first", "non-fast-forward", "stale info", "failed to update ref", "atomic transaction failed")


class HttpTransport:
    """An artifact's repository behind a URL."""

    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self._url = url

    def read_refs(self, for_push: bool) -> RemoteRefs:
        """Returns the remote's refs. Raises RemoteError, NotAuthorised."""
        service = "git-receive-pack" if for_push else "git-upload-pack"
        reply = self._http.request("GET", f"{self._url}/info/refs?service={service}", {})
        try:
            if reply.headers.get("content-type", "") != f"application/x-{service}-advertisement":
                raise ProtocolError(self._url, "this is no Git repository")
            lines = _PacketReader(reply.read, self._url)
            first = lines.read()
            if first is None or not first.startswith(b"# service="):
                raise ProtocolError(self._url, "the advertisement doesn't name its service")
            lines.read()
            return _parse_refs(lines, self._url)
        finally:
            reply.close()

    def fetch(
        self,
        history: History,
        wants: Sequence[GitId],
        progress: Progress,
        is_whole: bool = False,
        depth: int | None = None,
    ) -> None:
        """Brings what the wanted commits reach and the history lacks, or all of it, or `depth` commits of it."""
        with changing_ends(history, depth is not None):
            body = _fetch_request(history, wants, is_whole, depth)
            reply = self._http.request("POST", f"{self._url}/git-upload-pack", _FETCH_HEADERS, body)
            try:
                lines = _PacketReader(reply.read, self._url)
                deepening = _read_deepening(lines, self._url) if depth is not None else NO_DEEPENING
                begin_deepening(history, deepening)
                _skip_acknowledgements(lines, self._url)
                progress.start("fetch", None, "bytes")
                take_pack(history, _banded(lines, self._url, progress), self._url, wants)
                progress.finish()
            finally:
                reply.close()
            finish_deepening(history, deepening, self._url)

    def push(self, history: History, updates: Sequence[RefUpdate], known: RemoteRefs, progress: Progress) -> None:
        """Sends the missing objects and the updates in one atomic request."""
        capabilities = ["report-status", "side-band-64k"]
        if "atomic" in known.capabilities:
            capabilities.append("atomic")
        head = b"".join(
            _packet(
                f"{update.old or ZERO} {update.new or ZERO} {_checked(update.ref)}".encode("utf-8", "surrogateescape")
                + (b"\0 " + " ".join(capabilities).encode() + b" agent=aimdvc" if index == 0 else b"")
            )
            for index, update in enumerate(updates)
        )
        head += b"0000"
        if all(update.new is None for update in updates):
            self._post(head, None, 0, updates, progress)
            return
        have = [commit for commit in telling(known.refs) if history.has(commit)]
        clean_repository(history.path)
        writer = PackWriter(history.disk, history.path / "objects" / "pack")
        try:
            there = set(known.refs.values())
            tips = [update.new for update in updates if update.new is not None and update.new not in there]
            for git_id in history.iter_missing_objects(tips, have):
                writer.add(*history.read_object(git_id), git_id)
            writer.seal()
            self._post(head, writer.temp.path, writer.size, updates, progress)
        finally:
            writer.discard()

    def _post(
        self, head: bytes, pack: Path | None, size: int, updates: Sequence[RefUpdate], progress: Progress
    ) -> None:
        progress.start("push", len(head) + size, "bytes")
        headers = {
            "Content-Type": "application/x-git-receive-pack-request",
            "Accept": "application/x-git-receive-pack-result",
            "Content-Length": str(len(head) + size),
        }
        body = _PushBody(head, pack, progress)
        # Not repeatable: an answer that got lost may have moved the refs; running the push again tells.
        reply = self._http.request("POST", f"{self._url}/git-receive-pack", headers, body, is_repeatable=False)
        try:
            self._check_report(reply, updates)
        finally:
            reply.close()
        progress.finish()

    def _check_report(self, reply: HttpReply, updates: Sequence[RefUpdate]) -> None:
        content = b""
        for part in _banded(_PacketReader(reply.read, self._url), self._url, None):
            content += part
            if len(content) > _REPORT_LIMIT:
                raise ProtocolError(self._url, f"a report of more than {_REPORT_LIMIT} bytes")
        report = _PacketReader(_reader(content), self._url)
        accepted: set[str] = set()
        refusals: list[tuple[str, str]] = []
        while (line := report.read()) is not None:
            text = line.decode("utf-8", "replace").rstrip("\n")
            word, _, rest = text.partition(" ")
            if word == "unpack" and rest != "ok":
                raise RemoteRefused(self._url, _shown(rest.encode()))
            if word == "ok":
                accepted.add(rest)
            elif word == "ng":
                ref, _, reason = rest.partition(" ")
                refusals.append((ref, reason))
        for ref, reason in sorted(refusals, key=lambda refusal: "atomic" in refusal[1]):
            if any(word in reason for word in _RACE_WORDS):
                raise RefMoved(ref, reason)
            raise RemoteRefused(self._url, f"{ref}: {_shown(reason.encode())}")
        left = [update.ref for update in updates if update.ref not in accepted]
        if left:
            raise ProtocolError(self._url, f"no word about '{left[0]}'")


def _parse_refs(lines: "_PacketReader", url: str) -> RemoteRefs:
    refs: dict[str, GitId] = {}
    capabilities: frozenset[str] = frozenset()
    head_id: GitId | None = None
    while (line := lines.read()) is not None:
        if line.startswith(b"ERR "):
            raise RemoteRefused(url, _shown(line[4:]))
        body, nul, words = line.rstrip(b"\n").partition(b"\0")
        if nul:
            capabilities = frozenset(words.decode("utf-8", "replace").split())
        git_id, _, name = body.decode("utf-8", "surrogateescape").partition(" ")
        if not is_git_id(git_id):
            raise ProtocolError(url, f"a ref advertised as '{git_id[:60]}'")
        if name == "HEAD":
            head_id = GitId(git_id)
        elif is_safe_ref(name):
            refs[name] = GitId(git_id)
        if len(refs) > _REF_LIMIT:
            raise ProtocolError(url, f"more than {_REF_LIMIT} refs")
    head = next((word[len("symref=HEAD:") :] for word in capabilities if word.startswith("symref=HEAD:")), None)
    if head is None and head_id is not None:
        there = [ref for ref, commit in refs.items() if commit == head_id and ref.startswith("refs/heads/")]
        # A server that doesn't say: of several branches there, the usual names first.
        head = min(there, key=lambda ref: (ref != "refs/heads/main", ref != "refs/heads/master", ref), default=None)
    return RemoteRefs(refs, head, capabilities)


def _fetch_request(history: History, wants: Sequence[GitId], is_whole: bool, depth: int | None) -> bytes:
    # thin-pack is asked for since some servers answer nothing without it; take_pack completes such packs.
    words = "side-band-64k thin-pack ofs-delta agent=aimdvc"
    lines = [_packet(f"want {want}{' ' + words if index == 0 else ''}\n".encode()) for index, want in enumerate(wants)]
    lines += [_packet(f"shallow {commit}\n".encode()) for commit in sorted(history.shallow)]
    if depth is not None:
        lines.append(_packet(f"deepen {depth}\n".encode()))
    lines.append(b"0000")
    # A wanted commit that is here already, if not to go deeper, is broken here: nothing may be taken for granted then.
    is_broken = any(history.has(want) and (depth is None or not history.is_whole_tip(want)) for want in wants)
    haves = [] if is_whole or is_broken else _haves(history)
    lines += [_packet(f"have {have}\n".encode()) for have in haves]
    lines.append(_packet(b"done\n"))
    return b"".join(lines)


def _read_deepening(lines: "_PacketReader", url: str) -> Deepening:
    found: dict[bytes, set[GitId]] = {b"shallow": set(), b"unshallow": set()}
    while (line := lines.read()) is not None:
        if line.startswith(b"ERR "):
            raise RemoteRefused(url, _shown(line[4:]))
        word, _, rest = line.rstrip(b"\n").partition(b" ")
        commit = rest.decode("ascii", "replace")
        if word not in found or not is_git_id(commit):
            raise ProtocolError(url, f"a line {line[:60]!r} where commits were expected at which the history ends")
        found[word].add(GitId(commit))
        if sum(map(len, found.values())) > _REF_LIMIT:
            raise ProtocolError(url, f"a history that ends at more than {_REF_LIMIT} commits")
    return Deepening(frozenset(found[b"shallow"]), frozenset(found[b"unshallow"]))


def _skip_acknowledgements(lines: "_PacketReader", url: str) -> None:
    while True:
        line = lines.read()
        if line is None:
            raise ProtocolError(url, "no pack was sent")
        if line.startswith(b"ERR "):
            raise RemoteRefused(url, _shown(line[4:]))
        if line.startswith((b"NAK", b"ACK")) and not line.rstrip().endswith((b"common", b"ready", b"continue")):
            return


def _haves(history: History) -> list[GitId]:
    refs = telling(history.refs())[:_HAVES]
    tips = {commit for git_id in refs if history.has(git_id) and (commit := history.peel(git_id)) is not None}
    found: dict[GitId, None] = dict.fromkeys(sorted(tips))
    for tip in tips:
        if len(found) >= _HAVES:
            break
        found.update(dict.fromkeys(commit.id for commit in islice(history.iter_log(tip), 32)))
    return list(found)[:_HAVES]


@dataclass(frozen=True, slots=True)
class _PushBody:
    """What a push sends. It can be read again, where the remote took nothing for now."""

    head: bytes
    pack: Path | None
    progress: Progress

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        self.progress.advance(len(self.head))
        if self.pack is not None:
            with self.pack.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
                    self.progress.advance(len(chunk))


def _banded(lines: "_PacketReader", url: str, progress: Progress | None) -> Iterator[bytes]:
    while (line := lines.read()) is not None:
        band, content = line[:1], line[1:]
        if line.startswith(b"ACK "):
            # Git says it once more for each commit that is a parent of one which it has acknowledged.
            continue
        if band == b"\1":
            if progress is not None:
                progress.advance(len(content))
            yield content
        elif band == b"\3":
            raise RemoteRefused(url, _shown(content))
        elif band != b"\2":
            raise ProtocolError(url, "a packet in no band")


class _PacketReader:
    """Reads pkt-lines; a flush packet, or the end between two packets, reads as None."""

    def __init__(self, read: Callable[[int], bytes], url: str) -> None:
        self._read = read
        self._url = url
        self._buffer = b""
        self._position = 0

    def read(self) -> bytes | None:
        head = self._take(4, allow_end=True)
        if not head:
            return None
        try:
            size = int(head, 16)
        except ValueError:
            raise ProtocolError(self._url, f"a packet that begins with {head!r}") from None
        if size == 0:
            return None
        if size < 4:
            raise ProtocolError(self._url, f"a packet of length {size}")
        return self._take(size - 4)

    def _take(self, size: int, allow_end: bool = False) -> bytes:
        end = self._position + size
        while len(self._buffer) < end:
            more = self._read(_CHUNK)
            if not more:
                if allow_end and self._position == len(self._buffer):
                    return b""
                raise ProtocolError(self._url, "the answer was cut")
            self._buffer = self._buffer[self._position :] + more
            self._position, end = 0, size
        content = self._buffer[self._position : end]
        self._position = end
        return content


def _reader(content: bytes) -> Callable[[int], bytes]:
    left = [content]

    def read(size: int) -> bytes:
        taken, left[0] = left[0][:size], left[0][size:]
        return taken

    return read


def _packet(content: bytes) -> bytes:
    return b"%04x%s" % (len(content) + 4, content)


def _checked(ref: str) -> str:
    if not is_safe_ref(ref):
        raise RefMoved(ref, "a ref can't have this name", hint="")
    return ref


def _shown(text: bytes) -> str:
    decoded = text.decode("utf-8", "replace").strip()[:300]
    return "".join(char if char.isprintable() else " " for char in decoded)
