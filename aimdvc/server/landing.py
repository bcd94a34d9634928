"""How a git pack and moves of refs become an artifact's: checks, then refs in one transaction. For pushes and uploads.

Order (design.md section 5): the pack is durable before a ref names it, and a ref whose pointers' blobs this artifact
does not own is refused. What is refused leaves nothing behind, save that a push which loses a race in its last
millisecond leaves a pack that nothing names; it was checked, so the store stays closed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from aimdvc.errors import CorruptRepository
from aimdvc.fs.disk import TempFile
from aimdvc.git.fsck import BadObjectError, check_depth, is_link_target, subtrees
from aimdvc.git.graph import Graph
from aimdvc.git.packcheck import BAD_LINK, Checked, check_pack
from aimdvc.git.packindex import encode_index
from aimdvc.model.commits import RefUpdate
from aimdvc.model.oid import GitId, Oid
from aimdvc.server.database import Database
from aimdvc.server.describing import described_by
from aimdvc.server.engines import StillHeld
from aimdvc.server.limits import Limits
from aimdvc.server.lock_check import locked_refusals
from aimdvc.server.ownership import wanted
from aimdvc.server.protection import protected_refusals
from aimdvc.server.refs import DELETED, LOST, Move, Moved, Ref, move_within, note_abandoned, read_refs
from aimdvc.server.repositories import Repository
from aimdvc.server.rights import Caller
from aimdvc.server.rules import check_move

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Push:
    """Where a push goes and who makes it. `still_held` raises where what is here may be dropped by now."""

    database: Database
    artifact: str
    caller: Caller
    limits: Limits
    still_held: StillHeld


def nothing_more(connection: Connection) -> None:
    """Does nothing more in the transaction that moves refs."""


@dataclass(frozen=True, slots=True)
class Landing:
    """Which refs are to move; with `is_atomic` all or none. `message` is what history keeps of why.

    `also` is done in the transaction that moves them, once all of them may; only with `is_atomic`.
    """

    updates: Sequence[RefUpdate]
    is_atomic: bool
    message: str = ""
    also: Callable[[Connection], None] = nothing_more


class PushRefused(Exception):
    """The whole push is refused: `unpack` is the word for the unpack line, `reason` that for every ref."""

    def __init__(self, unpack: str, reason: str, details: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.unpack = unpack
        self.reason = reason
        self.details = details


def check_incoming(push: Push, repository: Repository, incoming: TempFile, size: int) -> Checked:
    """Checks all of a pack that lies in quarantine. Raises PushRefused."""
    try:
        checked = check_pack(incoming.fd, size, push.limits)
        absent = repository.absent(checked.outside())
        if not absent:
            _check_beyond(repository, checked)
    except BadObjectError as error:
        raise PushRefused(error.message, "unpacker error") from error
    if absent:
        names = [f"git object {name.hex()} is missing, or is not what another takes it for" for name in absent[:_SHOWN]]
        raise PushRefused("missing necessary objects", "missing necessary objects", names)
    _check_blobs(push, checked)
    return checked


def _check_beyond(repository: Repository, checked: Checked) -> None:
    """What is here already can be a link's target, or lie deeper, only now. Raises BadObjectError."""
    for name in checked.links.difference(checked.kinds):
        if not is_link_target(repository.read(GitId(name.hex()))[1]):
            raise BadObjectError(BAD_LINK)

    def read(name: bytes) -> list[bytes]:
        return [] if name in checked.kinds else subtrees(repository.read(GitId(name.hex()))[1])

    check_depth(checked.trees, read)


def _check_blobs(push: Push, checked: Checked) -> None:
    """A pointer's blob has to be here first, sent to this very artifact."""
    found = wanted(push.database, push.artifact, (Oid(oid) for oid in checked.pointers))
    missing = [oid for oid, size in checked.pointers.items() if found.get(Oid(oid)) != size]
    if missing:
        details = [f"missing blob {oid}" for oid in missing[:_SHOWN]]
        if len(missing) > _SHOWN:
            details.append(f"and {len(missing) - _SHOWN} more")
        details.append("upload them first: `git lfs push --all` does, and `aimdvc push`")
        raise PushRefused("ok", f"{len(missing)} blobs are missing", details)


class _Incoming:
    """The repository together with a pack that isn't published yet."""

    def __init__(self, repository: Repository, checked: Checked) -> None:
        self._repository = repository
        self._checked = checked

    def read(self, git_id: GitId) -> tuple[int, bytes]:
        raw = bytes.fromhex(git_id)
        kind = self._checked.kinds.get(raw)
        if kind is not None:
            return kind, self._checked.heads.get(raw, b"")
        return self._repository.read(git_id)


def land(push: Push, repository: Repository, incoming: TempFile, checked: Checked, what: Landing) -> Moved:
    """Publishes a checked pack and moves refs, as far as names, protections, locks and other pushes let it."""
    graph = Graph(_Incoming(repository, checked).read, "the repository")
    refs = read_refs(push.database, push.artifact)
    # What the refs name may have been pushed through another process since the repository was opened.
    repository.refresh()
    results: dict[str, str | None] = {}
    results |= protected_refusals(push.database, push.artifact, push.caller, graph, what.updates)
    moves: list[Move] = []
    for update in what.updates:
        if update.ref in results:
            continue
        move = _check(graph, refs, update)
        if isinstance(move, str):
            results[update.ref] = move
        else:
            moves.append(move)
    if sum(map(_growth, moves)) > max(push.limits.refs - len(refs), 0):
        results |= {m.update.ref: f"an artifact has at most {push.limits.refs} refs" for m in moves if _growth(m) > 0}
        moves = [move for move in moves if move.update.ref not in results]
    if what.is_atomic and results:
        return Moved({u.ref: results.get(u.ref) or "atomic transaction failed" for u in what.updates}, {})
    publishes = bool(checked.entries and moves)
    if publishes:
        # What is refused already is noted before the pack can be read, so that a crash does not lose the note.
        _note_unreached(push, refs, checked, what.updates, results)
        push.still_held()
        _publish(repository, incoming, checked)
    results |= locked_refusals(push.database, push.artifact, push.caller.id, repository, refs, moves)
    if what.is_atomic and results:
        moved = Moved({u.ref: results.get(u.ref) or "atomic transaction failed" for u in what.updates}, {})
    else:
        # What the pack brought is in the repository by now.
        stored = Graph(repository.read, "the repository")
        free = [
            replace(move, described=described_by(stored, move.update), message=what.message)
            for move in moves
            if move.update.ref not in results
        ]
        push.still_held()
        with push.database.write(push.artifact) as connection:
            moved = move_within(connection, push.artifact, push.caller.id, free, what.is_atomic)
            if not any(moved.results.values()):
                what.also(connection)
    if publishes:
        _note_unreached(push, refs, checked, what.updates, {**results, **moved.results})
    return Moved({**results, **moved.results}, moved.versions)


def _growth(move: Move) -> int:
    """Returns how many refs there are more afterwards."""
    return (move.update.old is None) - (move.update.new is None) + len(move.line)


def _note_unreached(
    push: Push,
    refs: Mapping[str, Ref],
    checked: Checked,
    updates: Sequence[RefUpdate],
    results: Mapping[str, str | None],
) -> None:
    """Notes changes that were refused although their objects are in the pack: readers may not see those."""
    refused = {ref for ref, reason in results.items() if reason is not None}
    # A push that comes twice is refused, and brings nothing that a ref does not name.
    named = {ref.target for ref in refs.values()} | {update.new for update in updates if update.ref not in refused}
    unreached = [
        update
        for update in updates
        if update.ref in refused
        and update.new is not None
        and update.new not in named
        and bytes.fromhex(update.new) in checked.kinds
    ]
    note_abandoned(push.database, push.artifact, push.caller.id, unreached)


def _check(graph: Graph, refs: Mapping[str, Ref], update: RefUpdate) -> Move | str:
    current = refs[update.ref].target if update.ref in refs else None
    if current != update.old and current != update.new:
        return LOST if current is not None else DELETED
    try:
        return check_move(graph, refs, update)
    except CorruptRepository:
        return "missing necessary objects"


def _publish(repository: Repository, incoming: TempFile, checked: Checked) -> None:
    with repository.quarantine() as index:
        index.write(encode_index(checked.entries, checked.trailer))
        repository.publish(incoming, index, checked.trailer.hex())
