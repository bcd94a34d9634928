"""Whether what aimdvc.lock pins is what the workspace has: nothing unsaved, nothing missing. Asks no network.

`check` holds the lock on disk against the workspace, the pre-commit hook the one that is staged for Git. Changes
nothing but the stat cache, and takes a moment where there is nothing to tell: history is opened only for what is found.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from aimdvc.errors import ConfigSyntaxError, InvalidName, UnsafePath
from aimdvc.model.entries import path_text
from aimdvc.model.lock import Pin, dump_lock, parse_lock
from aimdvc.model.oid import GitId
from aimdvc.model.own import is_told
from aimdvc.ops.lockfile import LockState, lock_state, read_pins
from aimdvc.ops.revisions import label
from aimdvc.ops.scan import changed_suspects, scan
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace
from aimdvc.store.presence import missing_on_disk
from aimdvc.store.state import Head, Place

_REWRITE = "`aimdvc checkout` writes it anew; then `git add aimdvc.lock`"
UNREADABLE = (ConfigSyntaxError, InvalidName, UnsafePath)
"""What `parse_lock` raises."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `artifact` is "" for the lock itself; `paths` are relative to the artifact.

    `kind` is unreadable, not-canonical, not-here, not-pinned, other-commit, other-path, merging, uncommitted or
    missing-blobs, and against a remote no-artifact, not-on-remote or blobs-not-on-remote.
    """

    artifact: str
    kind: str
    message: str
    hint: str
    paths: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        """The finding as one line."""
        return f"{self.artifact or 'aimdvc.lock'}: {self.message}" + (f"; {self.hint}" if self.hint else "")


def check_lock(raw: bytes) -> tuple[dict[str, Pin], list[Finding]]:
    """Returns the pins of a lock file's bytes, none of one that can't be read, and what is wrong with the file."""
    try:
        pins = parse_lock(raw)
    except UNREADABLE as error:
        return {}, [
            Finding(
                "", "unreadable", error.message.removeprefix("aimdvc.lock, ").removeprefix("aimdvc.lock: "), error.hint
            )
        ]
    if raw != dump_lock(pins):
        return pins, [Finding("", "not-canonical", "is not written as aimdvc writes it", _REWRITE)]
    return pins, []


def check_local(workspace: Workspace, pins: Mapping[str, Pin], names: Collection[str] = ()) -> list[Finding]:
    """Returns what parts these pins from the workspace, for the named artifacts or all; nothing when they agree.

    What is not checked out of an artifact counts as unchanged, and its blobs are not needed. Raises CorruptRepository.
    """
    heads = {head.name: head for head in workspace.state.heads()}
    written = _written_pins(workspace)
    found: list[Finding] = []
    for name in sorted(names or heads.keys() | pins.keys()):
        pin = pins.get(name)
        if name in heads:
            found += _check_artifact(workspace, settle(workspace, name), pin, written.get(name))
        elif pin is not None:
            found.append(Finding(name, "not-here", "is pinned, but not here", f"`aimdvc pull {name}` brings it"))
    return found


def _written_pins(workspace: Workspace) -> dict[str, Pin]:
    """Returns what the lock on disk says: that a pin is right there, and was only not staged, makes a better hint."""
    try:
        return read_pins(workspace)
    except UNREADABLE:
        return {}


def _check_artifact(workspace: Workspace, head: Head, pin: Pin | None, written: Pin | None) -> Iterator[Finding]:
    state = lock_state(head, pin)
    is_only_staged_late = written is not None and (written.commit, written.path) == (head.commit, head.path)
    if state is LockState.MISSING:
        # One that Git took out of the lock, on a branch without it, is no part of the code there.
        if is_only_staged_late or head.written is None:
            hint = "`git add aimdvc.lock`" if is_only_staged_late else f"`aimdvc checkout {head.name}@HEAD` pins it"
            yield Finding(head.name, "not-pinned", "is not pinned in the lock", hint)
        return
    if pin is None:
        return
    if state is LockState.ELSEWHERE:
        hint = "`git add aimdvc.lock`" if is_only_staged_late else "`aimdvc checkout` moves it there"
        yield Finding(head.name, "other-path", f"the lock names path '{pin.path}', it lies at '{head.path}'", hint)
    elif state is not LockState.SAME:
        yield Finding(head.name, "other-commit", _parting(workspace, head, pin), _how(head, is_only_staged_late))
    yield from _unsaved(workspace, head)
    if pin.commit == head.commit:
        missing = missing_on_disk(workspace.state, workspace.blobs, head)
        if missing:
            message = f"{len(missing):,} of the blobs that it needs are not here"
            yield Finding(head.name, "missing-blobs", message, f"`aimdvc fetch --refetch {head.name}` brings them")


def _parting(workspace: Workspace, head: Head, pin: Pin) -> str:
    history = workspace.history(head.name)
    pinned = label(history, pin.commit) if history.has(pin.commit) else _short(pin.commit)
    there = label(history, head.commit) if head.commit is not None else "nothing yet"
    return f"the lock pins {pinned}, checked out is {there}"


def _short(commit: GitId) -> str:
    return commit[:12]


def _how(head: Head, is_only_staged_late: bool) -> str:
    if is_only_staged_late:
        return "`git add aimdvc.lock`"
    return f"`aimdvc checkout` follows the lock, `aimdvc checkout {head.name}@HEAD` pins what is checked out"


def _unsaved(workspace: Workspace, head: Head) -> Iterator[Finding]:
    merging = workspace.state.merges.get(head.id)
    if merging is not None:
        hint = f"`aimdvc commit {head.name}` finishes it, `aimdvc merge --abort {head.name}` undoes it"
        yield Finding(head.name, "merging", f"a {merging.kind} of {merging.title} is in progress", hint)
    staged = {
        row.path
        for row in workspace.state.staged(head)
        if row.place is not Place.HIDDEN or row.head_mode != 0 or is_told(row.path)
    }
    seen = scan(workspace, head)
    changed = {path_text(path) for path in (*changed_suspects(workspace, head, seen), *seen.deleted, *seen.untracked)}
    paths = sorted(staged | changed)
    if paths:
        what = f"{len(paths):,} uncommitted {'change' if len(paths) == 1 else 'changes'}"
        add = f"`aimdvc add {head.path}` and " if changed else ""
        yield Finding(head.name, "uncommitted", what, f"{add}`aimdvc commit {head.name}` save them", paths)
