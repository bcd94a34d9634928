"""git-upload-pack: the advertisement, and packs for clones and fetches (protocol v0, which all clients accept).

A clone, which has nothing and wants every tip, gets the stored packs as they are: no object is inflated. Everything
else goes through dulwich's UploadPackHandler into a temporary file, so that the answer has a Content-Length and a
crash in the middle never looks like an end.
"""

import hashlib
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, cast

from dulwich.errors import GitProtocolError, HangupException
from dulwich.protocol import ReceivableProtocol, pkt_line
from dulwich.refs import DictRefsContainer
from dulwich.refs import Ref as RefName
from dulwich.repo import BaseRepo
from dulwich.server import Backend, BackendRepo, UploadPackHandler

from aimdvc.model.entries import path_bytes
from aimdvc.server.guard import Body, HttpError, Response
from aimdvc.server.limits import CHUNK_BYTES, Limits
from aimdvc.server.refs import MAIN, Ref
from aimdvc.server.repositories import GitPack, Repository
from aimdvc.version import __version__

AGENT = f"agent=aimdvc/{__version__}".encode()
_CAPABILITIES = (
    b"multi_ack_detailed side-band-64k thin-pack ofs-delta no-progress include-tag shallow no-done object-format=sha1"
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


@dataclass(frozen=True, slots=True)
class _Wish:
    """A request as far as it must be known to tell a clone from the rest."""

    wants: frozenset[str]
    capabilities: frozenset[bytes]
    is_plain_clone: bool


def upload_pack(
    repository: Repository, refs: Mapping[str, Ref], body: Body, limits: Limits, may_reuse: bool
) -> Response:
    """Returns the answer to `POST git-upload-pack`. `may_reuse`: all that the packs hold may be read."""
    raw = body.read_all(limits.wants * 60)
    wish = _parse(raw, limits)
    advertised = {ref.target for ref in refs.values()} | {ref.peeled for ref in refs.values()}
    if not wish.wants <= advertised:
        raise HttpError(400, "a wanted object is not the tip of any ref")
    tips = {ref.target for ref in refs.values()}
    if (
        may_reuse
        and wish.is_plain_clone
        and {b"side-band-64k", b"ofs-delta"} <= wish.capabilities
        and tips <= _with_peeled(wish.wants, refs)
    ):
        packs = repository.packs()
        if packs and _are_disjoint(packs):
            size = sum(pack.size - 32 for pack in packs) + 32
            framed = size + -(-size // _BAND) * 5
            return Response(body=_whole_packs(packs), size=8 + framed + 4, content_type=_RESULT)
    return _through_dulwich(repository, refs, raw)


_RESULT = "application/x-git-upload-pack-result"


def _with_peeled(wants: frozenset[str], refs: Mapping[str, Ref]) -> set[str]:
    return set(wants) | {ref.target for ref in refs.values() if ref.peeled in wants}


def _parse(raw: bytes, limits: Limits) -> _Wish:
    wants: set[str] = set()
    capabilities: frozenset[bytes] = frozenset()
    others = done = False
    for count, line in enumerate(_lines(raw)):
        if count > limits.wants:
            raise HttpError(413, "too many lines in one request")
        if line.startswith(b"want "):
            if not wants:
                capabilities = frozenset(line[45:].split())
            wants.add(line[5:45].decode("ascii", "replace"))
        elif line == b"done":
            done = True
        elif line:
            others = True
    return _Wish(frozenset(wants), capabilities, bool(wants) and done and not others)


def _lines(raw: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(raw):
        try:
            length = int(raw[position : position + 4], 16)
        except ValueError as error:
            raise HttpError(400, "a line without its length") from error
        if length in (0, 1, 2):
            position += 4
            yield b""
            continue
        if length < 4 or position + length > len(raw):
            raise HttpError(400, "a line that breaks off")
        yield raw[position + 4 : position + length].rstrip(b"\n")
        position += length


def _are_disjoint(packs: Sequence[GitPack]) -> bool:
    """Several packs can be sent as one only if no object would come twice."""
    if len(packs) == 1:
        return True
    seen: set[bytes] = set()
    for pack in packs:
        seen.update(pack.names())
    return len(seen) == sum(pack.count for pack in packs)


def _whole_packs(packs: Sequence[GitPack]) -> Iterator[bytes]:
    yield pkt_line(b"NAK\n")
    yield from _banded(_pack_bytes(packs))
    yield pkt_line(None)


def _pack_bytes(packs: Sequence[GitPack]) -> Iterator[bytes]:
    """Yields one pack made of all: offsets inside deltas are relative, so bodies are copied as they are."""
    if len(packs) == 1:
        with packs[0].path.open("rb") as file:
            while chunk := file.read(_BAND * 8):
                yield chunk
        return
    head = b"PACK" + struct.pack(">II", 2, sum(pack.count for pack in packs))
    digest = hashlib.sha1(head, usedforsecurity=False)
    yield head
    for pack in packs:
        left = pack.size - 32
        with pack.path.open("rb") as file:
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


class _File:
    """A temporary file as an answer's body; closed, and so gone, when the answer is out."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk

    def close(self) -> None:
        self._file.close()


class _UploadPack(UploadPackHandler):
    @classmethod
    def required_capabilities(cls) -> tuple[bytes, ...]:
        # dulwich asks for thin-pack, too, which is optional in Git (gitprotocol-capabilities); it sends no thin packs.
        return (b"side-band-64k", b"ofs-delta")


class _OneRepository(Backend):
    def __init__(self, repo: BackendRepo) -> None:
        self._repo = repo

    def open_repository(self, path: str) -> BackendRepo:
        return self._repo


def _through_dulwich(repository: Repository, refs: Mapping[str, Ref], raw: bytes) -> Response:
    names = {RefName(path_bytes(name)): ref.target.encode() for name, ref in refs.items()}
    if MAIN in refs:
        names[RefName(b"HEAD")] = b"ref: " + MAIN.encode()
    position = 0

    def receive(size: int) -> bytes:
        nonlocal position
        part = raw[position : position + size]
        position += len(part)
        return part

    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115  (closed by the answer)
    try:
        repo = BaseRepo(repository.objects, DictRefsContainer(names))
        protocol = ReceivableProtocol(receive, spool.write)
        handler = _UploadPack(_OneRepository(cast(BackendRepo, repo)), ["/"], protocol, stateless_rpc=True)
        handler.handle()
    except (GitProtocolError, HangupException, AssertionError, ValueError, KeyError) as error:
        spool.close()
        raise HttpError(400, "the request can't be answered") from error
    size = spool.tell()
    spool.seek(0)
    return Response(body=_File(spool), size=size, content_type=_RESULT)
