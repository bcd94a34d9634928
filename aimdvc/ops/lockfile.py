"""aimdvc.lock and HEAD: the lock is HEAD's printed copy (design, section 3).

Every verb that ends with a HEAD elsewhere calls `sync_lock` as its last step. A lock that differs from HEAD was either
changed by Git, and `checkout` follows it, or left behind by a crash, and is rewritten: what we wrote last tells.
"""

from collections.abc import Collection
from enum import Enum

from aimdvc.model.lock import Pin, dump_lock, parse_lock
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head


class LockState(Enum):
    """How an artifact's pin stands to its HEAD."""

    SAME = "same"
    MOVED = "moved"
    """Git changed the lock: `checkout` follows it."""
    BEHIND = "behind"
    """A crash came before the lock was written: the next verb writes it."""
    MISSING = "missing"
    ELSEWHERE = "elsewhere"
    """The lock names another path: `checkout` moves the artifact there."""


def read_pins(workspace: Workspace) -> dict[str, Pin]:
    """Returns what aimdvc.lock says, by artifact; every name and path in it was checked."""
    return parse_lock(read_lock_file(workspace))


def read_lock_file(workspace: Workspace) -> bytes:
    """Returns the bytes of aimdvc.lock, none where there is no file."""
    try:
        return workspace.lock_path.read_bytes()
    except FileNotFoundError:
        return b""


def require_readable(workspace: Workspace) -> None:
    """Raises for a lock that can't be read: before a verb touches anything that the lock would have to say."""
    read_pins(workspace)


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
    changed stay as they are.
    """
    with workspace.state.transaction():
        raw = read_lock_file(workspace)
        pins = parse_lock(raw)
        wanted = dict(pins)
        heads = workspace.state.heads()
        for head in heads:
            if head.commit is None:
                continue
            state = lock_state(head, pins.get(head.name))
            if head.name in moved or state is LockState.BEHIND or (state is LockState.MISSING and head.written is None):
                wanted[head.name] = Pin(commit=head.commit, path=head.path, source=head.source)
        if wanted != pins or (raw and raw != dump_lock(wanted)):
            workspace.replace_file(workspace.lock_path, dump_lock(wanted))
        for head in heads:
            pin = wanted.get(head.name)
            if pin is not None and pin.commit == head.commit and head.written != head.commit:
                workspace.state.note_written(head, head.commit)


def replace_pin(workspace: Workspace, name: str, path: str | None) -> None:
    """Notes in aimdvc.lock that an artifact lies at another path, or with None that it is not used any more.

    Within a transaction of the state. Durable and atomic; an artifact without a pin is left alone.
    """
    pins = read_pins(workspace)
    pin = pins.pop(name, None)
    if pin is None or pin.path == path:
        return
    if path is not None:
        pins[name] = pin._replace(path=path)
    if pins:
        workspace.replace_file(workspace.lock_path, dump_lock(pins))
    else:
        workspace.disk.unlink(workspace.lock_path)
        workspace.disk.sync_directory(workspace.root)
