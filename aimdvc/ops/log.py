"""`log`, `show`, `ls`, `cat`: the versions of an artifact and what they hold. Reads only."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from aimdvc.errors import UsageError
from aimdvc.model.changes import with_renames
from aimdvc.model.commits import Commit
from aimdvc.model.entries import Entry
from aimdvc.model.oid import GitId
from aimdvc.model.own import REFERENCES, is_told
from aimdvc.model.references import can_read, scheme_of
from aimdvc.model.selector import Selector
from aimdvc.ops.blobs import Means, ensure_blobs
from aimdvc.ops.content import content_size, iter_content, read_inline
from aimdvc.ops.diff import is_wanted
from aimdvc.ops.plan import is_hidden
from aimdvc.ops.references import MALFORMED, references_of
from aimdvc.ops.revisions import aliases, labels, resolve, unknown_path
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """One changed entry of a version; `size` in bytes on the newer side, None when deleted."""

    kind: str
    path: str
    old_path: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Logged:
    """One version: its commit, what people call it, and on demand what it changed.

    `is_boundary` says that a shallow history ends there: what was before it is not here.
    """

    commit: Commit
    version: str
    aliases: list[str]
    is_head: bool
    changes: list[LoggedChange] = field(default_factory=list)
    is_boundary: bool = False


def log(
    workspace: Workspace, selector: Selector, name: str, limit: int | None, paths: Sequence[str], with_changes: bool
) -> Iterator[Logged]:
    """Yields the versions from a revision back, newest first; with paths, those that changed something there."""
    head = settle(workspace, name)
    if selector.revision is None and head.commit is None:
        return iter(())
    history = workspace.history(name)
    start = resolve(workspace, head, selector.revision or "HEAD")
    named = labels(history)
    by_commit: dict[str, list[str]] = {}
    for alias, commit in sorted(aliases(history).items()):
        by_commit.setdefault(commit, []).append(alias)

    def versions() -> Iterator[Logged]:
        for commit in history.iter_log(start):
            changes = _changes(workspace, name, commit, paths) if with_changes or paths else []
            if paths and not changes:
                continue
            yield Logged(
                commit,
                named.get(commit.id, commit.id[:12]),
                by_commit.get(commit.id, []),
                commit.id == head.commit,
                changes if with_changes else [],
                commit.id in history.shallow,
            )

    return islice(versions(), limit)


def _changes(workspace: Workspace, name: str, commit: Commit, paths: Sequence[str]) -> list[LoggedChange]:
    history = workspace.history(name)
    head = workspace.head(name)
    before = history.commit(commit.parents[0]).tree if commit.parents else None
    pairs = [pair for pair in history.tree_changes(before, commit.tree) if is_wanted(pair, paths)]
    changes = []
    for change in with_renames(pairs):
        new = change.new
        entry = new or change.old
        assert entry is not None
        if is_hidden(entry, partial(read_inline, workspace, head)) and not is_told(entry.path):
            continue
        old_path = change.old.path if change.kind == "renamed" and change.old is not None else None
        size = content_size(workspace, head, new) if new is not None else None
        changes.append(LoggedChange(change.kind, entry.path, old_path, size))
    return changes


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of a version. `id` is the oid of a blob, or the git id of what lies in Git; `size` is in bytes.

    `is_here` says that its content is in the store, `is_absent` that the path is not checked out.
    A reference has a `uri`, the mode `reference`, the size and the sha256 that are recorded of it (0, "" for none).
    References that can't be read are one entry, their file, with the `problem`.
    """

    path: str
    mode: str
    size: int
    id: str
    is_here: bool
    is_absent: bool = False
    uri: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ArtifactLine:
    """One artifact of the workspace, with the version checked out."""

    artifact: str
    path: str
    version: str
    commit: str | None
    entries: int


def list_artifacts(workspace: Workspace) -> list[ArtifactLine]:
    """Returns the artifacts of the workspace."""
    lines = []
    for known in workspace.state.heads():
        head = settle(workspace, known.name)
        version = labels(workspace.history(head.name)).get(head.commit, "") if head.commit else ""
        lines.append(ArtifactLine(head.name, head.path, version, head.commit, workspace.state.count(head)))
    return lines


def ls(workspace: Workspace, selector: Selector, name: str) -> Iterator[Listed]:
    """Yields the entries of a version, at or below the selector's path. Raises UnknownPath."""
    head = settle(workspace, name)
    history = workspace.history(name)
    tree = history.commit(resolve(workspace, head, selector.revision or "HEAD")).tree
    found = False
    absent = set(workspace.state.parts.absent_paths(head.id))
    for entry in history.iter_entries(tree):
        if not is_wanted((None, entry), [selector.path] if selector.path else []):
            continue
        if is_hidden(entry, partial(read_inline, workspace, head)):
            continue
        found = True
        pointer = entry.pointer
        yield Listed(
            entry.path,
            f"{entry.mode:06o}",
            content_size(workspace, head, entry),
            pointer.oid if pointer else entry.git_id,
            pointer is None or workspace.blobs.has(pointer.oid),
            entry.path in absent,
        )
    for listed in _listed_references(workspace, name, tree):
        if selector.path and not f"{listed.path}/".startswith(f"{selector.path}/"):
            continue
        found = True
        yield listed
    if selector.path and not found:
        raise unknown_path(history, name, tree, selector.path)


def _listed_references(workspace: Workspace, name: str, tree: GitId) -> Iterator[Listed]:
    try:
        known = references_of(workspace, name, tree)
    except MALFORMED as error:
        entry = workspace.history(name).entry(tree, REFERENCES)
        assert entry is not None, "what isn't there has no fault"
        yield Listed(REFERENCES, f"{entry.mode:06o}", 0, entry.git_id, True, problem=error.message)
        return
    for one in known.values():
        yield Listed(one.key, "reference", one.size or 0, one.sha256 or "", False, False, one.uri)


def cat(workspace: Workspace, selector: Selector, name: str, means: Means) -> Iterator[bytes]:
    """Yields the bytes of one entry of a version, hash-checked. Raises UnknownPath."""
    head = settle(workspace, name)
    history = workspace.history(name)
    tree = history.commit(resolve(workspace, head, selector.revision or "HEAD")).tree
    path = selector.path or workspace.only_entry(head)
    if not path:
        raise UsageError("cat needs a path", hint=f"run `aimdvc cat {name}:PATH`; `aimdvc ls {name}` lists them")
    entry: Entry | None = history.entry(tree, path)
    if entry is None:
        reference = references_of(workspace, name, tree).get(path)
        if reference is not None:
            fetch = f"run `aimdvc ref fetch {shlex.quote(f'{name}:{path}')}`"
            own = f"'{scheme_of(reference.uri)}' is not read by aimdvc: use its own program"
            raise UsageError(
                f"'{path}' is a reference to '{reference.uri}'", hint=fetch if can_read(reference.uri) else own
            )
        raise unknown_path(history, name, tree, path)
    if entry.pointer is not None:
        ensure_blobs(workspace, head, [entry.pointer], means)
    yield from iter_content(workspace, head, entry)
