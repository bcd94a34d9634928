"""Publishes a version that no workspace has checked out: objects of the blob store become a commit on a remote's main.

For the Python interface. Its parts are those of commit and push: git objects first, then the blobs that the remote
lacks, then its refs, all of them by compare-and-set. Who lost a race builds on what won. Cut anywhere, the next run
with what was `begun` goes on, and makes no second version.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from aimdvc.errors import RefMoved
from aimdvc.git.history import History
from aimdvc.git.transport import RemoteRefs
from aimdvc.git.writer import HistoryWriter
from aimdvc.model.attributes import AIMD_ATTRIBUTES, DEFAULT_ATTRIBUTES, Attributes
from aimdvc.model.commits import CommitDraft, RefUpdate, Signature
from aimdvc.model.entries import Mode
from aimdvc.model.metadata import Metadata, dump_metadata
from aimdvc.model.names import MAIN, VERSION_TAG, check_alias_name
from aimdvc.model.oid import GitId, Oid
from aimdvc.model.own import AIMD_DIRECTORY_ATTRIBUTES, ATTRIBUTES, METADATA, REFERENCES
from aimdvc.model.pointer import Pointer, encode_pointer
from aimdvc.model.progress import Progress
from aimdvc.model.references import References, dump_references
from aimdvc.ops.connect import Connection
from aimdvc.ops.depth import Depth
from aimdvc.ops.fetch import FetchOptions, fetch_history, follow_remote
from aimdvc.ops.push import NUMBERING, new_pointers, refs_for_push
from aimdvc.ops.stage import INLINE_LIMIT, too_large_for_git
from aimdvc.ops.workspace import Workspace

_TRIES = 20
_HEADS = "refs/heads/"


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a version: `mode` as Git has it, its blob in the store, None for no bytes, and their number."""

    path: str
    mode: int
    oid: Oid | None
    size: int


@dataclass(frozen=True, slots=True)
class Release:
    """All that a version will be. `items` yields its files anew each time it is called.

    `begun` is the commit of an earlier try, whose answer may have been lost; None for none.
    """

    items: Callable[[], Iterator[Item]]
    references: References
    metadata: Metadata
    message: str
    author: Signature
    aliases: tuple[str, ...] = ()
    begun: GitId | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """The version that it is now: its commit, and `vN`, None where the remote gives no numbers."""

    commit: GitId
    version: str | None


def publish(
    workspace: Workspace,
    name: str,
    connection: Connection,
    release: Release,
    note: Callable[[GitId], None],
    progress: Progress,
) -> Published:
    """Makes a release the newest version of an artifact on a remote; `name` is its repository in the store.

    `note` is told each commit that is tried before it is sent: what a later run is to have as `begun`. Raises
    InvalidName, UnsafePath, MissingBlob, RemoteError, NotAuthorised, RefMoved after losing many races.
    """
    history = workspace.history(name)
    for _ in range(_TRIES):
        known = _known(workspace, name, connection, progress)
        if release.begun is not None and release.begun in known.refs.values():
            return _done(workspace, name, connection, release.begun)
        branch = known.head if known.head is not None and known.head in known.refs else MAIN
        tip = known.refs.get(branch)
        commit = _write(workspace, history, release, tip)
        note(commit)
        release = replace(release, begun=commit)
        connection.blobs.upload(new_pointers(history, [commit], [tip] if tip else []), workspace.blobs, progress)
        updates = [RefUpdate(branch, tip, commit), *_numbers(known, commit), *_aliases(known, release.aliases, commit)]
        try:
            connection.transport.push(history, updates, known, progress)
        except RefMoved:
            continue
        return _done(workspace, name, connection, commit)
    raise RefMoved(MAIN, f"others moved it {_TRIES} times while this was sent to '{connection.url}'")


def set_remote_alias(connection: Connection, history: History, commit: GitId, alias: str, progress: Progress) -> None:
    """Makes an alias on a remote name a version that it has, wherever it stood before. Raises InvalidName, RemoteError.

    Safe to repeat; RefMoved tells that somebody moved it at the same time.
    """
    known = refs_for_push(connection)
    updates = [update for update in _aliases(known, [alias], commit) if update.old != update.new]
    if updates:
        connection.transport.push(history, updates, known, progress)


def _known(workspace: Workspace, name: str, connection: Connection, progress: Progress) -> RemoteRefs:
    """Returns the remote's refs as they can be moved; the git objects of its newest version are here then."""
    history = workspace.history(name)
    while True:
        known = refs_for_push(connection)
        if all(history.has(tip) for ref, tip in known.refs.items() if ref in (MAIN, known.head)):
            return known
        with suppress(RefMoved):
            fetch_history(workspace, name, connection, progress, FetchOptions(depth=Depth(1)))


def _done(workspace: Workspace, name: str, connection: Connection, commit: GitId) -> Published:
    after = connection.transport.read_refs(for_push=False)
    # What another process of this machine has noted meanwhile is as good as what is noted here.
    with suppress(RefMoved):
        follow_remote(workspace, name, workspace.history(name), connection, after)
    numbers = [ref for ref, found in after.refs.items() if found == commit and VERSION_TAG.fullmatch(ref)]
    return Published(commit, numbers[0].removeprefix("refs/tags/") if numbers else None)


def _numbers(known: RemoteRefs, commit: GitId) -> list[RefUpdate]:
    if NUMBERING in known.capabilities:
        return []
    highest = max((int(match[1]) for ref in known.refs if (match := VERSION_TAG.fullmatch(ref))), default=0)
    return [RefUpdate(f"refs/tags/v{highest + 1}", None, commit)]


def _aliases(known: RemoteRefs, aliases: Iterable[str], commit: GitId) -> list[RefUpdate]:
    branches = [ref.removeprefix(_HEADS) for ref in known.refs if ref.startswith(_HEADS)]
    wanted = [f"refs/aliases/{check_alias_name(alias, branches)}" for alias in dict.fromkeys(aliases)]
    return [RefUpdate(ref, known.refs.get(ref), commit) for ref in wanted]


def _write(workspace: Workspace, history: History, release: Release, tip: GitId | None) -> GitId:
    rules = _rules(workspace, release.items())
    attributes = Attributes.parse(rules or {"": DEFAULT_ATTRIBUTES})
    with history.writer() as writer:
        edits: dict[str, tuple[int, GitId] | None] = {
            item.path: (item.mode, _write_item(workspace, writer, item, attributes)) for item in release.items()
        }
        for path, content in _hidden(release, "" in rules):
            edits[path] = (int(Mode.FILE), writer.blob(content))
        tree = writer.tree(None, edits)
        parents = (tip,) if tip is not None else ()
        return writer.commit(CommitDraft(tree, parents, release.author, release.author, release.message))


def _rules(workspace: Workspace, items: Iterable[Item]) -> dict[str, bytes]:
    """Returns the `.gitattributes` among the files, by their directory."""
    found = {}
    for item in items:
        directory, _, name = item.path.rpartition("/")
        if name == ATTRIBUTES and item.mode != Mode.SYMLINK and item.size <= INLINE_LIMIT:
            found[directory] = workspace.blobs.read(item.oid) if item.oid is not None else b""
    return found


def _hidden(release: Release, has_rules: bool) -> Iterator[tuple[str, bytes]]:
    yield AIMD_DIRECTORY_ATTRIBUTES, AIMD_ATTRIBUTES
    yield METADATA, dump_metadata(release.metadata)
    if not has_rules:
        yield ATTRIBUTES, DEFAULT_ATTRIBUTES
    if release.references:
        yield REFERENCES, dump_references(release.references)


def _write_item(workspace: Workspace, writer: HistoryWriter, item: Item, attributes: Attributes) -> GitId:
    if item.oid is None:
        return writer.blob(b"")
    if item.mode != Mode.SYMLINK and attributes.is_lfs(item.path):
        return writer.blob(encode_pointer(Pointer(item.oid, item.size)))
    if item.size > INLINE_LIMIT:
        raise too_large_for_git(item.path, item.size)
    return writer.blob(workspace.blobs.read(item.oid))
