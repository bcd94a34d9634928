"""git-upload-pack: the advertisement, and packs for clones and fetches (protocol v0, which all clients accept).

A clone, which has nothing and wants every tip, gets the stored packs as they are: no object is inflated. Everything
else is written into a temporary file first, so that the answer has a Content-Length and a crash in the middle never
looks like an end.
"""

import hashlib
import struct
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import IO

from dulwich.protocol import pkt_line

from aimdvc.fs.faults import mapped
from aimdvc.git.graph import Graph
from aimdvc.model.entries import path_bytes
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.server.guard import Body, HttpError, Response
from aimdvc.server.limits import Limits
from aimdvc.server.negotiation import Agreement, Wish, negotiate, parse_wish
from aimdvc.server.packcopy import write_pack
from aimdvc.server.refs import Ref
from aimdvc.server.repositories import GitPack, Repository
from aimdvc.version import __version__

AGENT = f"agent=aimdvc/{__version__}".encode()
_CAPABILITIES = (
    b"multi_ack_detailed side-band-64k thin-pack ofs-delta no-progress include-tag shallow deepen-relative no-done"
    b" object-format=sha1"
)
_BAND = 65515
_SPOOL_BYTES = 8 << 20


def advertise(service: bytes, capabilities: bytes, refs: Mapping[str, Ref], head: bool) -> Response:
    """Returns the answer to `GET info/refs`: HEAD first, then all refs sorted, tags peeled."""
    lines = [pkt_line(b"# service=" + service + b"\n"), pkt_line(None)]
    shown: list[tuple[bytes, str]] = []
    if head and MAIN in refs:
        shown.append((b"HEAD", refs[MAIN].target))
    for name, ref in refs.items():
        shown.append((path_bytes(name), ref.target))
        if head and ref.peeled is not None:
            shown.append((path_bytes(name) + b"^{}", ref.peeled))
    if not shown:
        shown.append((b"capabilities^{}", "0" * 40))
    for position, (raw, target) in enumerate(shown):
        line = target.encode() + b" " + raw + (b"\0" + capabilities if position == 0 else b"") + b"\n"
        lines.append(pkt_line(line))
    lines.append(pkt_line(None))
    return Response(body=b"".join(lines), content_type=f"application/x-{service.decode()}-advertisement")


def advertise_upload(refs: Mapping[str, Ref]) -> Response:
    """Returns upload-pack's advertisement."""
    symref = b" symref=HEAD:" + MAIN.encode() if MAIN in refs else b""
    return advertise(b"git-upload-pack", _CAPABILITIES + symref + b" " + AGENT, refs, head=True)


def upload_pack(
    repository: Repository, refs: Mapping[str, Ref], body: Body, limits: Limits, may_reuse: bool
) -> Response:
    """Returns the answer to `POST git-upload-pack`. `may_reuse`: all that the packs hold may be read."""
    wish = parse_wish(body.read_all(limits.wants * 60), limits.wants)
    if not wish.wants:
        return Response(body=b"", content_type=_RESULT)
    advertised = {ref.target for ref in refs.values()} | {ref.peeled for ref in refs.values()}
    if not advertised.issuperset(wish.wants):
        raise HttpError(400, "a wanted object is not the tip of any ref")
    if not {b"side-band-64k", b"ofs-delta"} <= wish.capabilities:
        raise HttpError(400, "a client without side-band-64k and ofs-delta")
    tips = {ref.target for ref in refs.values()}
    if may_reuse and wish.is_plain_clone and tips <= _with_peeled(wish.wants, refs):
        stored = _stored_packs(repository)
        if stored is not None:
            return _answer(pkt_line(b"NAK\n"), *stored)
    graph = Graph(repository.read, "a repository")
    agreed = negotiate(repository, graph, wish, refs)
    if not agreed.has_pack:
        return Response(body=agreed.lines, content_type=_RESULT)
    return _new_pack(repository, graph, wish, agreed, refs)


_RESULT = "application/x-git-upload-pack-result"


def _with_peeled(wants: Collection[str], refs: Mapping[str, Ref]) -> set[str]:
    return set(wants) | {ref.target for ref in refs.values() if ref.peeled is not None and ref.peeled in wants}


def _stored_packs(repository: Repository) -> tuple[int, "_Chunks"] | None:
    """Returns the stored packs as one, and its size; None where they can't be sent so.

    All are open before the first byte goes out: what is open can be read to its end, also when it is joined meanwhile.
    """
    with ExitStack() as files:
        try:
            packs = repository.packs()
            if not packs or not _are_disjoint(packs):
                return None
            opened = [(pack, files.enter_context(pack.path.open("rb"))) for pack in packs]
        except FileNotFoundError:
            return None
        size = sum(pack.size - 32 for pack in packs) + 32
        return size, _Chunks(_pack_bytes(opened), files.pop_all())


def _are_disjoint(packs: Sequence[GitPack]) -> bool:
    """Several packs can be sent as one only if no object would come twice."""
    if len(packs) == 1:
        return True
    seen: set[bytes] = set()
    for pack in packs:
        seen.update(pack.names())
    return len(seen) == sum(pack.count for pack in packs)


def _answer(lines: bytes, size: int, pack: "_Chunks") -> Response:
    """Returns the answer whose pack of `size` bytes comes in full frames: how many there are follows from the size."""
    framed = size + -(-size // _BAND) * 5
    return Response(body=_Framed(lines, pack), size=len(lines) + framed + 4, content_type=_RESULT)


def _pack_bytes(packs: Sequence[tuple[GitPack, IO[bytes]]]) -> Iterator[bytes]:
    """Yields one pack made of all: offsets inside deltas are relative, so bodies are copied as they are."""
    if len(packs) == 1:
        while chunk := packs[0][1].read(_BAND * 8):
            yield chunk
        return
    head = b"PACK" + struct.pack(">II", 2, sum(pack.count for pack, _ in packs))
    digest = hashlib.sha1(head, usedforsecurity=False)
    yield head
    for pack, file in packs:
        left = pack.size - 32
        file.seek(12)
        while left:
            chunk = file.read(min(left, _BAND * 8))
            if not chunk:
                raise HttpError(500, "a git pack is too short")
            left -= len(chunk)
            digest.update(chunk)
            yield chunk
    yield digest.digest()


def _banded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cuts bytes into full frames of side band 1: how many there are follows from the size alone."""
    held = b""
    full = pkt_line(b"\1" + bytes(_BAND))[:5]
    for chunk in chunks:
        held = held + chunk if held else chunk
        ready = len(held) - len(held) % _BAND
        if ready:
            yield b"".join(part for at in range(0, ready, _BAND) for part in (full, held[at : at + _BAND]))
            held = held[ready:]
    if held:
        yield pkt_line(b"\1" + held)


class _Chunks:
    """A pack's bytes as they are read, and the files that are closed when they are out."""

    def __init__(self, chunks: Iterable[bytes], files: ExitStack) -> None:
        self.chunks = chunks
        self._files = files

    def close(self) -> None:
        self._files.close()


class _Framed:
    """An answer's body; closed when the answer is out, or when whoever asked has gone."""

    def __init__(self, lines: bytes, pack: _Chunks) -> None:
        self._lines = lines
        self._pack = pack

    def __iter__(self) -> Iterator[bytes]:
        yield self._lines
        yield from _banded(self._pack.chunks)
        yield pkt_line(None)

    def close(self) -> None:
        self._pack.close()


def _new_pack(repository: Repository, graph: Graph, wish: Wish, agreed: Agreement, refs: Mapping[str, Ref]) -> Response:
    """Returns an answer whose pack holds what the client lacks."""
    wanted = dict.fromkeys(graph.iter_missing(wish.wants, agreed.common, agreed.ends))
    if b"include-tag" in wish.capabilities:
        tags = (ref.target for ref in refs.values() if ref.peeled in wanted)
        wanted |= dict.fromkeys(GitId(git_id) for tag in tags for git_id, *_ in graph.iter_peeled(GitId(tag)))
    with ExitStack() as files:
        spool = files.enter_context(tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES))

        def write(content: bytes) -> int:
            # A large one is a file of the machine's temporary directory, which may be full.
            with mapped(tempfile.gettempdir()):
                return spool.write(content)

        size = write_pack(write, repository, wanted)
        spool.seek(0)
        return _answer(agreed.lines, size, _Chunks(iter(lambda: spool.read(_BAND * 8), b""), files.pop_all()))
