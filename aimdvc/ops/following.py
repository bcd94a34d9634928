"""`checkout` of what aimdvc.lock says: pinned artifacts come or move, and those that Git unpinned go.

Built of the steps of `checkout`; called by the command and by what follows a checkout of the code.
"""

from dataclasses import dataclass

from aimdvc.errors import LocalChange, UsageError
from aimdvc.model.entries import path_text
from aimdvc.ops.adopt import adopt
from aimdvc.ops.blobs import Means, ensure_blobs
from aimdvc.ops.checkout import CheckedOut, entry_of, follow_pin
from aimdvc.ops.codehead import CodeState, read_code_head
from aimdvc.ops.lockfile import LockState, lock_state, read_pins, sync_lock
from aimdvc.ops.part import everything
from aimdvc.ops.plan import plan_checkout
from aimdvc.ops.relocate import relocate
from aimdvc.ops.revisions import label
from aimdvc.ops.scan import clock_ns, scan
from aimdvc.ops.settle import settle
from aimdvc.ops.unpinned import Unpinned, take_away, unpinned_names
from aimdvc.ops.workspace import Workspace
from aimdvc.ops.write import write_plan
from aimdvc.store.state import Head


@dataclass(frozen=True, slots=True)
class Followed:
    """What `checkout` of the lock did: what moved, and which pinned artifacts aren't here: they need `pull`.

    `unpinned` are those that the code doesn't pin any more.
    """

    moved: list[CheckedOut]
    missing: list[str]
    unpinned: list[Unpinned]

    @property
    def is_as_pinned(self) -> bool:
        """Whether the workspace is now what the lock says."""
        return not self.missing and not any(one.is_kept for one in self.unpinned)


def checkout_lock(workspace: Workspace, force: bool, means: Means) -> Followed:
    """Makes the workspace what aimdvc.lock says.

    A pinned artifact that this workspace doesn't have is brought when its history is in the store, as in a new worktree
    or after the loss of state.db. What isn't pinned any more goes first: another may be pinned at its path. Raises
    UsageError for a lock that was deleted, LocalChange, MissingBlob, UnknownRevision.
    """
    pins = read_pins(workspace)
    code = read_code_head(workspace, pins)
    if code.state is CodeState.DELETED and any(head.name in code.pins for head in workspace.state.heads()):
        raise UsageError(
            "aimdvc.lock is gone, and the code's HEAD has it", hint="`git checkout HEAD -- aimdvc.lock` brings it back"
        )
    gone = [take_away(workspace, name, means.progress) for name in unpinned_names(workspace, pins, code)]
    have = {head.name for head in workspace.state.heads()}
    moved, missing = [], []
    for name, pin in pins.items():
        if name in have:
            head = settle(workspace, name)
            if head.path != pin.path:
                relocate(workspace, head, pin.path)
                head = workspace.head(name)
            if lock_state(head, pin) is LockState.MOVED or (force and head.commit == pin.commit):
                moved.append(follow_pin(workspace, head, pin, force, means))
            elif head.commit == pin.commit and (restored := _bring_back(workspace, head, means)) is not None:
                moved.append(restored)
        elif workspace.repository_path(name).exists() and workspace.history(name).has(pin.commit):
            head = adopt(workspace, name, pin, is_known=True)
            moved.append(follow_pin(workspace, head, pin, force, means))
        else:
            missing.append(name)
    sync_lock(workspace, moved={result.artifact for result in moved})
    return Followed(moved, missing, gone)


def _bring_back(workspace: Workspace, head: Head, means: Means) -> CheckedOut | None:
    """Writes the files that were removed and not staged as removed; None when there are none. Changed ones stay."""
    gone = scan(workspace, head).deleted
    if not gone:
        return None
    rows = (workspace.state.row(head, path_text(raw)) for raw in gone)
    entries = [entry for row in rows if row is not None and (entry := entry_of(row)) is not None]
    plan = plan_checkout(workspace, head, [(entry, entry) for entry in entries], False, everything)
    if plan.lost:
        raise LocalChange(f"checkout of '{head.name}' would lose local changes", sorted(set(plan.lost)))
    ensure_blobs(workspace, head, plan.pointers(), means)
    with workspace.writing_files():
        stats = write_plan(workspace, head, plan, means.progress)
        now_ns = clock_ns(workspace.places.state)
        with workspace.state.transaction():
            workspace.state.refresh_stats(head, stats.items(), now_ns)
    name = label(workspace.history(head.name), head.commit)
    assert head.commit is not None, "a pin names a commit"
    return CheckedOut(head.name, head.path, name, head.commit, head.branch, len(plan.write), 0)
