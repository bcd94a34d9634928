"""`fetch`: brings a remote's commits, versions and aliases here; workspace and branches stay as they are.

Git objects first, refs last. A local alias moves only if it still stands where the remote's was last seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from aimdvc.git.history import History
from aimdvc.git.transport import RemoteRefs
from aimdvc.model.commits import RefUpdate
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Progress
from aimdvc.ops.bulk import Bulk, each
from aimdvc.ops.connect import Connection, Connector, connect_artifact, connect_source
from aimdvc.ops.depth import WHOLE, Depth, ask, followed_tips
from aimdvc.ops.lockfile import known_pins
from aimdvc.ops.maintain import tidy
from aimdvc.ops.went_back import find_setback, forget, is_version, went_back
from aimdvc.ops.workspace import Workspace


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """`is_whole` brings every git object anew, also what is here; `is_forced` follows a remote that went back.

    `depth` is how much is to be here of a history that is new, or that is shallow: that is never cut shorter.
    """

    is_whole: bool = False
    is_forced: bool = False
    depth: Depth | None = None


@dataclass(slots=True)
class Fetched:
    """What a fetch brought of one artifact: `old` and `new` are the remote's main before and now."""

    artifact: str
    remote: str
    old: GitId | None
    new: GitId | None
    versions: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    diverged_aliases: list[str] = field(default_factory=list)
    is_shallow: bool = False


def fetch(
    workspace: Workspace, connector: Connector, names: Iterable[str], options: FetchOptions, progress: Progress
) -> Bulk[Fetched]:
    """Fetches the named artifacts, or all that are here or pinned, and returns what is new.

    One round trip each when nothing is. What aimdvc.lock pins and isn't here yet comes into the store: `checkout` then
    needs no remote for its history.
    """
    pins = known_pins(workspace)
    have = {head.name for head in workspace.state.heads()}

    def act(name: str) -> Fetched:
        pin = pins.get(name) if name not in have else None
        if pin is not None:
            connection = connect_source(workspace, connector, name, pin.source)
        else:
            connection = connect_artifact(workspace, connector, workspace.head(name))
        return fetch_history(workspace, name, connection, progress, options)

    return each(list(names) or sorted(have | pins.keys()), act)


_NORMAL = FetchOptions()


def fetch_history(
    workspace: Workspace, name: str, connection: Connection, progress: Progress, options: FetchOptions = _NORMAL
) -> Fetched:
    """Fetches one artifact's history over a connection. Safe to repeat; refs move after their objects are durable.

    Raises RemoteWentBack, unless that is to be followed, before any ref moved.
    """
    history = workspace.history(name)
    known = connection.transport.read_refs(for_push=False)
    has_come = _transfer(history, name, connection, known, options, progress)
    setback = find_setback(history, connection.remote, tracked_names(known))
    if setback is not None and not options.is_forced:
        raise went_back(workspace, name, connection.remote, connection.url, setback)
    fetched = follow_remote(workspace, name, history, connection, known)
    if has_come:
        tidy(workspace, [name])
    return fetched


def _transfer(
    history: History, name: str, connection: Connection, known: RemoteRefs, options: FetchOptions, progress: Progress
) -> bool:
    """Brings the git objects; returns whether there were any to bring."""
    transport = connection.transport
    prefix = f"refs/remotes/{connection.remote}/"
    tracked = [ref[len(prefix) :] for ref in history.refs(f"{prefix}heads/")]
    named = tracked_names(known)
    asked = ask(name, named, known, options.depth) if options.depth is not None else None
    if asked is not None and not tracked:
        if asked.wants:
            transport.fetch(history, asked.wants, progress, depth=asked.commits)
        return bool(asked.wants)
    is_opened = bool(history.shallow) and options.depth is not None and asked is None
    is_limited = bool(history.shallow) and not is_opened
    followed = followed_tips(named, tracked)
    wants = {
        git_id
        for ref, git_id in named.items()
        if (options.is_whole or _is_wanted(history, ref, git_id)) and (not is_limited or git_id in followed)
    }
    if is_opened:
        wants |= followed
    if wants:
        transport.fetch(history, sorted(wants), progress, options.is_whole, WHOLE.commits if is_opened else None)
    if asked is None or not is_limited:
        return bool(wants)
    # What is new came with all that leads to it. Only then does the history get deeper, from tips that are here.
    transport.fetch(history, asked.wants, progress, depth=asked.commits)
    return True


def bring_commit(workspace: Workspace, name: str, connection: Connection, commit: GitId, progress: Progress) -> None:
    """Brings a commit that a shallow history lacks: by itself if the remote has a name for it, else with all others."""
    history = workspace.history(name)
    for depth in (Depth(1, (commit,)), WHOLE):
        if history.has(commit) or not history.shallow:
            return
        fetch_history(workspace, name, connection, progress, FetchOptions(depth=depth))


def follow_remote(
    workspace: Workspace, name: str, history: History, connection: Connection, known: RemoteRefs
) -> Fetched:
    """Moves the remote-tracking refs, new version tags and unchanged aliases to what the remote has."""
    prefix = f"refs/remotes/{connection.remote}/"
    tracked = {ref[len(prefix) :]: commit for ref, commit in history.refs(prefix).items()}
    theirs = tracked_names(known)
    for ref, git_id in list(theirs.items()):
        if tracked.get(ref) == git_id:
            continue
        if not history.has(git_id):
            # After a push: somebody else's, which no fetch has brought. What was last seen of it stays.
            if ref in tracked:
                theirs[ref] = tracked[ref]
            else:
                del theirs[ref]
            continue
        # A tag on a blob or tree (the kernel's has one) is no version of anything.
        if history.peel(git_id) is None:
            del theirs[ref]
    main = "heads/main"
    result = Fetched(name, connection.remote, tracked.get(main), theirs.get(main), is_shallow=bool(history.shallow))
    updates = [
        RefUpdate(prefix + ref, tracked.get(ref), theirs.get(ref))
        for ref in sorted(tracked.keys() | theirs.keys())
        if tracked.get(ref) != theirs.get(ref)
    ]
    updates += _new_tags(history, theirs, result)
    updates += _lost_versions(history, tracked, theirs)
    updates += _unchanged_aliases(history, tracked, theirs, result)
    updates += forget(history, connection.remote)
    if updates:
        history.move_refs(updates, f"fetch {connection.remote}", workspace.actor())
    return result


def _is_ours(ref: str) -> bool:
    return ref.startswith(("refs/heads/", "refs/tags/", "refs/aliases/")) and not ref.endswith("^{}")


def _is_wanted(history: History, ref: str, git_id: GitId) -> bool:
    """Returns whether a ref's object has to come: it isn't here, or is without its tree since something broke.

    `ref` is without `refs/`. Tags are many, and the branch shows what is broken: of them only those that aren't here.
    """
    return not (history.has(git_id) if ref.startswith("tags/") else history.is_whole_tip(git_id))


def tracked_names(known: RemoteRefs) -> dict[str, GitId]:
    """Returns a remote's refs under the names that they are tracked by here, without `refs/`."""
    names: dict[str, GitId] = {}
    for ref, commit in known.refs.items():
        if _is_ours(ref):
            names[ref[len("refs/") :]] = commit
    # A foreign remote's HEAD branch is main here (design, "Refs, numbers, aliases"), also where another is called so.
    if known.head is not None and known.head != MAIN:
        head = names.pop(known.head[len("refs/") :], None)
        if head is not None:
            names["heads/main"] = head
    return names


def _new_tags(history: History, theirs: dict[str, GitId], result: Fetched) -> list[RefUpdate]:
    have = history.refs("refs/tags/")
    updates = []
    for ref, git_id in theirs.items():
        if ref.startswith("tags/") and f"refs/{ref}" not in have:
            # Ours is the commit, so that versions are found without reading each tag; the tag stays in refs/remotes/.
            updates.append(RefUpdate(f"refs/{ref}", None, history.peel(git_id)))
            result.versions.append(ref[len("tags/") :])
    result.versions.sort(key=lambda version: (len(version), version))
    return updates


def _lost_versions(history: History, tracked: dict[str, GitId], theirs: dict[str, GitId]) -> list[RefUpdate]:
    """Returns what a remote that went back, and is followed, means for the numbers here: they are its to give."""
    have = history.refs("refs/tags/")
    updates = []
    for ref in sorted(filter(is_version, tracked)):
        now, old = theirs.get(ref), have.get(f"refs/{ref}")
        if now == tracked[ref] or old is None:
            continue
        new = history.peel(now) if now is not None else None
        if old != new:
            updates.append(RefUpdate(f"refs/{ref}", old, new))
    return updates


def _unchanged_aliases(
    history: History, tracked: dict[str, GitId], theirs: dict[str, GitId], result: Fetched
) -> list[RefUpdate]:
    ours = {ref[len("refs/") :]: commit for ref, commit in history.refs("refs/aliases/").items()}
    updates = []
    for ref in sorted({ref for ref in tracked.keys() | theirs.keys() if ref.startswith("aliases/")}):
        before, now, here = tracked.get(ref), theirs.get(ref), ours.get(ref)
        if here == now:
            continue
        if here == before:
            updates.append(RefUpdate(f"refs/{ref}", here, now))
            result.aliases.append(ref[len("aliases/") :])
        elif before != now:
            result.diverged_aliases.append(ref[len("aliases/") :])
    return updates
