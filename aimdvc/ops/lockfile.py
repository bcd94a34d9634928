"""aimdvc.lock and HEAD: the lock is HEAD's printed copy (design, section 3).

Every verb that ends with a HEAD elsewhere calls `sync_lock` as its last step. A lock that differs from HEAD was either
changed by Git, and `checkout` follows it, or left behind by a crash, and is rewritten: what we wrote last tells.
"""

from collections.abc import Collection
from enum import Enum

from aimdvc.errors import LockConflict
from aimdvc.model.lock import Pin, parse_lock
from aimdvc.model.lockmerge import MergedPins, dump_merged, parse_merged
from aimdvc.ops.lockmerge import conflict_of
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

_SETTLING = ("checkout", "merge")
"""The verbs whose result is what is to be pinned, also where a merge of the lock left two versions to choose from."""


class LockState(Enum):
    """How an artifact's pin stands to its HEAD."""

    SAME = "same"
    MOVED = "moved"
    """Git changed the lock: `checkout` follows it."""
    BEHIND = "behind"
    """A crash came before the lock was written: the next verb writes it."""
    MISSING = "missing"
    UNPINNED = "unpinned"
    """Git took the pin away: `checkout` takes the files away (ops/unpinned.py)."""
    ELSEWHERE = "elsewhere"
    """The lock names another path: `checkout` moves the artifact there."""


def read_pins(workspace: Workspace) -> dict[str, Pin]:
    """Returns what aimdvc.lock says, by artifact; every name and path in it was checked. Raises LockConflict."""
    raw = read_lock_file(workspace)
    try:
        return parse_lock(raw)
    except LockConflict as error:
        raise conflict_of(workspace, parse_merged(raw)) from error


def read_lock_file(workspace: Workspace) -> bytes:
    """Returns the bytes of aimdvc.lock, none where there is no file."""
    try:
        return workspace.lock_path.read_bytes()
    except FileNotFoundError:
        return b""


def known_pins(workspace: Workspace) -> dict[str, Pin]:
    """Returns what `read_pins` does, and while a merge is not settled what both sides pin alike, else ours."""
    merged = read_merged(workspace)
    ours = {name: pin for name, sides in merged.conflicts.items() if (pin := sides.ours or sides.theirs) is not None}
    return merged.pins | ours


def read_merged(workspace: Workspace) -> MergedPins:
    """Returns what aimdvc.lock says, also while a merge of it is not settled."""
    return parse_merged(read_lock_file(workspace))


def require_readable(workspace: Workspace, verb: str = "") -> None:
    """Raises for a lock that can't be read: before a verb touches anything that the lock would have to say.

    A merge that is not settled keeps all verbs away but those that settle an artifact of it.
    """
    try:
        read_pins(workspace)
    except LockConflict:
        if verb not in _SETTLING:
            raise


def lock_state(head: Head, pin: Pin | None) -> LockState:
    """Returns how an artifact's pin stands to its HEAD."""
    if pin is None:
        return LockState.SAME if head.commit is None else LockState.MISSING
    if pin.commit == head.commit:
        return LockState.SAME if pin.path == head.path else LockState.ELSEWHERE
    return LockState.BEHIND if pin.commit == head.written else LockState.MOVED


def sync_lock(workspace: Workspace, moved: Collection[str] = ()) -> None:
    """Writes lock := HEAD for the artifacts in `moved`, and for those whose lock a crash left behind.

    Durable and atomic; leaves the file alone when nothing differs, and it is written as aimdvc writes it. Pins that Git
    changed stay as they are. A merge of the lock that is not settled is so for those in `moved`, and stays for others.
    """
    with workspace.state.transaction():
        raw = read_lock_file(workspace)
        merged = parse_merged(raw)
        pins = merged.pins
        wanted = dict(pins)
        heads = workspace.state.heads()
        for head in heads:
            if head.commit is None:
                continue
            if head.name in merged.conflicts and head.name not in moved:
                continue
            state = lock_state(head, pins.get(head.name))
            if head.name in moved or state is LockState.BEHIND or (state is LockState.MISSING and head.written is None):
                wanted[head.name] = Pin(commit=head.commit, path=head.path, source=head.source)
        left = {name: sides for name, sides in merged.conflicts.items() if name not in wanted}
        content = dump_merged(MergedPins(wanted, left))
        if wanted != pins or (raw and raw != content):
            workspace.replace_file(workspace.lock_path, content)
        for head in heads:
            pin = wanted.get(head.name)
            if pin is not None and pin.commit == head.commit and head.written != head.commit:
                workspace.state.note_written(head, head.commit)


def replace_pin(workspace: Workspace, name: str, path: str | None) -> None:
    """Notes in aimdvc.lock that an artifact lies at another path, or with None that it is not used any more.

    Within a transaction of the state. Durable and atomic; an artifact without a pin is left alone.
    """
    merged = read_merged(workspace)
    pin = merged.pins.get(name)
    if (pin is None and (path is not None or name not in merged.conflicts)) or (pin is not None and pin.path == path):
        return
    left = merged.settle(name, pin._replace(path=path) if pin is not None and path is not None else None)
    if left.pins or left.conflicts:
        workspace.replace_file(workspace.lock_path, dump_merged(left))
    else:
        workspace.disk.unlink(workspace.lock_path)
        workspace.disk.sync_directory(workspace.root)
