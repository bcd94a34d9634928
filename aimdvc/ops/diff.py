"""`diff`: what changed between two versions, or from one to the workspace. Text by line, else by size and oid."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aimdvc.model.changes import Change, with_renames
from aimdvc.model.entries import Entry, path_bytes, path_text
from aimdvc.model.oid import GitId
from aimdvc.model.selector import Selector
from aimdvc.ops.blobs import Means, ensure_blobs
from aimdvc.ops.checkout import entry_of
from aimdvc.ops.content import DiskEntry, Side, content_size, read_content
from aimdvc.ops.revisions import label, resolve
from aimdvc.ops.scan import changed_suspects, scan
from aimdvc.ops.settle import settle
from aimdvc.ops.targets import Target
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head
from aimdvc.store.walk import DiskStat

TEXT_LIMIT = 8 << 20
"""Bytes a side; larger texts are compared by size and oid."""


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One changed entry. `lines` is the unified diff without its header, None for what isn't shown as text.

    Sizes are in bytes, None where the side is absent; ids are oids of blobs, or git ids of what lies in Git.
    """

    kind: str
    path: str
    old_path: str | None
    old_size: int | None
    new_size: int | None
    old_id: str | None
    new_id: str | None
    lines: list[str] | None
    insertions: int = 0
    deletions: int = 0


@dataclass(frozen=True, slots=True)
class Diff:
    """The differences of one artifact between two sides, each named as people call it."""

    artifact: str
    old: str
    new: str
    files: list[FileDiff]


@dataclass(frozen=True, slots=True)
class Sides:
    """Two revisions of an artifact; `new` None is the workspace, `old` None is the index.

    `is_staged` is neither: it is HEAD and the index.
    """

    old: str | None
    new: str | None
    is_staged: bool = False


def sides_of(selectors: Sequence[Selector]) -> Sides:
    """Returns what one or two selectors compare."""
    revisions = [selector.revision or "HEAD" for selector in selectors]
    return Sides(revisions[0] if revisions else None, revisions[1] if len(revisions) > 1 else None)


def diff(
    workspace: Workspace, name: str, sides: Sides, targets: Sequence[Target], with_text: bool, means: Means
) -> Diff:
    """Returns what changed in an artifact, renames found. Blobs of text that aren't here are fetched."""
    head = settle(workspace, name)
    history = workspace.history(name)
    old = resolve(workspace, head, sides.old) if sides.old is not None else None
    new = resolve(workspace, head, sides.new) if sides.new is not None else None
    wanted = [target.inner for target in targets if target.head.name == name]
    pairs: Iterator[tuple[Entry | None, Entry | DiskEntry | None]]
    if sides.is_staged:
        pairs = _staged_pairs(workspace, head)
    else:
        pairs = _tree_pairs(workspace, head, old, new) if new is not None else _disk_pairs(workspace, head, old)
    kept = [pair for pair in pairs if is_wanted(pair, wanted)]
    changes = with_renames([pair for pair in kept if not isinstance(pair[1], DiskEntry)])  # type: ignore[misc]
    files = [_of_change(workspace, head, change) for change in changes]
    files += [_of_disk(workspace, head, pair) for pair in kept if isinstance(pair[1], DiskEntry)]
    if with_text:
        files = _with_text(workspace, head, changes, kept, files, means)
    names = (label(history, old) if old else "index", label(history, new) if new else "workspace")
    if sides.is_staged:
        names = (label(history, head.commit), "index")
    return Diff(name, names[0], names[1], sorted(files, key=lambda file: path_bytes(file.path)))


def is_wanted(pair: tuple[Side | None, Side | None], wanted: Sequence[str]) -> bool:
    """Returns whether a pair lies at or below one of the paths; no paths means all."""
    if not wanted:
        return True
    path = (pair[1] or pair[0]).path  # type: ignore[union-attr]
    return any(not place or path == place or path.startswith(place + "/") for place in wanted)


def _staged_pairs(workspace: Workspace, head: Head) -> Iterator[tuple[Entry | None, Entry | None]]:
    history = workspace.history(head.name)
    for row in workspace.state.staged(head):
        before, after = history.entry(head.tree, row.path), entry_of(row)
        if before != after:
            yield before, after


def _tree_pairs(
    workspace: Workspace, head: Head, old: GitId | None, new: GitId
) -> Iterator[tuple[Entry | None, Entry | None]]:
    history = workspace.history(head.name)
    before = history.commit(old).tree if old is not None else None
    yield from history.tree_changes(before, history.commit(new).tree)


def _disk_pairs(
    workspace: Workspace, head: Head, old: GitId | None
) -> Iterator[tuple[Entry | None, Entry | DiskEntry | None]]:
    found = scan(workspace, head)
    changed: dict[bytes, DiskStat | None] = {**changed_suspects(workspace, head, found)}
    changed.update(dict.fromkeys(found.deleted))
    if old is None:
        for raw, status in changed.items():
            row = workspace.state.row(head, path_text(raw))
            yield (entry_of(row) if row else None), _disk_entry(raw, status)
        return
    # Against a version: what differs on disk from the index, and what the index has otherwise than the version.
    history = workspace.history(head.name)
    tree = history.commit(old).tree
    staged = {row.path: entry_of(row) for row in workspace.state.staged(head)}
    differing = {(a or b).path: a for a, b in history.tree_changes(tree, head.tree)}  # type: ignore[union-attr]
    now = {(a or b).path: b for a, b in history.tree_changes(tree, head.tree)}  # type: ignore[union-attr]
    for path in sorted(differing.keys() | staged.keys() | {path_text(raw) for raw in changed}):
        before = differing[path] if path in differing else history.entry(tree, path)
        raw = path_bytes(path)
        if raw in changed:
            yield before, _disk_entry(raw, changed[raw])
            continue
        after = staged[path] if path in staged else now.get(path)
        if before != after:
            yield before, after


def _disk_entry(raw: bytes, status: DiskStat | None) -> DiskEntry | None:
    return None if status is None else DiskEntry(path_text(raw), status[0], status[1])


def _of_change(workspace: Workspace, head: Head, change: Change) -> FileDiff:
    old, new = change.old, change.new
    path = (new or old).path  # type: ignore[union-attr]
    return FileDiff(
        change.kind,
        path,
        old.path if old is not None and change.kind == "renamed" else None,
        content_size(workspace, head, old) if old is not None else None,
        content_size(workspace, head, new) if new is not None else None,
        _identity(old),
        _identity(new),
        None,
    )


def _of_disk(workspace: Workspace, head: Head, pair: tuple[Side | None, Side | None]) -> FileDiff:
    old, new = pair
    assert isinstance(new, DiskEntry)
    kind = "modified" if old is not None else "added"
    old_size = content_size(workspace, head, old) if old is not None else None
    identity = _identity(old) if isinstance(old, Entry) else None
    return FileDiff(kind, new.path, None, old_size, new.size, identity, None, None)


def _identity(entry: Entry | None) -> str | None:
    if entry is None:
        return None
    return entry.pointer.oid if entry.pointer is not None else entry.git_id


def _with_text(
    workspace: Workspace,
    head: Head,
    changes: Sequence[Change],
    pairs: Sequence[tuple[Side | None, Side | None]],
    files: Sequence[FileDiff],
    means: Means,
) -> list[FileDiff]:
    sides: dict[str, tuple[Side | None, Side | None]] = {}
    for change in changes:
        sides[(change.new or change.old).path] = (change.old, change.new)  # type: ignore[union-attr]
    for old, new in pairs:
        if isinstance(new, DiskEntry):
            sides[new.path] = (old, new)
    pointers = [
        side.pointer
        for pair in sides.values()
        for side in pair
        if isinstance(side, Entry) and side.pointer is not None and side.pointer.size <= TEXT_LIMIT
    ]
    ensure_blobs(workspace, head, pointers, means)
    return [_add_lines(workspace, head, file, sides[file.path]) for file in files]


def _add_lines(workspace: Workspace, head: Head, file: FileDiff, sides: tuple[Side | None, Side | None]) -> FileDiff:
    texts = [_read_text(workspace, head, side) for side in sides]
    if texts[0] is None or texts[1] is None:
        return file
    lines = unified(texts[0], texts[1])
    insertions = sum(1 for line in lines if line.startswith("+"))
    deletions = sum(1 for line in lines if line.startswith("-"))
    return FileDiff(
        file.kind,
        file.path,
        file.old_path,
        file.old_size,
        file.new_size,
        file.old_id,
        file.new_id,
        lines,
        insertions,
        deletions,
    )


def _read_text(workspace: Workspace, head: Head, side: Side | None) -> str | None:
    if side is None:
        return ""
    if content_size(workspace, head, side) > TEXT_LIMIT:
        return None
    content = read_content(workspace, head, side, TEXT_LIMIT)
    if content is None or b"\0" in content[:8000]:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def unified(old: str, new: str) -> list[str]:
    """Returns the hunks of a unified diff, without the two header lines; lines as they are, ends aside."""
    before, after = _lines(old), _lines(new)
    if len(before) * len(after) > 40_000_000:
        return _coarse(before, after)
    return list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    elif lines:
        lines[-1] += "\n\\ No newline at end of file"
    return lines


def _coarse(before: list[str], after: list[str]) -> list[str]:
    # difflib takes quadratic time at worst: of huge texts only the part between the common ends is shown.
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    gone, come = before[start : len(before) - end], after[start : len(after) - end]
    if len(gone) * len(come) <= 40_000_000:
        hunks = list(difflib.unified_diff(gone, come, lineterm="", n=0))[2:]
        return [f"@@ after line {start} @@", *[line for line in hunks if not line.startswith("@@")]]
    header = f"@@ -{start + 1},{len(gone)} +{start + 1},{len(come)} @@"
    return [header, *("-" + line for line in gone), *("+" + line for line in come)]
