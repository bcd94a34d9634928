"""A path becomes an artifact: its checks, its first entries, its line in `.gitignore`."""

import os

from aimdvc.errors import UnsafePath, UsageError
from aimdvc.git.code import is_tracked
from aimdvc.model.attributes import AIMD_ATTRIBUTES, DEFAULT_ATTRIBUTES
from aimdvc.model.entries import Mode
from aimdvc.model.metadata import Metadata, dump_metadata
from aimdvc.model.names import MAIN, check_artifact_name
from aimdvc.model.own import AIMD_DIRECTORY_ATTRIBUTES, ATTRIBUTES, METADATA
from aimdvc.model.paths import check_workspace_path
from aimdvc.ops.lockfile import read_pins, replace_pin
from aimdvc.ops.stage import inline_row
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Place, Row


def create_artifact(workspace: Workspace, path: str, name: str | None, kind: str | None) -> Head:
    """Makes a workspace path an artifact on branch main, with nothing but aimdvc's own entries staged.

    Raises UsageError when the name is taken, UnsafePath for a path that can't be one.
    """
    name = check_artifact_name(name or base_name(workspace, path))
    check_artifact_path(workspace, path)
    check_free(workspace, name)
    workspace.history(name)
    is_file = os.path.isfile(os.path.join(workspace.root, path)) and not os.path.isdir(
        os.path.join(workspace.root, path)
    )
    rows = _first_rows(workspace, path, is_file, kind)
    ensure_ignored(workspace, path)
    with workspace.state.transaction():
        # Another process may have made one there, or taken the name, since the checks above.
        head = workspace.state.head(name)
        if head is not None and head.path == path:
            return head
        check_free(workspace, name)
        _check_overlap(workspace, path, None)
        head = workspace.state.create_head(name, path, is_file, MAIN, None)
        workspace.state.put_rows(head, rows)
    return head


def check_artifact_path(workspace: Workspace, path: str, own: str | None = None) -> None:
    """Raises UnsafePath unless an artifact (other than `own`) may lie at this workspace path."""
    check_place(workspace, path, own)
    places = workspace.places
    if places.git_dir is not None and places.work_tree is not None:
        inside = os.path.relpath(os.path.join(workspace.root, path), places.work_tree)
        if is_tracked(places.git_dir, inside):
            raise UnsafePath(
                path,
                "Git tracks files there",
                hint=f"`aimdvc import git '{path}'` moves them over, with their history",
            )


def check_place(workspace: Workspace, path: str, own: str | None = None) -> None:
    """Raises UnsafePath as `check_artifact_path`, but for what Git tracks."""
    check_workspace_path(path)
    if path == "." and workspace.places.work_tree is not None:
        raise UnsafePath(path, "the whole workspace can't be an artifact inside a Git work tree")
    _check_overlap(workspace, path, own)
    parent = os.path.dirname(os.path.join(workspace.root, path))
    if os.path.realpath(parent) != os.path.normpath(
        os.path.join(os.path.realpath(workspace.root), os.path.dirname(path))
    ):
        raise UnsafePath(path, "reached through a symbolic link")
    if os.path.islink(os.path.join(workspace.root, path)):
        raise UnsafePath(path, "is a symbolic link")


def check_free(workspace: Workspace, name: str) -> None:
    """Raises UsageError for a name that an artifact has, here, in the store or in `aimdvc.lock`."""
    taken = {head.name.lower(): head.path for head in workspace.state.heads()}
    pins = {pinned.lower(): pin.path for pinned, pin in read_pins(workspace).items()}
    if name.lower() in taken:
        raise UsageError(
            f"artifact '{name}' already exists at '{taken[name.lower()]}'", hint="give another name with -n"
        )
    if workspace.repository_path(name).exists() and workspace.history(name).ref(MAIN) is not None:
        raise UsageError(
            f"the store has a history of '{name}' already, of another workspace or of a lost state",
            hint=f"give another name with -n; or `aimdvc checkout {name}@main --at PATH` brings that one",
        )
    if name.lower() in pins:
        raise UsageError(
            f"aimdvc.lock already pins '{name}' at '{pins[name.lower()]}'",
            hint="run `aimdvc pull` to get it, or give another name with -n",
        )


def forget_artifact(workspace: Workspace, head: Head) -> None:
    """Takes an artifact out of the workspace: its pin, its line in `.gitignore`, its state. Files and history stay.

    The state goes last: cut anywhere, the artifact is still known, and running it again finishes it.
    """
    with workspace.state.transaction():
        replace_pin(workspace, head.name, None)
        ensure_not_ignored(workspace, head.path)
        workspace.state.clear_rows(head)
        workspace.state.delete_head(head)


def ensure_not_ignored(workspace: Workspace, path: str) -> None:
    """Takes an artifact's path out of the `.gitignore` beside it; one that holds nothing more goes."""
    if workspace.places.work_tree is None:
        return
    directory, _, name = path.rpartition("/")
    ignore_file = workspace.root / directory / ".gitignore"
    if not ignore_file.exists():
        return
    lines = ignore_file.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if line.rstrip(b"\n") != b"/" + _escaped(name)]
    if kept:
        if kept != lines:
            workspace.replace_file(ignore_file, b"".join(kept))
    elif lines:
        workspace.disk.unlink(ignore_file)
        workspace.disk.sync_directory(ignore_file.parent)


def _check_overlap(workspace: Workspace, path: str, own: str | None) -> None:
    for head in workspace.state.heads():
        if head.name != own and (_is_below(path, head.path) or _is_below(head.path, path)):
            is_left = head.written is not None and head.name not in read_pins(workspace)
            hint = (
                f"aimdvc.lock doesn't pin '{head.name}' any more: `aimdvc checkout` takes it away" if is_left else None
            )
            raise UnsafePath(path, f"overlaps artifact '{head.name}' at '{head.path}'; artifacts don't nest", hint=hint)


def ensure_ignored(workspace: Workspace, path: str) -> None:
    """Adds an artifact's path to the `.gitignore` beside it, once, when the workspace is in a Git work tree."""
    if workspace.places.work_tree is None or path == ".":
        return
    directory, _, name = path.rpartition("/")
    ignore_file = workspace.root / directory / ".gitignore"
    line = b"/" + _escaped(name)
    content = ignore_file.read_bytes() if ignore_file.exists() else b""
    if line in content.splitlines():
        return
    separator = b"" if not content or content.endswith(b"\n") else b"\n"
    workspace.disk.make_directory(ignore_file.parent)
    workspace.replace_file(ignore_file, content + separator + line + b"\n")


def restore_default_attributes(workspace: Workspace, head: Head) -> None:
    """Puts aimdvc's own `.gitattributes` back into the index, after the user's was deleted. Within a transaction."""
    with workspace.blobs.writer() as writer:
        row = inline_row(writer, ATTRIBUTES, int(Mode.FILE), DEFAULT_ATTRIBUTES, Place.HIDDEN, None)
    before = workspace.state.row(head, ATTRIBUTES)
    if before is not None:
        row = row._replace(head_mode=before.head_mode, head_id=before.head_id)
    workspace.state.put_rows(head, [row])


def _first_rows(workspace: Workspace, path: str, is_file: bool, kind: str | None) -> list[Row]:
    contents = {AIMD_DIRECTORY_ATTRIBUTES: AIMD_ATTRIBUTES}
    if is_file or not os.path.lexists(os.path.join(workspace.root, path, ATTRIBUTES)):
        contents[ATTRIBUTES] = DEFAULT_ATTRIBUTES
    if kind is not None:
        contents[METADATA] = dump_metadata(Metadata(type=kind))
    with workspace.blobs.writer() as writer:
        return [
            inline_row(writer, name, int(Mode.FILE), content, Place.HIDDEN, None) for name, content in contents.items()
        ]


def base_name(workspace: Workspace, path: str) -> str:
    """Returns the name that an artifact at a path gets when it is given none."""
    return workspace.root.name if path == "." else path.rpartition("/")[2]


def _is_below(path: str, other: str) -> bool:
    return path == other or other == "." or path.startswith(other + "/")


def _escaped(name: str) -> bytes:
    raw = os.fsencode(name)
    for special in (b"\\", b"*", b"?", b"["):
        raw = raw.replace(special, b"\\" + special)
    return raw[:-1] + b"\\ " if raw.endswith(b" ") else raw
