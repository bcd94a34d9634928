"""git-receive-pack: what a client sends, and what it is told.

The pack goes into quarantine; what becomes of it, and of the refs, is landing.py's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dulwich.protocol import pkt_line

from aimdvc.fs.disk import TempFile
from aimdvc.git.packcheck import Checked
from aimdvc.model.commits import RefUpdate
from aimdvc.model.entries import path_text
from aimdvc.model.oid import GitId, is_git_id
from aimdvc.server.guard import Body, HttpError, Response
from aimdvc.server.landing import Landing, Push, PushRefused, check_incoming, land
from aimdvc.server.limits import Limits
from aimdvc.server.refs import Moved, Ref, clean_message
from aimdvc.server.repositories import Repository
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
class _Commands:
    updates: Sequence[RefUpdate]
    capabilities: frozenset[bytes]
    message: str = ""


def receive_pack(push: Push, repository: Repository, body: Body) -> Response:
    """Returns the answer to `POST git-receive-pack`: a report, also where the push is refused."""
    commands = _read_commands(body, push.limits)
    if not commands.updates:
        return Response(content_type=_RESULT)
    try:
        with repository.quarantine() as incoming:
            moved = _push(push, repository, body, commands, incoming)
    except PushRefused as refusal:
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
    size = None
    if any(update.new is not None for update in commands.updates):
        size = _take_pack(push, body, incoming)
    checked = check_incoming(push, repository, incoming, size) if size is not None else Checked()
    what = Landing(commands.updates, b"atomic" in commands.capabilities, commands.message)
    return land(push, repository, incoming, checked, what)


def _take_pack(push: Push, body: Body, incoming: TempFile) -> int:
    """Takes the pack into quarantine, and returns its size in bytes."""
    body.limit(push.limits.pack_bytes)
    size = 0
    for chunk in body.iter_chunks():
        incoming.write(chunk)
        size += len(chunk)
    return size


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
