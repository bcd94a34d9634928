"""aimd-pack as a client: many small blobs in one request (docs/protocol.md)."""

import json
from collections.abc import Iterator, Sequence

from aimdvc.errors import ProtocolError
from aimdvc.model.frames import MAGIC, PACKED_LIMIT, end_frame, frame_header, read_frames, stream_size
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.remote.basic import CHUNK, Action, Advance, refuse, send_action
from aimdvc.remote.session import Reply, Session
from aimdvc.remote.transfer import BlobSink, BlobSource
from aimdvc.remote.urls import shown

AIMD_PACK = "aimd-pack"
MEDIA_TYPE = "application/x-aimd-pack"


def put_pack(
    session: Session, base: str, action: Action, pointers: Sequence[Pointer], source: BlobSource, advance: Advance
) -> None:
    """Sends small blobs as one stream; the server keeps those that arrived whole, whatever happens."""
    size = stream_size(sum(pointer.size for pointer in pointers), len(pointers))
    headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(size)}
    reply = send_action(session, base, "POST", action, headers, _frames(pointers, source, advance))
    if not 200 <= reply.status < 300:
        raise refuse(session, action, reply)
    reply.message()


def _frames(pointers: Sequence[Pointer], source: BlobSource, advance: Advance) -> Iterator[bytes]:
    held = [MAGIC]
    size = 0
    for pointer, content in source.iter_contents(pointers):
        held.append(frame_header(pointer.oid, pointer.size))
        held.append(content)
        size += len(content)
        if size >= CHUNK:
            yield b"".join(held)
            advance(size)
            held, size = [], 0
    held.append(end_frame(len(pointers)))
    yield b"".join(held)
    advance(size)


def get_pack(
    session: Session,
    base: str,
    action: Action,
    pointers: Sequence[Pointer],
    sink: BlobSink,
    advance: Advance,
    arrived: set[Oid],
) -> None:
    """Gets small blobs as one stream into the sink, each hash-checked, and notes those that arrived.

    A stream that is cut gives what came before the cut; the caller asks for the rest.
    """
    body = json.dumps({"oids": [pointer.oid for pointer in pointers]}).encode()
    reply = send_action(session, base, "POST", action, {"Content-Type": "application/json"}, body)
    if not 200 <= reply.status < 300:
        raise refuse(session, action, reply)
    wanted = {pointer.oid: pointer for pointer in pointers}
    try:
        for frame, content in read_frames(_Buffered(reply).read, PACKED_LIMIT, shown(action.href)):
            pointer = wanted.get(frame.oid)
            if pointer is None or pointer.size != frame.size:
                raise ProtocolError(shown(action.href), "a blob that was not asked for")
            sink.receive(pointer, (content,))
            arrived.add(frame.oid)
            advance(frame.size)
    finally:
        reply.close()
    missing = wanted.keys() - arrived
    if missing:
        raise ProtocolError(shown(action.href), f"{len(missing)} blobs did not come")


class _Buffered:
    """Reads an answer in large pieces: frames are small."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._held = b""
        self._position = 0

    def read(self, size: int) -> bytes:
        if self._position == len(self._held):
            self._held = self._reply.read(CHUNK)
            self._position = 0
        part = self._held[self._position : self._position + size]
        self._position += len(part)
        return part
