"""`ref add`, `ref rm`, `ref list`: the references of an artifact, in `.aimd/references`, staged as files are."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from aimdvc.errors import CorruptRepository, UnknownPath, UnsafePath, UnsafeUrl
from aimdvc.git.history import History
from aimdvc.git.trees import iter_files
from aimdvc.model.entries import Mode, path_bytes, path_text
from aimdvc.model.oid import GitId
from aimdvc.model.own import REFERENCES
from aimdvc.model.references import (
    Reference,
    References,
    check_reference,
    dump_references,
    parse_references,
    require_free,
    taken,
)
from aimdvc.ops.revisions import resolve
from aimdvc.ops.settle import settle
from aimdvc.ops.stage import inline_row, row_content
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Place

MALFORMED = (CorruptRepository, UnsafePath, UnsafeUrl)
"""What is raised for references that another client wrote and that can't be read: they are kept as they are."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A reference that is staged, or no longer; `is_new` says that the key had none."""

    artifact: str
    reference: Reference
    is_new: bool


def list_references(workspace: Workspace, name: str, revision: str | None) -> References:
    """Returns the references of a version, or of what the next commit holds, by key. Raises CorruptRepository."""
    head = settle(workspace, name)
    if revision is None:
        return staged_references(workspace, head)
    history = workspace.history(name)
    return references_of(workspace, name, history.commit(resolve(workspace, head, revision)).tree)


def references_of(workspace: Workspace, name: str, tree: GitId | None) -> References:
    """Returns the references that a tree holds, by key. Raises CorruptRepository."""
    history = workspace.history(name)
    entry = history.entry(tree, REFERENCES)
    return parse_references(history.read_blob(entry.git_id)) if entry is not None else {}


def staged_references(workspace: Workspace, head: Head) -> References:
    """Returns the references of the next commit, by key. Raises CorruptRepository."""
    row = workspace.state.row(head, REFERENCES)
    return parse_references(row_content(workspace, head, row)) if row is not None and row.mode else {}


def add_reference(workspace: Workspace, name: str, reference: Reference) -> Recorded:
    """Stages a reference; one that the key had is replaced. Asks no network.

    Raises UnsafePath where a file has the key, or one of them lies inside the other, UnsafeUrl.
    """
    check_reference(reference)
    head = settle(workspace, name)
    _require_no_file(workspace, head, reference.key)

    def change(known: References) -> Recorded:
        require_free(reference.key, known.keys() - {reference.key})
        is_new = reference.key not in known
        known[reference.key] = reference
        return Recorded(name, reference, is_new)

    return _edit(workspace, head, change)


def remove_reference(workspace: Workspace, name: str, key: str) -> Recorded:
    """Stages that a key has no reference any more. Raises UnknownPath."""
    head = settle(workspace, name)

    def change(known: References) -> Recorded:
        return Recorded(name, known.pop(find_reference(known, name, key).key), False)

    return _edit(workspace, head, change)


def find_reference(known: Mapping[str, Reference], name: str, key: str) -> Reference:
    """Returns the reference of a key. Raises UnknownPath."""
    if key not in known:
        raise UnknownPath(key, f"the references of '{name}'", hint=f"`aimdvc ref list {name}` lists them")
    return known[key]


def require_no_reference(workspace: Workspace, head: Head, paths: Collection[bytes]) -> str | None:
    """Raises UnsafePath when a new file's path is a reference's key, or one of them lies inside the other.

    Returns why the references can't be read, None when they can: they are then no reason against any file.
    """
    try:
        known = staged_references(workspace, head)
    except MALFORMED as error:
        return error.message
    if not known:
        return None
    keys = {path_bytes(key) for key in known}
    for key in keys:
        if any(above in paths for above in (key, *_above(key))):
            raise taken(path_text(key))
    for path in paths:
        if any(above in keys for above in _above(path)):
            raise taken(path_text(path))
    return None


def clashes(history: History, tree: GitId | None) -> list[str]:
    """Returns the paths of a tree at which a file and a reference, or two references, meet. Raises CorruptRepository.

    Reads the tree's names once; nothing of a tree without references.
    """
    entry = history.entry(tree, REFERENCES)
    if entry is None or tree is None:
        return []
    keys = {path_bytes(key) for key in parse_references(history.read_blob(entry.git_id))}
    above = {parent for key in keys for parent in _above(key)}
    found = keys & above
    for raw in iter_files(history.read_tree, tree):
        if raw.path in keys or raw.path in above or not keys.isdisjoint(_above(raw.path)):
            found.add(raw.path)
    return sorted(map(path_text, found))


def require_distinct(history: History, tree: GitId | None) -> None:
    """Raises UnsafePath for a tree in which a path would be a file and a reference: no commit may hold it.

    References that can't be read are kept as they are.
    """
    try:
        found = clashes(history, tree)
    except MALFORMED:
        return
    for path in found:
        raise taken(path)


def _above(path: bytes) -> Iterator[bytes]:
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def _require_no_file(workspace: Workspace, head: Head, key: str) -> None:
    parts = key.split("/")
    above = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
    paths = [path for path in above if (row := workspace.state.row(head, path)) is not None and row.mode]
    paths += [row.path for row in workspace.state.rows(head, key) if row.mode]
    require_free(key, paths[:1])


def _edit(workspace: Workspace, head: Head, change: Callable[[References], Recorded]) -> Recorded:
    known = staged_references(workspace, head)
    result = change(known)
    with workspace.blobs.writer() as writer:
        row = inline_row(writer, REFERENCES, int(Mode.FILE), dump_references(known), Place.HIDDEN, None)
    with workspace.state.transaction():
        before = workspace.state.row(head, REFERENCES)
        if before is not None:
            row = row.with_head_of(before)
        # An empty list is no file: the tree is then as it was before the first reference.
        workspace.state.put_rows(head, [row if known else row.deleted()])
    return result
