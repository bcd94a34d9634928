"""git-receive-pack: pack into quarantine, checks, then refs in one transaction.

Order (design.md section 5): the pack is durable before a ref names it, and a ref whose pointers' blobs this artifact
does not own is refused. What is refused leaves nothing behind, save that a push which loses a race in its last
millisecond leaves a pack that nothing names; it was checked, so the store stays closed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dulwich.protocol import pkt_line

from aimdvc.errors import CorruptRepository
from aimdvc.fs.disk import TempFile
from aimdvc.git.fsck import BadObjectError, check_depth, is_link_target, subtrees
from aimdvc.git.graph import Graph
from aimdvc.git.packcheck import BAD_LINK, Checked, check_pack
from aimdvc.git.packindex import encode_index
from aimdvc.model.commits import RefUpdate
from aimdvc.model.entries import path_text
from aimdvc.model.oid import GitId, Oid, is_git_id
from aimdvc.server.database import Database
from aimdvc.server.describing import described_by
from aimdvc.server.guard import Body, HttpError, Response
from aimdvc.server.limits import Limits
from aimdvc.server.lock_check import locked_refusals
from aimdvc.server.ownership import wanted
from aimdvc.server.protection import protected_refusals
from aimdvc.server.refs import DELETED, LOST, Move, Moved, Ref, clean_message, move_refs, note_abandoned, read_refs
from aimdvc.server.repositories import Repository
from aimdvc.server.rights import Caller
from aimdvc.server.rules import check_move
from aimdvc.server.upload_pack import AGENT, advertise

_CAPABILITIES = (
    b"report-status delete-refs side-band-64k atomic ofs-delta no-thin quiet aimd-numbers push-options "
    b"object-format=sha1 " + AGENT
)
_ZERO = "0" * 40
_SHOWN = 20


def advertise_receive(refs: Mapping[str, Ref]) -> Response:
    """Returns receive-pack's advertisement."""
    return advertise(b"git-receive-pack", _CAPABILITIES, refs, head=False)


@dataclass(frozen=True, slots=True)
class Push:
    """Where a push goes and who makes it. `still_held` raises where what is here may be dropped by now."""

    database: Database
    artifact: str
    caller: Caller
    limits: Limits
    still_held: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Commands:
    updates: Sequence[RefUpdate]
    capabilities: frozenset[bytes]
    message: str = ""


class _Refused(Exception):
    """The whole push is refused: `unpack` is the word for the unpack line, `reason` that for every ref."""

    def __init__(self, unpack: str, reason: str, details: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.unpack = unpack
        self.reason = reason
        self.details = details


def receive_pack(push: Push, repository: Repository, body: Body) -> Response:
    """Returns the answer to `POST git-receive-pack`: a report, also where the push is refused."""
    commands = _read_commands(body, push.limits)
    if not commands.updates:
        return Response(content_type=_RESULT)
    try:
        with repository.quarantine() as incoming:
            moved = _push(push, repository, body, commands, incoming)
    except _Refused as refusal:
        results = {update.ref: refusal.reason for update in commands.updates}
        return _report(commands, refusal.unpack, results, refusal.details)
    details = [f"{tag.removeprefix('refs/tags/')} is {commit[:10]}" for tag, commit in moved.versions.items()]
    if len(details) > _SHOWN:
        details = [f"{len(details)} versions were numbered", *details[-1:]]
    return _report(commands, "ok", moved.results, details)


_RESULT = "application/x-git-receive-pack-result"


def _read_commands(body: Body, limits: Limits) -> _Commands:
    updates: dict[str, RefUpdate] = {}
    capabilities: frozenset[bytes] = frozenset()
    held = 0
    while (line := _read_line(body)) is not None:
        held += len(line) + 4
        if held > limits.command_bytes:
            raise HttpError(413, "too much comes before the pack")
        if line.startswith(b"shallow "):
            continue
        command, _, rest = line.rstrip(b"\n").partition(b"\0")
        if rest:
            capabilities = frozenset(rest.split())
        update = _parse_command(command)
        if update.ref in updates or len(updates) >= limits.commands:
            raise HttpError(400, "a ref is named twice" if update.ref in updates else "too many refs in one push")
        updates[update.ref] = update
    message = _read_options(body, limits) if b"push-options" in capabilities else ""
    return _Commands(list(updates.values()), capabilities, message)


def _read_options(body: Body, limits: Limits) -> str:
    """Returns why somebody pushes, as `git push -o reason=WHY` says it; other options are for nothing here."""
    message, count = "", 0
    while (line := _read_line(body)) is not None:
        count += 1
        if count > limits.push_options:
            raise HttpError(400, "too many options in one push")
        name, _, value = line.rstrip(b"\n").partition(b"=")
        if name == b"reason":
            message = clean_message(value.decode("utf-8", "replace"))
    return message


def _read_line(body: Body) -> bytes | None:
    try:
        length = int(body.read_exactly(4), 16)
    except ValueError as error:
        raise HttpError(400, "a line without its length") from error
    if length == 0:
        return None
    if length <= 4:
        raise HttpError(400, "a line without content")
    return body.read_exactly(length - 4)


def _parse_command(command: bytes) -> RefUpdate:
    parts = command.split(b" ", 2)
    if len(parts) != 3:
        raise HttpError(400, "a command without its three parts")
    old, new = (part.decode("ascii", "replace") for part in parts[:2])
    if not (is_git_id(old) and is_git_id(new)):
        raise HttpError(400, "a command without object ids")
    return RefUpdate(path_text(parts[2]), _known(old), _known(new))


def _known(git_id: str) -> GitId | None:
    return None if git_id == _ZERO else GitId(git_id)


def _push(push: Push, repository: Repository, body: Body, commands: _Commands, incoming: TempFile) -> Moved:
    checked = Checked()
    if any(update.new is not None for update in commands.updates):
        checked = _receive(push, repository, body, incoming)
    graph = Graph(_Incoming(repository, checked).read, "the repository")
    refs = read_refs(push.database, push.artifact)
    # What the refs name may have been pushed through another process since the repository was opened.
    repository.refresh()
    results: dict[str, str | None] = {}
    results |= protected_refusals(push.database, push.artifact, push.caller, graph, commands.updates)
    moves: list[Move] = []
    for update in commands.updates:
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
    is_atomic = b"atomic" in commands.capabilities
    if is_atomic and results:
        return Moved({u.ref: results.get(u.ref) or "atomic transaction failed" for u in commands.updates}, {})
    publishes = bool(checked.entries and moves)
    if publishes:
        # What is refused already is noted before the pack can be read, so that a crash does not lose the note.
        _note_unreached(push, refs, checked, commands.updates, results)
        push.still_held()
        _publish(repository, incoming, checked)
    results |= locked_refusals(push.database, push.artifact, push.caller.id, repository, refs, moves)
    if is_atomic and results:
        moved = Moved({u.ref: results.get(u.ref) or "atomic transaction failed" for u in commands.updates}, {})
    else:
        # What the pack brought is in the repository by now.
        stored = Graph(repository.read, "the repository")
        free = [
            replace(move, described=described_by(stored, move.update), message=commands.message)
            for move in moves
            if move.update.ref not in results
        ]
        push.still_held()
        moved = move_refs(push.database, push.artifact, push.caller.id, free, is_atomic)
    if publishes:
        _note_unreached(push, refs, checked, commands.updates, {**results, **moved.results})
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


def _receive(push: Push, repository: Repository, body: Body, incoming: TempFile) -> Checked:
    """Takes the pack into quarantine and checks all of it."""
    body.limit(push.limits.pack_bytes)
    size = 0
    for chunk in body.iter_chunks():
        incoming.write(chunk)
        size += len(chunk)
    try:
        checked = check_pack(incoming.fd, size, push.limits)
        absent = repository.absent(checked.outside())
        if not absent:
            _check_beyond(repository, checked)
    except BadObjectError as error:
        raise _Refused(error.message, "unpacker error") from error
    if absent:
        names = [f"git object {name.hex()} is missing, or is not what another takes it for" for name in absent[:_SHOWN]]
        raise _Refused("missing necessary objects", "missing necessary objects", names)
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
        raise _Refused("ok", f"{len(missing)} blobs are missing", details)


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


def _report(commands: _Commands, unpack: str, results: Mapping[str, str | None], details: Sequence[str]) -> Response:
    if b"report-status" not in commands.capabilities:
        return Response(content_type=_RESULT)
    lines = [pkt_line(f"unpack {unpack}\n".encode())]
    for update in commands.updates:
        reason = results.get(update.ref)
        text = f"ok {update.ref}\n" if reason is None else f"ng {update.ref} {reason}\n"
        lines.append(pkt_line(text.encode("utf-8", "surrogateescape")))
    lines.append(pkt_line(None))
    report = b"".join(lines)
    if b"side-band-64k" not in commands.capabilities:
        return Response(body=report, content_type=_RESULT)
    told = b"".join(f"{detail}\n".encode("utf-8", "replace") for detail in details)
    framed = b"".join([*_banded(b"\2", told), *_banded(b"\1", report), pkt_line(None)])
    return Response(body=framed, content_type=_RESULT)


def _banded(band: bytes, content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 65515):
        yield pkt_line(band + content[start : start + 65515])
