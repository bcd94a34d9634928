"""`outdated`: which pins aren't the newest version any more. Asks the remotes; brings nothing, moves nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from aimdvc.errors import UsageError
from aimdvc.model.lock import Pin
from aimdvc.model.names import MAIN, VERSION_TAG
from aimdvc.model.oid import GitId
from aimdvc.ops.bulk import Bulk, each
from aimdvc.ops.connect import Connector, connect_source
from aimdvc.ops.fetch import tracked_names
from aimdvc.ops.lockfile import read_pins
from aimdvc.ops.revisions import label
from aimdvc.ops.workspace import Workspace

ALIASES = "refs/aliases/"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a pin stands to its remote's main: `state` is current, outdated, ahead, unknown or empty.

    Ahead is a pin that the remote hasn't got yet, unknown one that isn't on the remote and whose history isn't here;
    empty is a remote without a version. `behind` counts versions, None where they have no numbers. Aliases are the
    remote's, of what is pinned and of the newest version.
    """

    artifact: str
    remote: str
    state: str
    pinned: str
    pinned_commit: GitId
    newest: str
    newest_commit: GitId | None
    behind: int | None = None
    pinned_aliases: list[str] = field(default_factory=list)
    newest_aliases: list[str] = field(default_factory=list)


def outdated(
    workspace: Workspace, connector: Connector, names: Iterable[str], remote: str | None = None
) -> Bulk[Standing]:
    """Returns how the named pins stand to their remotes, or all; a round trip each.

    `remote` is another remote than each artifact's own. Raises UsageError for a name that isn't pinned.
    """
    pins = read_pins(workspace)
    unpinned = [name for name in names if name not in pins]
    if unpinned:
        raise UsageError(
            f"artifact '{unpinned[0]}' is not pinned in aimdvc.lock", hint="its first `aimdvc commit` pins it"
        )

    def act(name: str) -> Standing:
        source = pins[name].source if remote is None else _at(remote, name, pins[name])
        connection = connect_source(workspace, connector, name, source)
        theirs = tracked_names(connection.transport.read_refs(for_push=False))
        refs = {f"refs/{ref}": commit for ref, commit in theirs.items()}
        return _compare(workspace, name, connection.remote, pins[name].commit, refs)

    return each(list(names) or sorted(pins), act)


def _at(remote: str, name: str, pin: Pin) -> str:
    """Returns the source of an artifact on another remote: the same path there."""
    path = pin.source.partition("/")[2] if pin.source is not None else name
    return f"{remote}/{path}"


def _compare(workspace: Workspace, name: str, remote: str, pinned: GitId, refs: Mapping[str, GitId]) -> Standing:
    newest = refs.get(MAIN)
    numbers = {commit: int(match[1]) for ref, commit in refs.items() if (match := VERSION_TAG.fullmatch(ref))}
    found = Standing(
        artifact=name,
        remote=remote,
        state="current" if newest == pinned else "outdated",
        pinned=_called(workspace, name, pinned, numbers),
        pinned_commit=pinned,
        newest=_called(workspace, name, newest, numbers) if newest is not None else "",
        newest_commit=newest,
        pinned_aliases=_aliases(refs, pinned),
        newest_aliases=_aliases(refs, newest),
    )
    if newest is None:
        return replace(found, state="empty")
    if newest == pinned:
        return replace(found, behind=0)
    if pinned in numbers and newest in numbers:
        return replace(found, behind=numbers[newest] - numbers[pinned])
    if pinned in refs.values():
        return found
    return replace(found, state=_beyond(workspace, name, pinned, newest))


def _beyond(workspace: Workspace, name: str, pinned: GitId, newest: GitId) -> str:
    """Returns the state of a pin that no ref of the remote is at: what is here of the history tells."""
    if not workspace.repository_path(name).exists():
        return "unknown"
    history = workspace.history(name)
    if not (history.has(pinned) and history.has(newest)):
        # What the remote has since isn't here: then the pin is at most what was fetched before it.
        return "outdated" if history.has(pinned) and _was_published(workspace, name, pinned) else "unknown"
    return "outdated" if history.is_ancestor(pinned, newest) else "ahead"


def _was_published(workspace: Workspace, name: str, pinned: GitId) -> bool:
    history = workspace.history(name)
    return any(history.is_ancestor(pinned, tip) for tip in set(history.refs("refs/remotes/").values()))


def _called(workspace: Workspace, name: str, commit: GitId, numbers: Mapping[GitId, int]) -> str:
    if commit in numbers:
        return f"v{numbers[commit]}"
    if workspace.repository_path(name).exists() and workspace.history(name).has(commit):
        return label(workspace.history(name), commit)
    return commit[:12]


def _aliases(refs: Mapping[str, GitId], commit: GitId | None) -> list[str]:
    return sorted(ref[len(ALIASES) :] for ref, at in refs.items() if ref.startswith(ALIASES) and at == commit)
