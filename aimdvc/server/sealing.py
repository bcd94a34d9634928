"""Makes a version of a draft: what was uploaded becomes a commit on `main`, numbered, with its aliases. Once.

It lands as a push does (landing.py): the same checks, protections, locks and history, in one transaction, which also
ends the draft. So it is there whole or not at all, and whoever asks again gets the version that it became.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial

from sqlalchemy import Connection

from aimdvc.errors import Busy, UnsafePath
from aimdvc.git.commits import dump_commit
from aimdvc.git.kinds import BLOB, COMMIT, TREE
from aimdvc.git.packs import PackWriter, git_id_of
from aimdvc.git.trees import Edits, edit_tree
from aimdvc.model.attributes import AIMD_ATTRIBUTES, DEFAULT_ATTRIBUTES, Attributes, with_tracked
from aimdvc.model.commits import CommitDraft, RefUpdate, Signature
from aimdvc.model.entries import Mode
from aimdvc.model.metadata import Metadata, dump_metadata
from aimdvc.model.names import MAIN
from aimdvc.model.oid import EMPTY_BLOB, GitId
from aimdvc.model.own import AIMD_DIRECTORY_ATTRIBUTES, ATTRIBUTES, METADATA
from aimdvc.model.pointer import encode_pointer
from aimdvc.ops.stage import INLINE_LIMIT
from aimdvc.server.aimd_ids import ID_TRAILER, dashed
from aimdvc.server.database import now_s
from aimdvc.server.drafts import AlreadySealed, Draft, DraftObject, end_within, objects_of
from aimdvc.server.engines import StillHeld
from aimdvc.server.guard import HttpError
from aimdvc.server.landing import Landing, Push, PushRefused, check_incoming, land
from aimdvc.server.refs import DELETED, LOST, Moved, clean_message, note_abandoned, read_refs
from aimdvc.server.repositories import Repository
from aimdvc.server.rights import Caller
from aimdvc.server.site import Site

_TRIES = 20
_SUBJECT = 72
_NOT_THEIRS = re.compile("protected: .*|.* is locked by .*")
"""Reasons for which others could move a ref, and not who asks."""


class _Changed(Exception):
    """An object came, and its sender was told so, after the draft was read: it has to be in the version."""


@dataclass(frozen=True, slots=True)
class _Sealing:
    site: Site
    caller: Caller
    draft: Draft


def seal(site: Site, caller: Caller, draft: Draft) -> None:
    """Makes a version of a draft, and ends that. Raises HttpError, Busy, AlreadySealed; nothing was changed then."""
    sealing = _Sealing(site, caller, draft)
    with (
        site.database.using_packs(draft.artifact) as still_held,
        site.repository(draft.artifact) as repository,
    ):
        repository.finish_dropping()
        repository.join_packs()
        for _ in range(_TRIES):
            # Another may have made a version meanwhile: then this one comes after it. Or another object came.
            if _try(sealing, repository, still_held):
                return
    raise Busy("the artifact")


def _try(sealing: _Sealing, repository: Repository, still_held: StillHeld) -> bool:
    """Returns whether the version was made; False where a ref moved meanwhile, or an object came."""
    site, draft = sealing.site, sealing.draft
    push = Push(site.database, draft.artifact, sealing.caller, site.limits, still_held)
    found = read_refs(site.database, draft.artifact)
    refs = {name: ref.target for name, ref in found.items()}
    with site.database.read() as connection:
        objects = objects_of(connection, draft)
    writer = repository.pack_writer()
    with writer.temp as incoming:
        commit = _write(sealing, writer, objects, refs.get(MAIN))
        writer.seal()
        updates = [RefUpdate(MAIN, refs.get(MAIN), commit)]
        for alias in _aliases(draft):
            updates.append(RefUpdate(f"refs/aliases/{alias}", refs.get(f"refs/aliases/{alias}"), commit))
        what = Landing(updates, True, f"AIMD upload {dashed(draft.id)}", partial(_end, draft, objects))
        try:
            moved = land(push, repository, incoming, check_incoming(push, repository, incoming, writer.size), what)
        except PushRefused as refusal:
            raise HttpError(400, "; ".join([refusal.reason, *refusal.details[:1]])) from refusal
        except _Changed:
            # The pack was published: what is in it and in no version is for nobody to read.
            note_abandoned(site.database, draft.artifact, sealing.caller.id, updates[:1])
            return False
    return _is_done(moved)


def _is_done(moved: Moved) -> bool:
    refused = {ref: reason for ref, reason in moved.results.items() if reason is not None}
    if not refused:
        return True
    # Of all that one refusal refuses, what is told is the one.
    told = {ref: reason for ref, reason in refused.items() if reason != "atomic transaction failed"} or refused
    if set(told.values()) <= {LOST, DELETED}:
        return False
    ref, reason = next((ref, reason) for ref, reason in told.items() if reason not in (LOST, DELETED))
    raise HttpError(403 if _NOT_THEIRS.fullmatch(reason) else 400, f"{ref}: {reason}")


def _end(draft: Draft, written: list[DraftObject], connection: Connection) -> None:
    """Ends a draft in the transaction that makes it a version. Raises AlreadySealed, _Changed, which undo all of it."""
    found = objects_of(connection, draft)
    if not end_within(connection, draft.id, draft.artifact):
        raise AlreadySealed
    if found != written:
        raise _Changed


def _aliases(draft: Draft) -> list[str]:
    wish = draft.document.get("aliases")
    return [str(alias) for alias in wish] if isinstance(wish, list) else []


def _write(sealing: _Sealing, writer: PackWriter, objects: list[DraftObject], parent: GitId | None) -> GitId:
    """Writes all git objects of the version, and returns its commit."""
    edits = _entries(sealing, writer, objects)
    trees: dict[GitId, bytes] = {}

    def write_tree(content: bytes) -> GitId:
        git_id = _add(writer, TREE, content)
        trees[git_id] = content
        return git_id

    tree = edit_tree(trees.__getitem__, write_tree, None, edits)
    draft, now = sealing.draft, int(now_s())
    who, description = sealing.caller.name, str(draft.document.get("description") or "")
    subject = clean_message(description.strip().partition("\n")[0])[:_SUBJECT].strip() or "Upload by AIMD's REST"
    made = Signature(who, "", *_made_at(draft.document.get("creatingTimestamp"), now))
    message = f"{subject}\n\n{ID_TRAILER}: {dashed(draft.id)}\n"
    parents = (parent,) if parent is not None else ()
    return _add(writer, COMMIT, dump_commit(CommitDraft(tree, parents, made, Signature(who, "", now, 0), message)))


def _entries(sealing: _Sealing, writer: PackWriter, objects: list[DraftObject]) -> Edits:
    """Writes what the tree names, and returns its entries by path. Raises HttpError (400)."""
    blobs, draft = sealing.site.storage.blobs, sealing.draft
    keys = [one.key for one in objects]
    _check_places(keys)
    rules = {
        one.key.removesuffix(ATTRIBUTES).rstrip("/"): blobs.read(one.pointer) if one.pointer.size else b""
        for one in objects
        if one.key.rpartition("/")[2] == ATTRIBUTES and one.pointer.size <= INLINE_LIMIT
    }
    own = DEFAULT_ATTRIBUTES if ATTRIBUTES not in keys else None
    attributes = _parsed({**rules, "": own} if own is not None else rules)
    for one in objects:
        if one.pointer.size > INLINE_LIMIT and not attributes.is_lfs(one.key):
            if own is None:
                raise HttpError(400, f"'{one.key}' is too large for Git, and the uploaded {ATTRIBUTES} keeps it there")
            own = with_tracked(own, "/" + re.sub(r"([*?\[\\])", r"\\\1", one.key))
            attributes = _parsed({**rules, "": own})
    edits: dict[str, tuple[int, GitId] | None] = {}
    for one in objects:
        if not one.pointer.size:
            content = b""
        elif attributes.is_lfs(one.key):
            content = encode_pointer(one.pointer)
        else:
            content = blobs.read(one.pointer)
        edits[one.key] = int(Mode.FILE), _add(writer, BLOB, content)
    metadata = Metadata(description=str(draft.document.get("description") or ""), type=draft.type)
    written = {METADATA: dump_metadata(metadata), AIMD_DIRECTORY_ATTRIBUTES: AIMD_ATTRIBUTES}
    for path, content in {**written, **({ATTRIBUTES: own} if own is not None else {})}.items():
        edits[path] = int(Mode.FILE), _add(writer, BLOB, content)
    return edits


def _check_places(keys: list[str]) -> None:
    """Raises HttpError (400) where one object lies where another's folder is."""
    taken = set(keys)
    for key in keys:
        parts = key.split("/")
        above = next((path for end in range(1, len(parts)) if (path := "/".join(parts[:end])) in taken), None)
        if above is not None:
            raise HttpError(400, f"'{above}' is an object, and '{key}' would lie below it")


def _parsed(files: Mapping[str, bytes]) -> Attributes:
    try:
        return Attributes.parse(files)
    except UnsafePath as error:
        raise HttpError(400, error.message) from error


def _add(writer: PackWriter, kind: int, content: bytes) -> GitId:
    git_id = git_id_of(kind, content) if content or kind != BLOB else EMPTY_BLOB
    writer.add(kind, content, git_id)
    return git_id


def _made_at(text: object, now: int) -> tuple[int, int]:
    """Returns when a client says that it made an artifact: seconds since the epoch, and its zone; else now."""
    try:
        made = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        zone = made.utcoffset()
        seconds = int(made.timestamp()) if zone is not None else int(made.replace(tzinfo=timezone.utc).timestamp())
    except (ValueError, OverflowError):
        return now, 0
    return (seconds, int(zone.total_seconds()) if zone is not None else 0) if 0 <= seconds < 1 << 36 else (now, 0)
