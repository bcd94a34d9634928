"""Where an artifact's refs stood, and putting one back there.

Nobody but an administrator puts a ref back; `main` goes back in no other way. It is the transaction of every push, with
compare-and-set, and is noted in the history of refs and in the audit log. What was numbered stays numbered.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from sqlalchemy import or_, select

from aimdvc.errors import Busy, CorruptRepository
from aimdvc.git.graph import Graph
from aimdvc.git.kinds import BLOB
from aimdvc.model.commits import RefUpdate
from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId, Oid
from aimdvc.model.pointer import Pointer, find_pointer
from aimdvc.server.audit import note
from aimdvc.server.database import Database
from aimdvc.server.describing import described_by
from aimdvc.server.guard import HttpError
from aimdvc.server.lineage import told_in
from aimdvc.server.ownership import wanted
from aimdvc.server.refs import (
    DELETED,
    LOST,
    REFUSED,
    REFUSED_SWEPT,
    RESTORED,
    Move,
    Ref,
    clean_message,
    move_within,
    read_refs,
)
from aimdvc.server.repositories import Repository, unnumbered
from aimdvc.server.rights import Caller
from aimdvc.server.rules import abandons, check_move
from aimdvc.server.schema import ref_history, users
from aimdvc.server.site import Site

_PAGE = 800
_SHOWN = 3
_BEFORE = ("", "refs/", "refs/heads/", "refs/aliases/", "refs/tags/", "refs/notes/")
_MOVED = ref_history.c.reason.not_in((REFUSED, REFUSED_SWEPT))


@dataclass(frozen=True, slots=True)
class PastMove:
    """One move of a ref, None for one that is not there. `is_kept`: whether the git objects that it left are here.

    `user` is None for somebody on the server's machine; `why` is a word for what moved it, `reason` what they said.
    """

    number: int
    ref: str
    old: GitId | None
    new: GitId | None
    user: str | None
    time_s: float
    why: str
    is_kept: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Wish:
    """Which ref goes back to which commit or version; with `lease` only if it stands at that now.

    Commits may be cut short. `main` goes back to any version. `reason` is what the history keeps of why.
    """

    ref: str
    commit: str
    lease: str | None = None
    reason: str = ""


def read_moves(site: Site, artifact: str, ref: str | None, before: int, limit: int) -> list[PastMove]:
    """Returns moves of a ref, or of all, the newest first, from before the number `before` on."""
    query = (
        select(ref_history, users.c.name.label("who"))
        .join(users, users.c.id == ref_history.c.user, isouter=True)
        .where(ref_history.c.artifact == artifact, ref_history.c.id < before, _MOVED)
        .order_by(ref_history.c.id.desc())
        .limit(limit)
    )
    if ref is not None:
        query = query.where(ref_history.c.name == path_bytes(ref))
    with site.database.read() as connection:
        rows = connection.execute(query).all()
    with site.storage.repository(artifact) as repository:
        repository.refresh()
        kept = {old for old in {row.old for row in rows} if old is not None and repository.has(GitId(old))}
    return [
        PastMove(
            row.id,
            path_text(row.name),
            row.old,
            row.new,
            row.who,
            row.time_s,
            row.reason,
            row.old in kept,
            row.message or "",
        )
        for row in rows
    ]


def iter_moves(site: Site, artifact: str, ref: str | None) -> Iterator[PastMove]:
    """Yields all moves of a ref, or of all refs, the newest first."""
    before = 1 << 62
    while page := read_moves(site, artifact, ref, before, _PAGE):
        yield from page
        before = page[-1].number


def find_ref(database: Database, artifact: str, text: str) -> str:
    """Returns the ref that a name means, `heads/x` or `x`, of those that are or were there. Raises HttpError."""
    names = [start + text for start in (_BEFORE[:1] if text.startswith("refs/") else _BEFORE)]
    query = (
        select(ref_history.c.name)
        .distinct()
        .where(ref_history.c.artifact == artifact, ref_history.c.name.in_([path_bytes(name) for name in names]), _MOVED)
    )
    with database.read() as connection:
        found = sorted(path_text(name) for name in connection.scalars(query))
    if not found:
        raise HttpError(404, f"the artifact never had a ref '{text}'")
    if len(found) > 1:
        raise HttpError(422, f"'{text}' may be {' or '.join(found)}")
    return found[0]


def put_back(site: Site, caller: Caller, path: str, wish: Wish) -> RefUpdate:
    """Puts a ref back to a commit that it had, and returns what that changed. Safe to repeat.

    Neither protections nor locks hold an administrator. Raises HttpError (404, 409, 422) where it can't be done, Busy
    where the ref moved meanwhile: nothing was changed then.
    """
    artifact = site.artifact(caller, path)
    ref = find_ref(site.database, artifact.id, wish.ref)
    # What it counts on may not be dropped meanwhile, as with a push.
    with (
        site.database.using_packs(artifact.id) as still_held,
        site.storage.repository(artifact.id) as repository,
    ):
        repository.finish_dropping()
        opened = _Opened(site, artifact.id, repository, read_refs(site.database, artifact.id))
        # What the refs name may have been pushed through another process since the repository was opened.
        repository.refresh()
        commit = _find_commit(opened, ref, wish.commit)
        current = opened.refs[ref].target if ref in opened.refs else None
        if wish.lease is not None and (current is None or not current.startswith(wish.lease)):
            raise HttpError(409, f"{ref} stands at {current or 'nothing'}, not at {wish.lease}")
        update = RefUpdate(ref, current, commit)
        if current == commit:
            return update
        move = replace(_checked_move(opened, update), message=clean_message(wish.reason))
        still_held()
        with site.database.write(artifact.id) as connection:
            refusal = move_within(connection, artifact.id, caller.id, [move], atomic=True).results[ref]
            if refusal is None:
                note(site.database, connection, caller, "ref.restore", artifact.path, ref=ref, old=current, new=commit)
    if refusal is None:
        return update
    raise Busy(f"'{ref}'") if refusal in (LOST, DELETED) else HttpError(409, f"{ref}: {refusal}")


@dataclass(frozen=True, slots=True)
class _Opened:
    site: Site
    artifact: str
    repository: Repository
    refs: Mapping[str, Ref]

    @property
    def graph(self) -> Graph:
        return Graph(self.repository.read, "the repository")


def _find_commit(opened: _Opened, ref: str, text: str) -> GitId:
    version = opened.refs.get(f"refs/tags/{text}") if text.startswith("v") else None
    if version is not None and ref == MAIN:
        return version.target
    wanted = version.target if version is not None else text
    columns = (ref_history.c.old, ref_history.c.new)
    here = (ref_history.c.artifact == opened.artifact, ref_history.c.name == path_bytes(ref), _MOVED)
    is_meant = or_(*(column.startswith(wanted, autoescape=True) for column in columns))
    with opened.site.database.read() as connection:
        rows = connection.execute(select(*columns).where(*here, is_meant).distinct()).all()
    found = sorted({value for row in rows for value in row if value is not None and value.startswith(wanted)})
    if not found:
        raise HttpError(404, f"{ref} never stood at '{text}'")
    if len(found) > 1:
        raise HttpError(422, f"'{text}' may be {' or '.join(found)}")
    return GitId(found[0])


def _checked_move(opened: _Opened, update: RefUpdate) -> Move:
    """Returns a move to a commit of which all is here. Raises HttpError."""
    graph = opened.graph
    try:
        lacking = _lacking(opened, update)
        if update.ref == MAIN and update.old is not None and update.new is not None:
            line = tuple(unnumbered(graph, update.old, update.new))
            named, made = told_in(graph, line)
            move: Move | str = Move(update, line=line, named=named, made=made, abandons=abandons(graph, update))
        else:
            move = check_move(graph, opened.refs, update)
    except CorruptRepository as error:
        raise HttpError(409, f"{update.ref} can't go back there: {error.message}") from error
    if lacking:
        some = ", ".join(sorted(lacking)[:_SHOWN])
        raise HttpError(409, f"{update.ref} can't go back there: {len(lacking)} blobs are gone, such as {some}")
    if isinstance(move, str):
        raise HttpError(409, f"{update.ref}: {move}")
    return replace(move, reason=RESTORED, described=described_by(graph, update))


def _lacking(opened: _Opened, update: RefUpdate) -> set[Oid]:
    """Returns the blobs that a ref's new value names, and that are not the artifact's, or not stored, any more."""
    tips = [update.new] if update.new is not None else []
    pointers = _pointers(
        opened.repository, opened.graph.iter_missing(tips, {ref.target for ref in opened.refs.values()})
    )
    found: set[Oid] = set()
    while page := dict(islice(pointers, _PAGE)):
        mine = wanted(opened.site.database, opened.artifact, page)
        found |= {oid for oid, size in page.items() if mine.get(oid) != size}
        found |= opened.site.storage.blobs.missing(page)
    return found


def _pointers(repository: Repository, git_ids: Iterable[GitId]) -> Iterator[Pointer]:
    for git_id in git_ids:
        kind, content = repository.read(git_id)
        pointer = find_pointer(content) if kind == BLOB else None
        if pointer is not None:
            yield pointer
