"""Uploads that go on where they were cut: the core of tus 1.0.0 as git-lfs speaks it (docs/protocol.md).

Where to go on is in the batch if the server is ours, else it is asked. The bytes before are hashed beside the sending,
so that the last ones are kept back here, too, when the blob is damaged.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from aimdvc.errors import CorruptBlob, RemoteRefused
from aimdvc.model.pointer import Pointer
from aimdvc.remote.basic import CHUNK, Action, Advance, Expired, ask_verified, iter_chunks, refuse, send_action
from aimdvc.remote.session import Session
from aimdvc.remote.transfer import BlobSource
from aimdvc.remote.urls import shown

TUS = "tus"
_VERSION = {"Tus-Resumable": "1.0.0"}
_BESIDE = 32
"""Chunks of what the server has that are hashed for each one that is sent: seldom is there one left at the end."""

_DIGITS = 19


def put_rest(
    session: Session, base: str, pointer: Pointer, actions: Mapping[str, Action], source: BlobSource, advance: Advance
) -> None:
    """Sends what the server lacks of a blob, and has it verified.

    Raises Expired where another batch tells more, CorruptBlob when ours is the damaged one.
    """
    action = actions[TUS]
    offset = action.offset
    if offset is None:
        offset = _ask_offset(session, base, action)
        if offset >= pointer.size:
            return
    if offset > pointer.size:
        raise RemoteRefused(shown(action.href), f"it has {offset} bytes of a blob that has {pointer.size}")
    advance(offset)
    headers = {
        **_VERSION,
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(pointer.size - offset),
    }
    reply = send_action(session, base, "PATCH", action, headers, _rest(source, pointer, offset, advance))
    if not 200 <= reply.status < 300:
        if reply.status == 422:
            source.verify(pointer.oid)
        if reply.status in (409, 422, 423):
            # It goes on elsewhere: what was sent before the cut came later than the batch, or is thrown away.
            raise Expired(session.refusal(action.href, reply), reply.headers)
        raise refuse(session, action, reply)
    reply.message()
    ask_verified(session, base, pointer, actions)


def _ask_offset(session: Session, base: str, action: Action) -> int:
    reply = send_action(session, base, "HEAD", action, _VERSION)
    if not 200 <= reply.status < 300:
        raise refuse(session, action, reply)
    reply.message()
    text = reply.headers.get("upload-offset", "")
    if not (text.isascii() and text.isdigit() and len(text) < _DIGITS):
        raise RemoteRefused(shown(action.href), "it doesn't tell where the upload goes on")
    return int(text)


def _rest(source: BlobSource, pointer: Pointer, offset: int, advance: Advance) -> Iterator[bytes]:
    """Yields a blob's bytes from an offset on; the last chunk only when the whole of it has the hash."""
    if offset in (0, pointer.size):
        # What is there whole is hashed there.
        return iter_chunks(source, pointer, advance) if offset == 0 else iter(())
    return _later_chunks(source, pointer, offset, advance)


def _later_chunks(source: BlobSource, pointer: Pointer, offset: int, advance: Advance) -> Iterator[bytes]:
    digest = hashlib.sha256()
    size = 0
    held = b""
    with source.open(pointer.oid) as behind, source.open(pointer.oid) as ahead:
        ahead.seek(offset)
        while chunk := ahead.read(CHUNK):
            size += _hash(behind, _BESIDE, digest.update)
            if held:
                yield held
                advance(len(held))
            held = chunk
        while read := _hash(behind, _BESIDE, digest.update):
            size += read
    if size != pointer.size or digest.hexdigest() != pointer.oid:
        raise CorruptBlob(pointer.oid, f"{size} bytes with another hash")
    yield held
    advance(len(held))


def _hash(file: BinaryIO, chunks: int, update: Callable[[bytes], None]) -> int:
    """Hashes the next chunks of a file; returns their bytes."""
    size = 0
    for _ in range(chunks):
        chunk = file.read(CHUNK)
        if not chunk:
            break
        update(chunk)
        size += len(chunk)
    return size
