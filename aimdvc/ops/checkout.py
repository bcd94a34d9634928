"""`checkout`: the workspace becomes what a version holds, or what aimdvc.lock says.

Order: plan, refuse what would lose a change, fetch blobs that are missing, write files by temporary name and rename,
then index and HEAD in one transaction, then lock := HEAD. Cut anywhere, running it again finishes it: what is already
on disk as wanted is kept.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from aimdvc.errors import ChangedMeanwhile, LocalChange, UnknownArtifact, UnknownRevision
from aimdvc.git.history import History
from aimdvc.model.commits import RefUpdate
from aimdvc.model.entries import Entry
from aimdvc.model.lock import Pin
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.model.patterns import Part
from aimdvc.model.pointer import Pointer
from aimdvc.ops.adopt import adopt
from aimdvc.ops.blobs import Means, ensure_blobs
from aimdvc.ops.lockfile import require_readable, sync_lock
from aimdvc.ops.merging import require_no_merge
from aimdvc.ops.part import moving_rows, unmatched_patterns, wanted_paths
from aimdvc.ops.plan import CheckoutPlan, EntryPair, plan_checkout, row_of
from aimdvc.ops.revisions import label, resolve, resolve_anew, tracking_ref
from aimdvc.ops.scan import clock_ns
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace
from aimdvc.ops.write import write_plan
from aimdvc.store.state import Head, Place, Row, Stat, is_racy


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """What a checkout did. Counts are of files on disk; `commit` is None for an artifact that has none.

    `absent` counts the files of the version that are not checked out; `unmatched` are new patterns that matched none.
    """

    artifact: str
    path: str
    version: str
    commit: GitId | None
    branch: str | None
    written: int
    deleted: int
    absent: int = 0
    unmatched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a HEAD goes: a commit, and the branch it is then on, None for detached.

    `part` is what is checked out from now on, None for what was.
    """

    commit: GitId
    branch: str | None
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class CheckoutOptions:
    """`force` loses local changes; `part` is what to check out from now on, None for what was."""

    force: bool = False
    part: Part | None = None


def checkout(
    workspace: Workspace, name: str, revision: str | None, options: CheckoutOptions, means: Means
) -> CheckedOut:
    """Makes the artifact's files those of a revision, or a part of them; a branch's name attaches HEAD to it.

    Raises LocalChange before anything is touched, MissingBlob, UnknownRevision, StorageError.
    """
    head = settle(workspace, name)
    require_no_merge(workspace, head, "checkout")
    to = find_destination(workspace, name, head, revision or "HEAD")
    result = switch(workspace, head, replace(to, part=options.part), options.force, means)
    sync_lock(workspace, moved={name})
    return result


def bring_back(workspace: Workspace, name: str, revision: str | None, path: str, means: Means) -> CheckedOut:
    """Makes an artifact that only the store has one of the workspace again, at a path. Raises UnknownArtifact."""
    if not workspace.repository_path(name).exists():
        raise UnknownArtifact(name)
    history = workspace.history(name)
    to = find_destination(workspace, name, None, revision or "main")
    remotes = {ref.split("/")[2] for ref in history.refs("refs/remotes/")}
    source = f"{min(remotes)}/{name}" if remotes and "origin" not in remotes else None
    head = adopt(workspace, name, Pin(to.commit, path, source))
    result = switch(workspace, head, to, False, means)
    sync_lock(workspace, moved={name})
    return result


def follow_pin(workspace: Workspace, head: Head, pin: Pin, force: bool, means: Means) -> CheckedOut:
    """Checks out the commit that a pin names, on its branch where it is a tip, or where that can go on to it.

    A branch goes on to a pin that comes after its tip and is published on the remote's same branch: so a pull of the
    code, and then of the data, leaves nobody detached. Raises UnknownRevision, Refused.
    """
    require_no_merge(workspace, head, "checkout")
    history = workspace.history(head.name)
    if not history.has(pin.commit):
        raise UnknownRevision(head.name, pin.commit, "run `aimdvc pull`: it was not fetched yet")
    branch = _branch_at(history, head, pin.commit)
    advance = _advance(history, head, pin.commit) if branch is None else None
    to = Destination(pin.commit, advance.ref if advance is not None else branch)
    return switch(workspace, head, to, force, means, advance)


def _advance(history: History, head: Head, commit: GitId) -> RefUpdate | None:
    """Returns the move of the current branch, or of main, that a pin on its remote's line is a fast-forward of."""
    branch = head.branch or MAIN
    tip, theirs = history.ref(branch), history.ref(tracking_ref(head, branch))
    if tip is None or theirs is None or not history.is_ancestor(tip, commit):
        return None
    return RefUpdate(branch, tip, commit) if history.is_ancestor(commit, theirs) else None


def _branch_at(history: History, head: Head, commit: GitId) -> str | None:
    """Returns the branch that a pinned commit is the tip of: the current one, else main, else the only one."""
    tips = [ref for ref, tip in history.refs("refs/heads/").items() if tip == commit]
    for branch in (head.branch, MAIN):
        if branch in tips:
            return branch
    return tips[0] if len(tips) == 1 else None


def find_destination(workspace: Workspace, name: str, head: Head | None, revision: str) -> Destination:
    """Returns where a revision leads: a branch's name, or main's tip, attaches; anything else detaches.

    `head` is None for an artifact that is not checked out yet.
    """
    history = workspace.history(name)
    if revision in ("HEAD", "") and head is not None and head.commit is not None:
        return Destination(head.commit, head.branch)
    named = "main" if revision == "latest" else revision
    commit = resolve(workspace, head, revision) if head is not None else resolve_anew(history, name, revision)
    if history.ref(f"refs/heads/{named}") == commit:
        return Destination(commit, f"refs/heads/{named}")
    return Destination(commit, MAIN if history.ref(MAIN) == commit else None)


def switch(
    workspace: Workspace,
    head: Head,
    to: Destination,
    force: bool,
    means: Means,
    advance: RefUpdate | None = None,
    why: str = "checkout",
) -> CheckedOut:
    """Moves files, index and HEAD to a destination, and ends a merge in progress; the lock is the caller's.

    `advance` is a branch to move by compare-and-set when the files are there and before the index is saved; `why` goes
    into its reflog. Raises ChangedMeanwhile when another process moved HEAD or changed a file since the plan was made.
    """
    require_readable(workspace, why.partition(" ")[0])
    history = workspace.history(head.name)
    target = history.commit(to.commit).tree
    who, message = workspace.actor(), f"{why}: to {to.commit[:12]}"
    pairs = list(_pairs(workspace, head, history, target, force))
    moving = [] if to.part is None else _moving(workspace, head, to.part, pairs)
    pairs += [(entry_of(row), entry_of(row)) for row in moving]
    with files_written(workspace, head, pairs, force, means, why.partition(" ")[0], to.part) as (plan, rows):
        if advance is not None:
            history.move_refs([advance], message, who)
        with workspace.state.transaction():
            require_unmoved(workspace, head)
            workspace.state.delete_rows(head, removed(pairs))
            workspace.state.put_rows(head, _still_staged(rows, moving))
            if to.part is not None:
                workspace.state.parts.put(head.id, to.part)
            workspace.state.move_head(head, to.branch, to.commit, target, who, message)
            workspace.state.merges.end(head.id)
    version, absent = label(history, to.commit), workspace.state.parts.count_absent(head.id)
    unmatched = tuple(unmatched_patterns(workspace, head, to.part))
    counts = len(plan.write), len(plan.delete), absent
    return CheckedOut(head.name, head.path, version, to.commit, to.branch, *counts, unmatched)


def _moving(workspace: Workspace, head: Head, part: Part, pairs: Iterable[EntryPair]) -> list[Row]:
    changed = {(old or new).path for old, new in pairs}  # type: ignore[union-attr]
    return [row for row in moving_rows(workspace, head, part) if row.path not in changed]


def _still_staged(rows: Sequence[Row], moving: Sequence[Row]) -> list[Row]:
    """Returns the rows; an entry that only came to the disk or left it stays staged if it was."""
    staged = {row.path: row for row in moving if row.is_staged}
    return [row.with_head_of(staged[row.path]) if row.path in staged else row for row in rows]


@contextmanager
def files_written(
    workspace: Workspace,
    head: Head,
    pairs: Sequence[EntryPair],
    force: bool,
    means: Means,
    what: str,
    part: Part | None = None,
) -> Iterator[tuple[CheckoutPlan, list[Row]]]:
    """Makes the files those of the second entries of the pairs; the `with` body saves the index rows that it is given.

    While it lasts no other verb writes files. Raises LocalChange before anything is touched, MissingBlob,
    ChangedMeanwhile; `what` is the verb that would lose a change. What is outside of the part, or of that in force, is
    not written.
    """
    plan = plan_checkout(workspace, head, pairs, force, wanted_paths(workspace, head, part))
    if plan.lost:
        hint = None if what == "checkout" else "commit them, or put them aside first"
        hint = "move them away first" if force else hint
        raise LocalChange(f"{what} of '{head.name}' would lose local changes", sorted(set(plan.lost)), hint)
    ensure_blobs(workspace, head, plan.pointers(), means)
    with workspace.writing_files():
        require_unmoved(workspace, head)
        stats = write_plan(workspace, head, plan, means.progress)
        yield plan, _planned_rows(workspace, plan, stats)


def require_unmoved(workspace: Workspace, head: Head) -> None:
    """Raises ChangedMeanwhile when HEAD isn't any more where the caller saw it."""
    now = workspace.head(head.name)
    if (now.commit, now.branch) != (head.commit, head.branch):
        raise ChangedMeanwhile(f"HEAD of {head.name}")


def require_same(workspace: Workspace, head: Head, rows: Iterable[Row]) -> None:
    """Raises ChangedMeanwhile when the index isn't any more what the caller read there. Within a transaction."""
    for row, now in workspace.state.paired(head, rows):
        if now is None or (now.mode, now.git_id) != (row.mode, row.git_id):
            raise ChangedMeanwhile(row.path)


def _pairs(workspace: Workspace, head: Head, history: History, target: GitId, force: bool) -> Iterable[EntryPair]:
    """Yields what differs: between HEAD's tree and the target, and with force whatever the disk has otherwise."""
    changed = set()
    for old, new in history.tree_changes(head.tree, target):
        changed.add((old or new).path)  # type: ignore[union-attr]
        yield old, new
    if not force:
        return
    # Forced: every tracked path is held against the disk, and what was only staged goes away.
    wanted = {entry.path: entry for entry in history.iter_entries(target)}
    for row in list(workspace.state.rows(head)):
        if row.path in changed:
            continue
        new = wanted.get(row.path)
        if new is not None or row.place is Place.DISK:
            yield entry_of(row), new


def entry_of(row: Row) -> Entry | None:
    """Returns the index's entry, or None for a deleted one."""
    if row.mode == 0 or row.git_id is None:
        return None
    pointer = Pointer(row.oid, row.size) if row.is_pointer and row.oid else None
    return Entry(row.path, row.mode, row.git_id, pointer)


def removed(pairs: Iterable[EntryPair]) -> list[str]:
    """Returns the paths that the pairs take away."""
    return [old.path for old, new in pairs if old is not None and new is None]


def staged_rows(workspace: Workspace, head: Head, rows: Iterable[Row], deleted: Iterable[str]) -> list[Row]:
    """Returns rows as changes of HEAD: each with what HEAD has at its path; what is deleted is noted as such."""
    staged = [
        row._replace(head_mode=0, head_id=None) if before is None else row.with_head_of(before)
        for row, before in workspace.state.paired(head, rows)
    ]
    known = (workspace.state.row(head, path) for path in deleted)
    return staged + [row.deleted() for row in known if row is not None]


def _planned_rows(workspace: Workspace, plan: CheckoutPlan, stats: dict[str, Stat]) -> list[Row]:
    now_ns = clock_ns(workspace.places.state)
    rows = [row_of(entry, Place.HIDDEN) for entry in plan.hidden]
    rows += [row_of(entry, Place.ABSENT) for entry in plan.absent]
    rows += [row_of(entry, Place.DISK, _settled(stats.get(entry.path), now_ns)) for entry in plan.write]
    return rows + [row_of(entry, Place.DISK, _settled(stat, now_ns)) for entry, stat in plan.keep]


def _settled(stat: Stat | None, now_ns: int) -> Stat | None:
    return None if stat is None or is_racy(stat, now_ns) else stat
