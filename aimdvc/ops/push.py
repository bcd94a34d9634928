"""`push`: blobs that the remote lacks, then one atomic ref update by compare-and-set.

The remote shows a commit only when all its blobs are there. A push that lost a race changed nothing and says so.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from aimdvc.errors import RefMoved, RemoteRefused
from aimdvc.git.history import History
from aimdvc.git.transport import RemoteRefs
from aimdvc.model.commits import RefUpdate
from aimdvc.model.oid import GitId
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.alias import alias_bases
from aimdvc.ops.bulk import Bulk, each
from aimdvc.ops.connect import Connection, Connector, connect_artifact
from aimdvc.ops.evict import keep_within_limit
from aimdvc.ops.fetch import MAIN, follow_remote
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

NUMBERING = "aimd-numbers"
"""The capability of a remote that numbers versions itself."""

_VERSION = re.compile(r"refs/tags/v([1-9][0-9]{0,17})")


@dataclass(slots=True)
class Pushed:
    """What a push did, or with `is_dry_run` would do, for one artifact. `size` is in bytes."""

    artifact: str
    url: str
    old: GitId | None
    new: GitId | None
    is_dry_run: bool = False
    versions: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    blobs: int = 0
    size: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_up_to_date(self) -> bool:
        """Whether there was nothing to push."""
        return self.old == self.new and not self.aliases


@dataclass(slots=True)
class _Push:
    connection: Connection
    history: History
    known: RemoteRefs
    branch: str
    old: GitId | None
    new: GitId | None


def push(
    workspace: Workspace, connector: Connector, names: Iterable[str], progress: Progress, is_dry_run: bool = False
) -> Bulk[Pushed]:
    """Pushes the named artifacts, or all, and returns what was pushed. One round trip each when nothing is new.

    Fails with RefMoved for an artifact whose remote has what we lack: pull first.
    """

    def act(name: str) -> Pushed:
        head = settle(workspace, name)
        return _push_one(workspace, head, connect_artifact(workspace, connector, head), progress, is_dry_run)

    bulk = each(list(names) or [head.name for head in workspace.state.heads()], act)
    if not is_dry_run:
        keep_within_limit(workspace, connector, progress)
    return bulk


def _push_one(workspace: Workspace, head: Head, connection: Connection, progress: Progress, is_dry_run: bool) -> Pushed:
    name = head.name
    history = workspace.history(name)
    if head.commit is None:
        return Pushed(
            name, connection.url, None, None, is_dry_run, notes=["it has no version yet: run `aimdvc commit`"]
        )
    known = connection.transport.read_refs(for_push=True)
    branch = known.head if known.head is not None and known.head in known.refs else MAIN
    work = _Push(connection, history, known, branch, known.refs.get(branch), history.ref(MAIN))
    result = Pushed(name, connection.url, work.old, work.old, is_dry_run)
    main_updates = _main_updates(work, result)
    alias_updates = _alias_updates(work, result)
    if is_dry_run or not (main_updates or alias_updates):
        return result
    # Blobs before refs, of everything that a ref will lead to: an alias may name what main doesn't reach.
    tips = [update.new for update in [*main_updates, *alias_updates] if update.new is not None]
    sent = connection.blobs.upload(new_pointers(history, tips, _remote_commits(work)), workspace.blobs, progress)
    result.blobs, result.size = sent.blobs, sent.size_bytes
    _send(work, main_updates, alias_updates, result, progress)
    after = connection.transport.read_refs(for_push=False)
    follow_remote(workspace, name, history, connection, after)
    result.versions = _versions_of(history, main_updates, work)
    return result


def _main_updates(work: _Push, result: Pushed) -> list[RefUpdate]:
    if work.new is None or work.new == work.old:
        return []
    if work.old is not None:
        if not work.history.has(work.old):
            raise RefMoved("main", f"'{work.connection.url}' has versions that are not here")
        if work.history.is_ancestor(work.new, work.old):
            result.notes.append("the remote is ahead: run `aimdvc pull`")
            return []
        if not work.history.is_ancestor(work.old, work.new):
            raise RefMoved("main", f"it and '{work.connection.url}' have diverged")
    result.new = work.new
    updates = [RefUpdate(work.branch, work.old, work.new)]
    if NUMBERING not in work.known.capabilities:
        updates += _number(work)
    return updates


def _number(work: _Push) -> list[RefUpdate]:
    # What is numbered already keeps its number: a push that was cut may have moved the tags and not the branch.
    numbers = {commit: int(match[1]) for ref, commit in work.known.refs.items() if (match := _VERSION.fullmatch(ref))}
    highest = max(numbers.values(), default=0)
    assert work.new is not None
    new: list[GitId] = []
    for commit in work.history.iter_log(work.new, first_parent=True):
        if work.old is not None and (commit.id == work.old or work.history.is_ancestor(commit.id, work.old)):
            break
        if commit.id not in numbers:
            new.append(commit.id)
    return [RefUpdate(f"refs/tags/v{number}", None, commit) for number, commit in enumerate(reversed(new), highest + 1)]


def _alias_updates(work: _Push, result: Pushed) -> list[RefUpdate]:
    prefix = f"refs/remotes/{work.connection.remote}/"
    tracked = {ref[len(prefix) :]: commit for ref, commit in work.history.refs(prefix + "aliases/").items()}
    ours = {ref[len("refs/") :]: commit for ref, commit in work.history.refs("refs/aliases/").items()}
    bases = alias_bases(work.history)
    updates = []
    for ref in sorted(tracked.keys() | ours.keys()):
        seen, here, now = tracked.get(ref), ours.get(ref), work.known.refs.get(f"refs/{ref}")
        if here in (seen, now):
            continue
        alias = ref[len("aliases/") :]
        if now != bases.get(alias):
            raise RefMoved(
                f"alias {alias}",
                "it moved on the remote, too",
                hint=f"run `aimdvc fetch`, then `aimdvc alias set {result.artifact}@REV {alias}` or `alias delete`",
            )
        updates.append(RefUpdate(f"refs/{ref}", now, here))
        result.aliases.append(alias)
    return updates


def _send(
    work: _Push, main: Sequence[RefUpdate], aliases: Sequence[RefUpdate], result: Pushed, progress: Progress
) -> None:
    transport = work.connection.transport
    if NUMBERING in work.known.capabilities or not aliases:
        transport.push(work.history, [*main, *aliases], work.known, progress)
        return
    # Some hosts refuse a whole push for one unusual ref: main and its numbers first, aliases by themselves.
    if main:
        transport.push(work.history, main, work.known, progress)
    known = transport.read_refs(for_push=True) if main else work.known
    try:
        transport.push(work.history, aliases, known, progress)
    except RemoteRefused as error:
        result.notes.append(f"aliases stay local: {error.message}")
        result.aliases = []


def _remote_commits(work: _Push) -> list[GitId]:
    return [commit for commit in set(work.known.refs.values()) if work.history.has(commit)]


def new_pointers(history: History, tips: Iterable[GitId], have: Sequence[GitId]) -> Iterator[Pointer]:
    """Yields the pointers that commits reachable from the tips, and from none of `have`, bring in. Each oid once."""
    seen: set[str] = set()
    visited: set[str] = set()
    for tip in tips:
        for commit in history.iter_log(tip, without=have):
            if commit.id in visited:
                continue
            visited.add(commit.id)
            parent = history.commit(commit.parents[0]).tree if commit.parents else None
            for _, new in history.tree_changes(parent, commit.tree):
                if new is not None and new.pointer is not None and new.pointer.oid not in seen:
                    seen.add(new.pointer.oid)
                    yield new.pointer


def _versions_of(history: History, main: Sequence[RefUpdate], work: _Push) -> list[str]:
    if not main or work.new is None:
        return []
    numbered = {commit: ref for ref, commit in history.refs("refs/tags/").items() if _VERSION.fullmatch(ref)}
    found = []
    for commit in history.iter_log(work.new, first_parent=True):
        if commit.id == work.old:
            break
        if commit.id in numbered:
            found.append(numbered[commit.id][len("refs/tags/") :])
    return found[::-1]
