"""`pull`: fetch, then fast-forward or merge by path; artifacts that aimdvc.lock pins and that aren't here are brought.

Order: git objects, blobs, files, then the branch, then index and HEAD, then lock := HEAD. A merge that conflicts
stops as that of `merge` does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from aimdvc.errors import Refused, UnknownRevision
from aimdvc.git.history import History
from aimdvc.model.commits import RefUpdate
from aimdvc.model.lock import Pin
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.model.patterns import Part
from aimdvc.ops.adopt import adopt
from aimdvc.ops.blobs import Means
from aimdvc.ops.bulk import Bulk, each
from aimdvc.ops.checkout import CheckedOut, Destination, follow_pin, switch
from aimdvc.ops.codehead import read_code_head
from aimdvc.ops.connect import Connector, connect_artifact, connect_source
from aimdvc.ops.create import check_artifact_path
from aimdvc.ops.depth import Depth
from aimdvc.ops.evict import keep_within_limit
from aimdvc.ops.fetch import FetchOptions, bring_commit, fetch_history
from aimdvc.ops.join import Favor
from aimdvc.ops.lockfile import LockState, lock_state, read_pins, sync_lock
from aimdvc.ops.merge import MergeOptions, Tip, bring_in, catch_up
from aimdvc.ops.merging import require_no_merge
from aimdvc.ops.part import unmatched_patterns
from aimdvc.ops.rebase import rebase
from aimdvc.ops.relocate import relocate
from aimdvc.ops.revisions import label, short_branch, tracking_ref
from aimdvc.ops.settle import settle
from aimdvc.ops.status import count_beyond
from aimdvc.ops.unpinned import take_away, unpinned_names
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, origin_of_source


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did to one artifact: `how` says it.

    It is up-to-date, fast-forward, merge, rebase, checkout, detached, local for a branch that the remote doesn't have,
    or unpinned for an artifact that the code doesn't pin any more: its files went. `unmatched` are new patterns that
    matched no file. After a checkout of what the lock pins, `behind` counts the commits that the remote's branch has
    beyond it.
    """

    artifact: str
    how: str
    version: str
    old: GitId | None
    new: GitId | None
    written: int = 0
    deleted: int = 0
    unmatched: tuple[str, ...] = ()
    behind: int = 0


@dataclass(frozen=True, slots=True)
class PullOptions:
    """`favor` settles every conflict with one side; `rebase` makes local commits anew on the remote's tip.

    `part` is what to check out from now on, None for what was, and `parts` the same of single artifacts; `depth` how
    many versions of a history that is new or shallow are to be here, None for all of a new one.
    """

    favor: Favor | None = None
    rebase: bool = False
    part: Part | None = None
    depth: int | None = None
    parts: Mapping[str, Part | None] = field(default_factory=dict)


def pull(
    workspace: Workspace, connector: Connector, names: Iterable[str], options: PullOptions, means: Means
) -> Bulk[Pulled]:
    """Pulls the named artifacts, or all that are here or pinned, and returns what happened to each.

    Fails with MergeConflict after it was kept what is to settle, with LocalChange before any file was touched.
    """
    pins = read_pins(workspace)
    have = {head.name for head in workspace.state.heads()}
    wanted = list(names)
    gone = set() if wanted else set(unpinned_names(workspace, pins, read_code_head(workspace, pins)))

    def act(name: str) -> Pulled:
        own = replace(options, part=options.parts.get(name, options.part))
        if name in gone:
            return _take_away(workspace, name, means)
        pin = pins.get(name)
        if name not in have and pin is not None:
            return _told(workspace, bring(workspace, connector, name, pin, own, means), own.part)
        chosen = _choose(workspace, name, own.part, means) if own.part is not None else None
        done = _pull_one(workspace, connector, name, pin, own, means)
        if chosen is None:
            return done
        done = _told(workspace, done, own.part)
        return replace(done, written=done.written + chosen.written, deleted=done.deleted + chosen.deleted)

    bulk = each(wanted or [*sorted(gone), *sorted((have | pins.keys()) - gone)], act)
    keep_within_limit(workspace, connector, means.progress)
    return bulk


def _take_away(workspace: Workspace, name: str, means: Means) -> Pulled:
    done = take_away(workspace, name, means.progress)
    if done.is_kept:
        raise Refused(
            f"'{name}' is not pinned any more, and has local changes: it stays in '{done.path}'",
            hint=f"commit them; or `aimdvc checkout {name}@HEAD` pins it again",
        )
    return Pulled(name, "unpinned", done.version, done.commit, None, deleted=done.deleted)


def _told(workspace: Workspace, done: Pulled, part: Part | None) -> Pulled:
    unmatched = unmatched_patterns(workspace, workspace.head(done.artifact), part)
    return replace(done, unmatched=tuple(unmatched)) if unmatched else done


def bring(
    workspace: Workspace, connector: Connector, name: str, pin: Pin, options: PullOptions, means: Means
) -> Pulled:
    """Makes a pinned artifact that isn't here one of the workspace, at its pin; fetches what of it isn't in the store.

    Raises UnknownRevision for a pin that the remote doesn't have, LocalChange for files in its way.
    """
    depth = options.depth
    check_artifact_path(workspace, pin.path)
    history = workspace.history(name)
    if not history.has(pin.commit):
        connection = connect_source(workspace, connector, name, pin.source)
        tips = Depth(depth, ("main", pin.commit)) if depth is not None else None
        fetch_history(workspace, name, connection, means.progress, FetchOptions(depth=tips))
        bring_commit(workspace, name, connection, pin.commit, means.progress)
        if not history.has(pin.commit):
            raise not_published(name, pin, connection.url)
    start_branch(workspace, history, origin_of_source(name, pin.source)[0])
    head = adopt(workspace, name, pin, options.part, is_known=True)
    return _follow(workspace, head, pin, means)


def _follow(workspace: Workspace, head: Head, pin: Pin, means: Means) -> Pulled:
    done = follow_pin(workspace, head, pin, force=False, means=means)
    sync_lock(workspace, moved={head.name})
    history = workspace.history(head.name)
    theirs = history.ref(tracking_ref(head, done.branch)) if done.branch is not None else None
    behind = count_beyond(history, theirs, pin.commit) if theirs is not None else 0
    return Pulled(
        head.name, "checkout", done.version, head.commit, done.commit, done.written, done.deleted, behind=behind
    )


def not_published(name: str, pin: Pin, url: str) -> UnknownRevision:
    """Returns the error for a pin that the remote doesn't have."""
    return UnknownRevision(
        name, pin.commit, f"aimdvc.lock pins it, and '{url}' doesn't have it: whoever made it has yet to `aimdvc push`"
    )


def start_branch(workspace: Workspace, history: History, remote: str, branch: str = "main") -> None:
    """Makes a branch of the remote one here, where there is none of its name. Safe to repeat."""
    theirs = history.ref(f"refs/remotes/{remote}/heads/{branch}")
    if theirs is not None and history.ref(f"refs/heads/{branch}") is None:
        history.move_refs([RefUpdate(f"refs/heads/{branch}", None, theirs)], "clone", workspace.actor())


def _pull_one(
    workspace: Workspace, connector: Connector, name: str, pin: Pin | None, options: PullOptions, means: Means
) -> Pulled:
    head = settle(workspace, name)
    require_no_merge(workspace, head, "pull")
    if pin is not None and pin.path != head.path:
        relocate(workspace, head, pin.path)
        head = workspace.head(head.name)
    history = workspace.history(name)
    connection = connect_artifact(workspace, connector, head)
    depth = Depth(options.depth) if options.depth is not None else None
    fetch_history(workspace, name, connection, means.progress, FetchOptions(depth=depth))
    old = head.commit
    if pin is not None and lock_state(head, pin) is LockState.MOVED:
        bring_commit(workspace, name, connection, pin.commit, means.progress)
        if not history.has(pin.commit):
            raise not_published(name, pin, connection.url)
        return _follow(workspace, head, pin, means)
    start_branch(workspace, history, connection.remote)
    if head.branch is None and head.commit is not None:
        return Pulled(name, "detached", label(history, head.commit), old, old)
    branch = head.branch or MAIN
    theirs = history.ref(f"refs/remotes/{connection.remote}/{branch.removeprefix('refs/')}")
    if theirs is None:
        return Pulled(name, "up-to-date" if branch == MAIN else "local", label(history, old), old, old)
    head = catch_up(workspace, head, means)
    if options.rebase and head.commit is not None:
        done = rebase(workspace, head, theirs, means)
    else:
        tip = Tip("pull", theirs, f"branch '{short_branch(branch)}' of {connection.remote}", True)
        done = bring_in(workspace, head, tip, MergeOptions(options.favor), means)
    sync_lock(workspace, moved={name})
    return Pulled(name, done.how, done.version, old, done.new, done.written, done.deleted)


def _choose(workspace: Workspace, name: str, part: Part, means: Means) -> CheckedOut | None:
    """Makes a part what is checked out, before anything is brought that would not be wanted."""
    head = settle(workspace, name)
    require_no_merge(workspace, head, "pull")
    if head.commit is not None:
        return switch(workspace, head, Destination(head.commit, head.branch, part), False, means, why="pull")
    with workspace.state.transaction():
        workspace.state.parts.put(head.id, part)
    return None


def require_commit(history: History, name: str, commit: GitId | None) -> GitId:
    """Returns the commit. Raises UnknownRevision when the remote has none yet."""
    if commit is None:
        raise UnknownRevision(name, "main")
    return commit
