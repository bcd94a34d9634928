"""Objects of drafts that come in parts, each a stored blob of its own until they are put together.

No artifact owns the parts, but their bytes count as its own, so a quota holds for them, too. To put them together is to
read them once and to write the whole once, since its hash is known only then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from aimdvc.errors import CorruptBlob, MissingBlob
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.aimd_ids import find_id
from aimdvc.server.drafts import Draft, put_object, refresh
from aimdvc.server.guard import HttpError
from aimdvc.server.quotas import count
from aimdvc.server.schema import draft_parts, draft_uploads
from aimdvc.server.storage import BlobStorage


@dataclass(frozen=True, slots=True)
class PartedUpload:
    """An upload in parts of one object; `whole` is its oid once they were put together."""

    id: str
    key: str
    whole: Oid | None


@dataclass(frozen=True, slots=True)
class Part:
    """A part: its number, its blob, and the tag that its sender was told."""

    number: int
    pointer: Pointer
    etag: str


def begin_upload(connection: Connection, draft: Draft, key: str) -> str:
    """Begins an upload in parts, and returns its id: that of one of which no part came yet. Raises HttpError (404)."""
    refresh(connection, draft)
    begun = (draft_uploads.c.draft == draft.id) & (draft_uploads.c.key == key) & draft_uploads.c.oid.is_(None)
    came = select(draft_parts.c.upload).where(draft_parts.c.upload == draft_uploads.c.id).exists()
    name = connection.scalar(select(draft_uploads.c.id).where(begun, ~came).limit(1))
    if name is None:
        name = uuid4().hex
        connection.execute(insert(draft_uploads), {"id": name, "draft": draft.id, "key": key})
    return str(name)


def find_upload(connection: Connection, draft: Draft, text: str, key: str) -> PartedUpload:
    """Returns an upload in parts of an object of a draft. Raises HttpError (404)."""
    here = (draft_uploads.c.id == find_id(text)) & (draft_uploads.c.draft == draft.id)
    row = connection.execute(select(draft_uploads).where(here)).first()
    if row is None or row.key != key:
        raise HttpError(404, "there is no such upload")
    return PartedUpload(row.id, row.key, Oid(row.oid.hex()) if row.oid is not None else None)


def put_part(connection: Connection, draft: Draft, upload: PartedUpload, part: Part) -> None:
    """Makes a stored blob a part, in place of one of this number, in a transaction that writes the artifact.

    Raises HttpError (404, 507).
    """
    refresh(connection, draft)
    if find_upload(connection, draft, upload.id, upload.key).whole is not None:
        raise HttpError(404, "this upload is complete")
    here = (draft_parts.c.upload == upload.id) & (draft_parts.c.number == part.number)
    old = connection.scalar(select(draft_parts.c.size).where(here)) or 0
    count(connection, draft.artifact, part.pointer.size - old)
    connection.execute(delete(draft_parts).where(here))
    row = {"upload": upload.id, "number": part.number, "size": part.pointer.size, "etag": part.etag}
    connection.execute(insert(draft_parts), {**row, "oid": bytes.fromhex(part.pointer.oid)})


def read_parts(connection: Connection, upload: PartedUpload) -> list[Part]:
    """Returns the parts of an upload, by number."""
    query = select(draft_parts).where(draft_parts.c.upload == upload.id).order_by(draft_parts.c.number)
    return [
        Part(row.number, Pointer(Oid(row.oid.hex()), row.size), row.etag) for row in connection.execute(query).all()
    ]


def chosen_parts(parts: Sequence[Part], wish: object) -> list[Part]:
    """Returns the parts that a client names, in order, by number and tag. Raises HttpError (400)."""
    by_number = {part.number: part for part in parts}
    chosen: dict[int, Part] = {}
    for one in wish if isinstance(wish, list) else []:
        number, etag = (one.get("partNumber"), one.get("etag")) if isinstance(one, dict) else (None, None)
        part = by_number.get(number) if isinstance(number, int) else None
        if part is None or not isinstance(etag, str) or etag.strip('"').lower() != part.etag:
            raise HttpError(400, f"part {str(number)[:20]} did not come, or is another")
        chosen[part.number] = part
    if not chosen:
        raise HttpError(400, "there are no parts")
    return [chosen[number] for number in sorted(chosen)]


def iter_parts(blobs: BlobStorage, parts: Sequence[Part]) -> Iterator[bytes]:
    """Yields the bytes of parts, one after the other. Raises HttpError (400) where one is lost."""
    for part in parts:
        try:
            yield from blobs.iter_blob(part.pointer)
        except (MissingBlob, CorruptBlob) as error:
            raise HttpError(400, f"part {part.number} is lost, send it again") from error


def complete(connection: Connection, draft: Draft, upload: PartedUpload, pointer: Pointer, md5: bytes) -> None:
    """Makes the whole of an upload an object, in a transaction that writes the artifact; its parts count no longer.

    Raises HttpError (404, 507).
    """
    parts = read_parts(connection, upload)
    count(connection, draft.artifact, -sum(part.pointer.size for part in parts))
    connection.execute(delete(draft_parts).where(draft_parts.c.upload == upload.id))
    connection.execute(
        update(draft_uploads).where(draft_uploads.c.id == upload.id).values(oid=bytes.fromhex(pointer.oid))
    )
    put_object(connection, draft, upload.key, pointer, md5)
