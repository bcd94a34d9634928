"""`add`: takes what changed into the blob store and the index. A path in no artifact becomes one.

Real when the index is saved; before that, blobs that nothing names. Safe to repeat and to run from many processes.
"""

import os
import stat
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aimdvc.errors import ChangedMeanwhile, UnknownPath, UnsafePath, UsageError
from aimdvc.model.attributes import DEFAULT_ATTRIBUTES, Attributes
from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.own import ATTRIBUTES
from aimdvc.model.paths import check_entry_path, windows_reason
from aimdvc.model.progress import Progress
from aimdvc.ops.create import create_artifact, restore_default_attributes
from aimdvc.ops.inplace import EditedBlob, let_go
from aimdvc.ops.merging import has_conflict, settle_named
from aimdvc.ops.references import require_no_reference
from aimdvc.ops.scan import Scan, clock_ns, scan
from aimdvc.ops.settle import settle
from aimdvc.ops.stage import Stager, Vanished, attribute_files, read_rules, reattribute
from aimdvc.ops.targets import Target, find_target, heads_below, near_path, workspace_path
from aimdvc.ops.workspace import Workspace
from aimdvc.store.blobwriter import BlobWriter
from aimdvc.store.catalog import FRESH_S
from aimdvc.store.state import Head, Row, is_racy
from aimdvc.store.walk import DiskStat, git_mode, is_there


@dataclass(slots=True)
class Added:
    """What `add` staged of one artifact. Counts are of entries; `size` is bytes read into the store.

    `edited` are blobs that were edited in place, through files now staged, and are set aside.
    """

    artifact: str
    path: str
    is_new: bool
    added: int = 0
    modified: int = 0
    deleted: int = 0
    size: int = 0
    ignored: int = 0
    notes: list[str] = field(default_factory=list)
    edited: list[EditedBlob] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AddOptions:
    """`name` and `kind` are for paths that become artifacts; `force` takes ignored files, `update` only tracked."""

    name: str | None = None
    kind: str | None = None
    force: bool = False
    update: bool = False


def add(workspace: Workspace, here: Path, paths: Sequence[str], options: AddOptions, progress: Progress) -> list[Added]:
    """Stages the files at these paths, deletions too, and returns what was staged of each artifact.

    Raises UnknownPath, UnsafePath, ChangedMeanwhile, StorageError; the index is then as it was.
    """
    results: dict[str, Added] = {}
    for text in paths:
        for target, is_new in _targets(workspace, here, text, options):
            head = settle(workspace, target.head.name)
            result = results.setdefault(head.name, Added(head.name, head.path, is_new))
            stage_part(workspace, head, target.inner, options, result, progress)
            # What is added by its name is what the user wants there, also when it is ours as it was.
            settle_named(workspace, head, target.inner)
    return list(results.values())


def _targets(workspace: Workspace, here: Path, text: str, options: AddOptions) -> Iterable[tuple[Target, bool]]:
    path = workspace_path(workspace, here, text)
    found = find_target(workspace, path)
    if found is not None:
        known = _exists(workspace, path) or any(True for _ in workspace.state.rows(found.head, found.inner))
        known = known or has_conflict(workspace, found.head, found.inner)
        if not known:
            raise UnknownPath(text, f"artifact '{found.head.name}' nor on disk", near_path(workspace, path, here))
        _check_options(found.head, options)
        return [(found, False)]
    below = heads_below(workspace, path)
    if below:
        for head in below:
            _check_options(head, options)
        return [(Target(head, ""), False) for head in below]
    if options.update or not _exists(workspace, path):
        hint = near_path(workspace, path, here) or "check the spelling: nothing is there"
        raise UnknownPath(text, "the workspace", hint=hint)
    mode = os.lstat(os.path.join(workspace.root, path)).st_mode
    if not stat.S_ISDIR(mode) and not git_mode(mode):
        raise UnsafePath(path, "is neither a file nor a directory")
    head = create_artifact(workspace, path, options.name, options.kind)
    return [(Target(head, ""), True)]


def _check_options(head: Head, options: AddOptions) -> None:
    if options.name is not None and options.name != head.name:
        raise UsageError(
            f"'{head.path}' is in the artifact '{head.name}' already", hint="leave -n out, or name another path"
        )
    if options.kind is not None:
        raise UsageError(
            f"--type is for new artifacts, and '{head.name}' is none",
            hint=f"run `aimdvc meta set {head.name} type {options.kind}`",
        )


def _check_kind(workspace: Workspace, head: Head) -> None:
    """Raises UsageError when a directory stands where the artifact has one file, or the other way round."""
    path = os.path.join(workspace.root, head.path)
    if os.path.lexists(path) and os.path.isdir(path) == head.is_file:
        is_, was = ("a directory", "one file") if head.is_file else ("a file", "a directory")
        raise UsageError(
            f"'{head.path}' is {is_} now, and the artifact '{head.name}' is {was}",
            hint="move it elsewhere, and add it there as an artifact of its own",
        )


def _exists(workspace: Workspace, path: str) -> bool:
    return os.path.lexists(os.path.join(workspace.root, path))


def stage_part(
    workspace: Workspace, head: Head, inner: str, options: AddOptions, result: Added, progress: Progress
) -> None:
    """Stages what differs at or below `inner`, and saves the index once."""
    _check_kind(workspace, head)
    began_s = time.monotonic()
    found = scan(workspace, head, inner, use_ignore=not options.force)
    untracked = {} if options.update else _storable(found.untracked, result)
    if untracked and (problem := require_no_reference(workspace, head, untracked)) is not None:
        result.notes.append(f"the references of '{head.name}' are kept and can't be read: {problem}")
    result.ignored += found.walked.ignored
    _note(found, result)
    changed = {**found.suspects, **untracked}
    with workspace.blobs.writer() as writer:
        rules = _attributes(workspace, head, changed, found)
        stager = Stager(os.fsencode(workspace.artifact_root(head)), rules, writer, workspace.local_settings.link)
        rows = _stage_all(head, stager, changed, result, progress)
        rows.extend(_represented_anew(workspace, head, stager, rows, found, writer))
    _require_stored(workspace, rows, time.monotonic() - began_s)
    result.edited += _let_go(workspace, head, stager, found.deleted)
    rows = [stager.as_stored(row) for row in rows]
    now_ns = clock_ns(workspace.places.state)
    with workspace.state.transaction():
        workspace.state.put_rows(head, _counted(workspace.state.paired(head, rows), now_ns, result))
        _delete(workspace, head, found.deleted, result)


def _require_stored(workspace: Workspace, rows: Sequence[Row], taken_s: float) -> None:
    """Raises ChangedMeanwhile when a prune has taken what an add of long stored at its beginning."""
    if taken_s < FRESH_S / 2:
        return  # What was wanted within the hour, prune leaves.
    missing = workspace.blobs.claim({row.oid for row in rows if row.oid is not None})
    for row in rows:
        if row.oid in missing:
            raise ChangedMeanwhile(row.path)


def _storable(untracked: dict[bytes, DiskStat], result: Added) -> dict[bytes, DiskStat]:
    for raw in untracked:
        path = path_text(raw)
        check_entry_path(path)
        reason = windows_reason(path)
        if reason is not None and len(result.notes) < 20:
            result.notes.append(f"'{path}' can't be checked out on Windows: {reason}")
    return untracked


def _note(found: Scan, result: Added) -> None:
    result.notes.extend(f"skipped the nested repository '{path_text(path)}'" for path in found.walked.nested_git[:20])
    result.notes.extend(f"skipped '{path_text(path)}': neither file nor link" for path in found.walked.special[:20])
    if found.walked.empty_directories:
        count = found.walked.empty_directories
        result.notes.append(
            "an empty directory is not kept" if count == 1 else f"{count} empty directories are not kept"
        )


def _attributes(workspace: Workspace, head: Head, changed: dict[bytes, DiskStat], found: Scan) -> Attributes:
    files = attribute_files(workspace, head)
    if head.is_file:
        return Attributes.parse(files)
    root = workspace.artifact_root(head)
    for raw in changed:
        directory, _, name = path_text(raw).rpartition("/")
        if name == ATTRIBUTES:
            rules = read_rules(os.path.join(root, directory, name))
            if rules is None:
                files.pop(directory, None)
            else:
                files[directory] = rules
    for raw in found.deleted:
        directory, _, name = path_text(raw).rpartition("/")
        if name == ATTRIBUTES:
            files.pop(directory, None)
            if not directory:
                files[""] = DEFAULT_ATTRIBUTES  # `_delete` puts aimdvc's own back.
    return Attributes.parse(files)


def _stage_all(
    head: Head, stager: Stager, changed: dict[bytes, DiskStat], result: Added, progress: Progress
) -> list[Row]:
    rows: list[Row] = []
    progress.start(f"add {head.name}", sum(status[1] for status in changed.values()), "bytes")
    for raw, status in changed.items():
        try:
            row = stager.stage(path_text(raw), raw, progress.advance)
        except Vanished:
            continue
        rows.append(row)
        result.size += status[1]
    progress.finish()
    return rows


def _represented_anew(
    workspace: Workspace, head: Head, stager: Stager, rows: list[Row], found: Scan, writer: BlobWriter
) -> list[Row]:
    touched = [row.path for row in rows] + [path_text(raw) for raw in found.deleted]
    if not any(path.rpartition("/")[2] == ATTRIBUTES for path in touched):
        return []
    fresh = {row.path for row in rows}
    others = (row for row in workspace.state.rows(head) if row.path not in fresh and row.mode)
    return list(reattribute(others, stager.attributes, workspace.history(head.name), workspace, writer))


def _let_go(workspace: Workspace, head: Head, stager: Stager, deleted: Sequence[bytes]) -> list[EditedBlob]:
    """Sets blobs aside that were edited in place, through the files just staged: each may have been moved since."""
    if not stager.shared:
        return []
    paths = [*stager.shared.values(), *map(path_text, deleted)]
    rows = [row for path in paths if (row := workspace.state.row(head, path)) is not None]
    return let_go(workspace, head, rows, stager.shared)


def _counted(pairs: Iterable[tuple[Row, Row | None]], now_ns: int, result: Added) -> Iterable[Row]:
    """Yields the new rows as the index keeps them, each with what HEAD has at its path, and counts them."""
    for row, before in pairs:
        if before is None or before.mode == 0:
            result.added += 1
        elif (before.mode, before.git_id) != (row.mode, row.git_id):
            result.modified += 1
        if row.stat is not None and is_racy(row.stat, now_ns):
            row = row._replace(stat=None)
        yield row if before is None else row._replace(head_mode=before.head_mode, head_id=before.head_id)


def _delete(workspace: Workspace, head: Head, deleted: list[bytes], result: Added) -> None:
    rows = []
    root = path_bytes(workspace.artifact_root(head))
    for raw in deleted:
        row = workspace.state.row(head, path_text(raw))
        # Another process may have put it back meanwhile: what is on disk now is not deleted.
        if row is None or is_there(root, raw):
            continue
        rows.append(row.deleted())
    workspace.state.put_rows(head, rows)
    result.deleted += len(rows)
    if any(row.path == ATTRIBUTES for row in rows):
        restore_default_attributes(workspace, head)
