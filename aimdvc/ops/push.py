"""`push`: blobs that the remote lacks, then one atomic ref update by compare-and-set.

The remote shows a commit only when all its blobs are there. A push that lost a race changed nothing and says so.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from aimdvc.errors import RefMoved, Refused, RemoteRefused, ShallowHistory
from aimdvc.git.history import History
from aimdvc.git.refnames import telling
from aimdvc.git.transport import RemoteRefs
from aimdvc.model.commits import RefUpdate
from aimdvc.model.names import MAIN, VERSION_TAG
from aimdvc.model.oid import GitId
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.alias import alias_bases
from aimdvc.ops.bulk import Bulk, each
from aimdvc.ops.connect import Connection, Connector, connect_artifact
from aimdvc.ops.evict import keep_within_limit
from aimdvc.ops.fetch import follow_remote, tracked_names
from aimdvc.ops.heal import heal_blobs
from aimdvc.ops.settle import settle
from aimdvc.ops.went_back import Setback, find_setback, went_back
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

NUMBERING = "aimd-numbers"
"""The capability of a remote that numbers versions itself."""


@dataclass(frozen=True, slots=True)
class PushOptions:
    """`is_dry_run` sends nothing; `is_restore` gives a remote what it lost: versions, when it went back, and blobs."""

    is_dry_run: bool = False
    is_restore: bool = False


@dataclass(slots=True)
class Pushed:
    """What a push did, or with `is_dry_run` would do, for one artifact: `branch` went there. Sizes are in bytes.

    `healed` blobs of versions that the remote has were lost there, and are there again.
    """

    artifact: str
    branch: str
    url: str
    old: GitId | None
    new: GitId | None
    is_dry_run: bool = False
    versions: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    blobs: int = 0
    size: int = 0
    healed: int = 0
    healed_size: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_up_to_date(self) -> bool:
        """Whether there was nothing to push."""
        return self.old == self.new and not (self.aliases or self.versions or self.healed)


@dataclass(slots=True)
class _Push:
    """`ref` is our branch, and `branch` what it is on the remote."""

    connection: Connection
    history: History
    known: RemoteRefs
    ref: str
    branch: str
    old: GitId | None
    new: GitId | None
    setback: Setback | None

    @property
    def base(self) -> GitId | None:
        """What was published: the remote's main, or what that was before it went back."""
        return self.setback.main if self.setback is not None else self.old


_NORMAL = PushOptions()


def push(
    workspace: Workspace,
    connector: Connector,
    names: Iterable[str],
    progress: Progress,
    options: PushOptions = _NORMAL,
) -> Bulk[Pushed]:
    """Pushes the named artifacts, or all, and returns what was pushed. One round trip each when nothing is new.

    Fails with RefMoved for an artifact whose remote has what we lack: pull first; with RemoteWentBack for one that lost
    versions, unless these are to be restored.
    """

    def act(name: str) -> Pushed:
        head = settle(workspace, name)
        return _push_one(workspace, head, connect_artifact(workspace, connector, head), progress, options)

    bulk = each(list(names) or [head.name for head in workspace.state.heads()], act)
    if not options.is_dry_run:
        keep_within_limit(workspace, connector, progress)
    return bulk


def _push_one(
    workspace: Workspace, head: Head, connection: Connection, progress: Progress, options: PushOptions
) -> Pushed:
    name = head.name
    history = workspace.history(name)
    is_dry_run = options.is_dry_run
    # A detached HEAD has no branch to push: what main and the aliases have is sent all the same.
    ref = MAIN if options.is_restore or head.branch is None else head.branch
    short = ref.removeprefix("refs/heads/")
    if head.commit is None:
        note = "it has no version yet: run `aimdvc commit`"
        return Pushed(name, short, connection.url, None, None, is_dry_run, notes=[note])
    known = refs_for_push(connection)
    branch = _branch_there(head, ref, known, connection.url)
    setback = find_setback(history, connection.remote, tracked_names(known))
    if setback is not None and not options.is_restore:
        raise went_back(workspace, name, connection.remote, connection.url, setback)
    new = _furthest(history, history.ref(ref), setback)
    work = _Push(connection, history, known, ref, branch, known.refs.get(branch), new, setback)
    result = Pushed(name, short, connection.url, work.old, work.old, is_dry_run)
    main_updates = _branch_updates(work, result)
    alias_updates = _alias_updates(work, result)
    if is_dry_run:
        return result
    if options.is_restore:
        _heal(workspace, work, result, progress)
    if not (main_updates or alias_updates):
        # A push that was cut after the remote's refs moved, and before ours knew it, ends here.
        follow_remote(workspace, name, history, connection, known)
        return result
    # Blobs before refs, of everything that a ref will lead to: an alias may name what main doesn't reach.
    there = set(known.refs.values())
    tips = [
        update.new for update in [*main_updates, *alias_updates] if update.new is not None and update.new not in there
    ]
    sent = connection.blobs.upload(new_pointers(history, tips, _remote_commits(work)), workspace.blobs, progress)
    result.blobs, result.size = sent.blobs, sent.size_bytes
    _send(work, main_updates, alias_updates, result, progress)
    after = connection.transport.read_refs(for_push=False)
    follow_remote(workspace, name, history, connection, after)
    result.versions = _versions_of(history, main_updates, work)
    return result


def _heal(workspace: Workspace, work: _Push, result: Pushed, progress: Progress) -> None:
    """Asks the remote for the blobs of the versions that it has, and sends those that it lost."""
    if work.history.shallow:
        result.notes.append("the history here is shallow: blobs that the remote lost were not looked for")
        return
    pointers = new_pointers(work.history, _remote_commits(work), ())
    healed = heal_blobs(workspace, work.connection, pointers, progress)
    result.healed, result.healed_size = healed.blobs, healed.size
    if healed.lost:
        result.notes.append(f"blobs that neither the remote nor this store has: {healed.lost}")


def refs_for_push(connection: Connection) -> RemoteRefs:
    """Returns the remote's refs as they can be moved, with what its HEAD names."""
    known = connection.transport.read_refs(for_push=True)
    if known.head is None and known.refs and NUMBERING not in known.capabilities:
        # Git's receive-pack doesn't say what HEAD names, upload-pack does.
        return replace(known, head=connection.transport.read_refs(for_push=False).head)
    return known


def _furthest(history: History, ours: GitId | None, setback: Setback | None) -> GitId | None:
    """Returns what the remote's main becomes: ours, or what it lost, where ours doesn't reach that (yet)."""
    lost = setback.main if setback is not None else None
    if lost is None or (ours is not None and history.is_ancestor(lost, ours)):
        return ours
    return lost


def _branch_there(head: Head, ref: str, known: RemoteRefs, url: str) -> str:
    """Returns the name that a branch of ours has on the remote, whose HEAD branch is our main."""
    its_main = known.head if known.head is not None and known.head in known.refs else MAIN
    if ref == MAIN:
        return its_main
    if ref == its_main:
        raise Refused(
            f"'{ref.removeprefix('refs/heads/')}' of '{url}' is main here: a branch of that name can't be pushed there",
            hint=f"run `aimdvc branch -m {head.name}@{ref.removeprefix('refs/heads/')} NEW`, then push",
        )
    return ref


def _branch_updates(work: _Push, result: Pushed) -> list[RefUpdate]:
    is_numbering = work.ref == MAIN and NUMBERING not in work.known.capabilities
    lost = _lost_versions(work) if is_numbering else []
    if work.new is None or work.new == work.old:
        return lost
    if work.old is not None:
        if not work.history.has(work.old):
            raise RefMoved(
                result.branch, f"'{work.connection.url}' has versions that are not here", _after_restore(work, result)
            )
        if work.history.is_ancestor(work.new, work.old):
            result.notes.append("the remote is ahead: run `aimdvc pull`")
            return []
        if not work.history.is_ancestor(work.old, work.new):
            raise RefMoved(result.branch, f"it and '{work.connection.url}' have diverged", _after_restore(work, result))
    result.new = work.new
    updates = [RefUpdate(work.branch, work.old, work.new)]
    if is_numbering:
        updates += [*lost, *_number(work, lost)]
    return updates


def _after_restore(work: _Push, result: Pushed) -> str | None:
    if work.setback is None:
        return None
    return (
        f"others pushed since it went back: run `aimdvc fetch --force {result.artifact}`, then `aimdvc pull` and"
        " `aimdvc push`; what it lost gets new numbers"
    )


def _lost_versions(work: _Push) -> list[RefUpdate]:
    lost = work.setback.versions if work.setback is not None else {}
    return [
        RefUpdate(f"refs/{name}", None, git_id)
        for name, git_id in lost.items()
        if f"refs/{name}" not in work.known.refs
    ]


def _number(work: _Push, lost: Sequence[RefUpdate]) -> list[RefUpdate]:
    # What is numbered already keeps its number: a push that was cut may have moved the tags and not the branch.
    known = work.known.refs | {update.ref: update.new for update in lost if update.new is not None}
    numbers = {commit: int(match[1]) for ref, commit in known.items() if (match := VERSION_TAG.fullmatch(ref))}
    highest = max(numbers.values(), default=0)
    assert work.new is not None
    new: list[GitId] = []
    for commit in work.history.iter_line(work.new):
        if work.base is not None and (commit.id == work.base or work.history.is_ancestor(commit.id, work.base)):
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
        is_lost = work.setback is not None and ref in work.setback.aliases
        if here == now or (here == seen and not is_lost):
            continue
        alias = ref[len("aliases/") :]
        if now != bases.get(alias) and not is_lost:
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
    # Some hosts refuse a whole push for one unusual ref: main and its numbers first, aliases by themselves. A restore
    # has them first: cut in between, the remote still lacks versions, and the next one goes on.
    order = (main, aliases) if work.setback is None else (aliases, main)
    known = work.known
    for updates in filter(None, order):
        try:
            transport.push(work.history, updates, known, progress)
        except RemoteRefused as error:
            if updates is main:
                raise
            result.notes.append(f"aliases stay local: {error.message}")
            result.aliases = []
        if updates is order[0]:
            known = transport.read_refs(for_push=True)


def _remote_commits(work: _Push) -> list[GitId]:
    return [commit for commit in telling(work.known.refs) if work.history.has(commit)]


def new_pointers(history: History, tips: Iterable[GitId], have: Sequence[GitId]) -> Iterator[Pointer]:
    """Yields the pointers that commits reachable from the tips, and from none of `have`, bring in. Each oid once."""
    seen: set[str] = set()
    commits = history.new_commits(tips, have)
    if any(commit.id in history.shallow for commit in commits):
        raise ShallowHistory(str(history.path))
    for commit in commits:
        parent = history.commit(commit.parents[0]).tree if commit.parents else None
        for _, new in history.tree_changes(parent, commit.tree):
            if new is not None and new.pointer is not None and new.pointer.oid not in seen:
                seen.add(new.pointer.oid)
                yield new.pointer


def _versions_of(history: History, main: Sequence[RefUpdate], work: _Push) -> list[str]:
    if not main or work.new is None or work.ref != MAIN:
        return []
    if work.new == work.old:
        return [update.ref[len("refs/tags/") :] for update in main]
    numbered = {commit: ref for ref, commit in history.refs("refs/tags/").items() if VERSION_TAG.fullmatch(ref)}
    found = []
    for commit in history.iter_line(work.new):
        if commit.id == work.old:
            break
        if commit.id in numbered:
            found.append(numbered[commit.id][len("refs/tags/") :])
    return found[::-1]
