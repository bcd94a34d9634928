"""`meta`: description, labels, type and free metadata of the next version, in `.aimd/metadata.json`."""

import json
from dataclasses import replace

from aimdvc.errors import UsageError
from aimdvc.model.entries import Mode
from aimdvc.model.metadata import Metadata, dump_metadata, parse_metadata
from aimdvc.model.own import METADATA
from aimdvc.ops.revisions import resolve
from aimdvc.ops.settle import settle
from aimdvc.ops.stage import inline_row, row_content
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Place


def get_metadata(workspace: Workspace, name: str, revision: str | None) -> Metadata:
    """Returns what is known of a version, or of what the next commit holds."""
    head = settle(workspace, name)
    if revision is None:
        return _staged(workspace, head)
    history = workspace.history(name)
    tree = history.commit(resolve(workspace, head, revision)).tree
    entry = history.entry(tree, METADATA)
    return parse_metadata(history.read_blob(entry.git_id)) if entry else Metadata()


def set_metadata(workspace: Workspace, name: str, key: str, value: str) -> Metadata:
    """Sets `description`, `type`, `labels` or `metadata.KEY` for the next commit; "" removes it."""
    head = settle(workspace, name)
    metadata = _changed(_staged(workspace, head), key, value)
    with workspace.blobs.writer() as writer:
        row = inline_row(writer, METADATA, int(Mode.FILE), dump_metadata(metadata), Place.HIDDEN, None)
    with workspace.state.transaction():
        known = workspace.state.row(head, METADATA)
        if known is not None:
            row = row._replace(head_mode=known.head_mode, head_id=known.head_id)
        workspace.state.put_rows(head, [row])
    return metadata


def _staged(workspace: Workspace, head: Head) -> Metadata:
    row = workspace.state.row(head, METADATA)
    return parse_metadata(row_content(workspace, head, row)) if row is not None and row.mode else Metadata()


def _changed(metadata: Metadata, key: str, value: str) -> Metadata:
    if key == "description":
        return replace(metadata, description=value)
    if key == "type":
        return replace(metadata, type=value)
    if key == "labels":
        return replace(metadata, labels=_labels(value))
    section, dot, inner = key.partition(".")
    if section == "metadata" and dot and inner:
        kept = {name: known for name, known in metadata.metadata.items() if name != inner}
        return replace(metadata, metadata=kept | {inner: value} if value else kept)
    raise UsageError(f"unknown metadata key '{key}'", hint="keys are description, type, labels and metadata.NAME")


def _labels(value: str) -> tuple[str, ...]:
    """Returns the labels of a text: separated by commas, or a JSON list of texts."""
    given: object = value.split(",")
    if value.lstrip().startswith("["):
        try:
            given = json.loads(value)
        except (ValueError, RecursionError):
            given = None
    if not isinstance(given, list) or not all(isinstance(label, str) for label in given):
        raise UsageError(
            f"labels are '{value[:60]}', expected texts", hint="separate them by commas, or give a JSON list of texts"
        )
    return tuple(sorted({label.strip() for label in given} - {""}))
