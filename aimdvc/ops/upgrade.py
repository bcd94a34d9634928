"""`upgrade`: moves pins, and the workspace with them, to the newest version of their remotes or to a named one.

As a pull of one artifact, but that nothing is merged: what was committed here and isn't in the version stops it. Git
objects, blobs, files, then the branch, then index and HEAD, then lock := HEAD.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aimdvc.errors import Refused, UnknownArtifact
from aimdvc.git.history import History
from aimdvc.model.counts import Counts
from aimdvc.model.lock import Pin
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.ops.blobs import Means
from aimdvc.ops.bulk import Bulk, each
from aimdvc.ops.checkout import follow_pin
from aimdvc.ops.connect import Connector, connect_source
from aimdvc.ops.counting import count_between
from aimdvc.ops.fetch import fetch_history
from aimdvc.ops.lockfile import LockState, lock_state, read_pins, sync_lock
from aimdvc.ops.pull import PullOptions, bring, require_commit
from aimdvc.ops.revisions import label, resolve, resolve_anew, tracking_ref
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, origin_of_source


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What became of one pin. `old` and `new` are commits, `changes` what changed between them.

    `is_moved` is false when it was there already, and when it was only asked what would be.
    """

    artifact: str
    old_version: str
    new_version: str
    old: GitId
    new: GitId
    changes: Counts
    is_moved: bool
    written: int = 0
    deleted: int = 0


def upgrade(
    workspace: Workspace,
    connector: Connector,
    wanted: Mapping[str, str | None],
    means: Means,
    is_dry: bool = False,
) -> Bulk[Upgraded]:
    """Moves the pins of these artifacts to these revisions, None for the newest version; with none named, all pins.

    Fails for an artifact with LocalChange before any file was touched, with Refused when versions that were made here
    aren't in the newest one, with UnknownArtifact when nothing pins it. Safe to repeat.
    """
    pins = read_pins(workspace)

    def act(name: str) -> Upgraded:
        if name not in pins:
            raise UnknownArtifact(name, f"aimdvc.lock pins no artifact '{name}': `aimdvc clone` brings a new one")
        return _upgrade(workspace, connector, name, pins[name], wanted.get(name), means, is_dry)

    return each(list(wanted) or sorted(pins), act)


def _upgrade(
    workspace: Workspace,
    connector: Connector,
    name: str,
    pin: Pin,
    revision: str | None,
    means: Means,
    is_dry: bool,
) -> Upgraded:
    connection = connect_source(workspace, connector, name, pin.source)
    fetch_history(workspace, name, connection, means.progress)
    history = workspace.history(name)
    head = settle(workspace, name) if workspace.state.head(name) is not None else None
    if head is not None and lock_state(head, pin) not in (LockState.SAME, LockState.BEHIND):
        raise Refused(
            f"aimdvc.lock and HEAD of '{name}' part", hint="run `aimdvc checkout` first, which follows the lock"
        )
    old = head.commit if head is not None and head.commit is not None else pin.commit
    target = _target(workspace, history, head, name, pin, revision)
    if revision is None and history.has(old) and not history.is_ancestor(old, target):
        raise Refused(
            f"'{name}' has versions that the remote's newest one, {label(history, target)}, is without",
            hint=f"`aimdvc pull {name}` merges them, `aimdvc upgrade {name}@{label(history, target)}` leaves them",
        )
    changes = count_between(history, old if history.has(old) else None, target)
    names = label(history, old) if history.has(old) else old[:12], label(history, target)
    if is_dry or (head is not None and target == old):
        return Upgraded(name, *names, old, target, changes, False)
    if head is None:
        brought = bring(workspace, connector, name, pin._replace(commit=target), PullOptions(), means)
        return Upgraded(name, *names, old, target, changes, True, brought.written, brought.deleted)
    done = follow_pin(workspace, head, pin._replace(commit=target), force=False, means=means)
    sync_lock(workspace, moved={name})
    return Upgraded(name, *names, old, target, changes, True, done.written, done.deleted)


def _target(
    workspace: Workspace, history: History, head: Head | None, name: str, pin: Pin, revision: str | None
) -> GitId:
    if revision is not None:
        return resolve(workspace, head, revision) if head is not None else resolve_anew(history, name, revision)
    if head is not None and head.branch is not None:
        theirs = history.ref(tracking_ref(head, head.branch))
        if theirs is not None:
            return theirs
    remote = origin_of_source(name, pin.source)[0]
    return require_commit(history, name, history.ref(f"refs/remotes/{remote}/{MAIN.removeprefix('refs/')}"))
