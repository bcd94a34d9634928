"""What AIMD clients are uploading: an artifact that is no version yet, with its objects so far. In the database.

The artifact in the tree owns the blobs from the moment that they come in, so quotas, backups and gc see them; gc leaves
what a draft names. A draft is its owner's alone. After a week without a call it is gone; its blobs go as all do that
nothing names.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from sqlalchemy import Connection, delete, func, insert, select, update

from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.aimd_ids import find_version
from aimdvc.server.checksums import note_md5
from aimdvc.server.database import Database, now_s
from aimdvc.server.guard import HttpError
from aimdvc.server.ownership import claim_within
from aimdvc.server.quotas import count
from aimdvc.server.schema import draft_objects, draft_parts, draft_uploads, drafts

LIFETIME_S = 7 * 86_400
"""Seconds that a draft lives without a call."""


class AlreadySealed(HttpError):
    """What is asked for as a draft is a version by now: nothing more is added to it, and nothing was."""

    def __init__(self) -> None:
        super().__init__(400, "the artifact is a version already, nothing more can be uploaded to it")


@dataclass(frozen=True, slots=True)
class Draft:
    """One draft. `type` is what kind of artifact it is to be, `document` what its client said of it."""

    id: str
    artifact: str
    owner: str
    type: str
    document: Mapping[str, object]
    created_s: float


@dataclass(frozen=True, slots=True)
class DraftObject:
    """One object of a draft."""

    key: str
    pointer: Pointer


def find_draft(connection: Connection, owner: str, name: str | None) -> Draft | None:
    """Returns a draft by its id, as far as it is its owner's who asks, and has not expired."""
    row = connection.execute(select(drafts).where(drafts.c.id == name)).first() if name is not None else None
    if row is None or row.owner != owner or row.expires_s < now_s():
        return None
    return Draft(row.id, row.artifact, row.owner, row.type, json.loads(row.document), row.created_s)


def begin(database: Database, wanted: str | None, draft: Draft) -> Draft | None:
    """Begins a draft with the id that is wanted, another one where that is somebody else's. Safe to repeat.

    One of the owner's of this id goes on; if it was for another artifact, it begins anew. None where the id is that of
    a version already.
    """
    with database.read() as connection:
        old = find_draft(connection, draft.owner, wanted)
    if old is not None and old.artifact != draft.artifact:
        end(database, old)
    with database.write(draft.artifact) as connection:
        if wanted is not None:
            # For another artifact the same id may be asked for at the same time.
            database.hold(connection, f"draft-{wanted}")
        old = find_draft(connection, draft.owner, wanted)
        values = {"type": draft.type, "document": json.dumps(draft.document), "expires_s": now_s() + LIFETIME_S}
        if old is not None and old.artifact == draft.artifact:
            connection.execute(update(drafts).where(drafts.c.id == old.id).values(values))
            return old
        if wanted is not None and find_version(connection, wanted) is not None:
            return None
        taken = connection.scalar(select(drafts.c.id).where(drafts.c.id == wanted)) is not None
        name = wanted if wanted is not None and not taken else uuid4().hex
        row = {"id": name, "artifact": draft.artifact, "owner": draft.owner, "created_s": now_s(), **values}
        connection.execute(insert(drafts), row)
    return replace(draft, id=name)


def refresh(connection: Connection, draft: Draft) -> None:
    """Notes in a writing transaction that a draft lives. Raises HttpError (404), AlreadySealed where it is gone."""
    here = (drafts.c.id == draft.id) & (drafts.c.artifact == draft.artifact)
    if not connection.execute(update(drafts).where(here).values(expires_s=now_s() + LIFETIME_S)).rowcount:
        raise AlreadySealed if find_version(connection, draft.id) is not None else HttpError(404, "it is gone")


def put_object(connection: Connection, draft: Draft, key: str, pointer: Pointer, md5: bytes) -> None:
    """Makes a stored blob an object of a draft, in a transaction that writes the artifact, which owns it from then on.

    Raises HttpError (404, 507).
    """
    refresh(connection, draft)
    if pointer.size:
        claim_within(connection, draft.artifact, [pointer])
    note_md5(connection, pointer.oid, md5)
    name = _hash(key)
    connection.execute(delete(draft_objects).where(draft_objects.c.draft == draft.id, draft_objects.c.key_hash == name))
    row = {"draft": draft.id, "key_hash": name, "key": key, "oid": bytes.fromhex(pointer.oid), "size": pointer.size}
    connection.execute(insert(draft_objects), row)


def read_object(connection: Connection, draft: Draft, key: str) -> Pointer | None:
    """Returns the blob of an object of a draft; None where there is none."""
    here = (draft_objects.c.draft == draft.id) & (draft_objects.c.key_hash == _hash(key))
    row = connection.execute(select(draft_objects.c.oid, draft_objects.c.size).where(here)).first()
    return Pointer(Oid(row.oid.hex()), row.size) if row is not None else None


def objects_of(connection: Connection, draft: Draft) -> list[DraftObject]:
    """Returns the objects of a draft, by key."""
    columns = (draft_objects.c.key, draft_objects.c.oid, draft_objects.c.size)
    rows = connection.execute(select(*columns).where(draft_objects.c.draft == draft.id))
    found = [DraftObject(key, Pointer(Oid(oid.hex()), size)) for key, oid, size in rows]
    return sorted(found, key=lambda one: one.key.encode("utf-8", "surrogateescape"))


def end_within(connection: Connection, draft: str, artifact: str) -> bool:
    """Ends a draft, in a transaction that writes its artifact; returns whether there was one.

    What it had counts no longer where it was in parts; what it owns is the artifact's until gc has looked.
    """
    uploads = select(draft_uploads.c.id).where(draft_uploads.c.draft == draft)
    parts = draft_parts.c.upload.in_(uploads)
    size = int(connection.scalar(select(func.coalesce(func.sum(draft_parts.c.size), 0)).where(parts)) or 0)
    if size:
        count(connection, artifact, -size)
    connection.execute(delete(draft_parts).where(parts))
    connection.execute(delete(draft_uploads).where(draft_uploads.c.draft == draft))
    connection.execute(delete(draft_objects).where(draft_objects.c.draft == draft))
    return connection.execute(delete(drafts).where(drafts.c.id == draft)).rowcount > 0


def end(database: Database, draft: Draft) -> None:
    """Ends a draft. Safe to repeat."""
    with database.write(draft.artifact) as connection:
        end_within(connection, draft.id, draft.artifact)


def expire(database: Database) -> int:
    """Ends the drafts that have expired, and returns how many. Safe to repeat, and while others do it."""
    is_old = drafts.c.expires_s < now_s()
    with database.read() as connection:
        old = connection.execute(select(drafts.c.id, drafts.c.artifact).where(is_old)).all()
    ended = 0
    for row in old:
        with database.write(row.artifact) as connection:
            # It may have been asked for meanwhile.
            if connection.scalar(select(drafts.c.id).where(drafts.c.id == row.id, is_old)) is not None:
                ended += end_within(connection, row.id, row.artifact)
    return ended


def named_by_drafts(connection: Connection, artifact: str, low: bytes, high: bytes | None) -> set[bytes]:
    """Returns the raw oids of the blobs that drafts of an artifact name, from `low` on and below `high`."""
    query = select(draft_objects.c.oid).join(drafts, drafts.c.id == draft_objects.c.draft)
    query = query.where(drafts.c.artifact == artifact, draft_objects.c.oid >= low)
    return set(connection.scalars(query if high is None else query.where(draft_objects.c.oid < high)))


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
