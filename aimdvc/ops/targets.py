"""From what was typed to what is meant: paths and artifact names, relative to the current directory."""

import os
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import UnknownPath, UnsafePath, UsageError
from aimdvc.model.nearest import nearest_path
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Place


class Target(NamedTuple):
    """A place inside an artifact: `inner` is relative to its root, "" for all of it."""

    head: Head
    inner: str


def workspace_path(workspace: Workspace, here: Path, text: str) -> str:
    """Returns a typed path relative to the workspace, with `/`; "." is the workspace itself.

    The last component is not resolved when it is a link. Raises UnsafePath outside the workspace.
    """
    absolute = os.path.normpath(os.path.join(here, text))
    parent = os.path.realpath(os.path.dirname(absolute))
    absolute = os.path.join(parent, os.path.basename(absolute)) if os.path.basename(absolute) else parent
    relative = os.path.relpath(absolute, os.path.realpath(workspace.root))
    if relative == ".." or relative.startswith("../"):
        raise UnsafePath(text, f"outside the workspace '{workspace.root}'", hint="run it where that path lies")
    return relative.replace(os.sep, "/")


def find_target(workspace: Workspace, path: str) -> Target | None:
    """Returns the artifact that a workspace path belongs to, and the path inside it; None for a path in no artifact."""
    for head in workspace.state.heads():
        inner = _inside(head, path)
        if inner is not None:
            return Target(head, inner)
    return None


def targets_of(workspace: Workspace, here: Path, texts: tuple[str, ...]) -> list[Target]:
    """Returns what typed paths mean: an artifact's part, or every artifact below. Raises UnknownPath for none."""
    targets: list[Target] = []
    for text in texts:
        path = workspace_path(workspace, here, text)
        found = find_target(workspace, path)
        below = [Target(head, "") for head in heads_below(workspace, path)] if found is None else [found]
        if not below:
            raise unknown_target(workspace, here, text, f"run `aimdvc add {text}` to make it one")
        targets.extend(below)
    return targets


def unknown_target(workspace: Workspace, here: Path, text: str, otherwise: str) -> UnknownPath:
    """Returns the error for a typed path in no artifact, with the hint `otherwise` where nothing better is known."""
    named = workspace.state.head(text)
    if named is not None:
        place = os.path.relpath(os.path.join(workspace.root, named.path), here)
        return UnknownPath(text, "any artifact", hint=f"that is a name: its path is '{place}'")
    near = near_path(workspace, workspace_path(workspace, here, text), here)
    return UnknownPath(text, "any artifact", hint=near or otherwise)


def near_path(workspace: Workspace, path: str, here: Path | None = None) -> str | None:
    """Returns a hint that names what is most like a workspace path, on disk or in the index; None when it is there.

    It is named as seen from `here`, else from the workspace.
    """
    path = os.path.normpath(path)

    def names_in(directory: str) -> set[str]:
        place = workspace.root / directory
        names = set(os.listdir(place)) if os.path.isdir(place) else set()
        inside = find_target(workspace, directory) if directory else None
        if inside is not None:
            cut = len(inside.inner) + 1 if inside.inner else 0
            rows = workspace.state.rows(inside.head, inside.inner)
            names |= {row.path[cut:].partition("/")[0] for row in rows if row.mode and row.place is not Place.HIDDEN}
        return names - {".git", ".aimdvc", ""}

    near = nearest_path(path, names_in)
    if near is None or near == path:
        return None
    return f"did you mean '{os.path.relpath(workspace.root / near, here or workspace.root)}'?"


def heads_below(workspace: Workspace, path: str) -> list[Head]:
    """Returns the artifacts whose paths lie below a workspace path."""
    prefix = "" if path == "." else path + "/"
    return [head for head in workspace.state.heads() if head.path.startswith(prefix)]


def default_artifact(workspace: Workspace, here: Path) -> Head:
    """Returns the artifact of the current directory, or the only one. Raises UsageError when neither tells."""
    found = find_target(workspace, workspace_path(workspace, here, "."))
    if found is not None:
        return found.head
    heads = workspace.state.heads()
    if len(heads) == 1:
        return heads[0]
    if not heads:
        raise UsageError("the workspace has no artifacts", hint="run `aimdvc add PATH` to make one")
    raise UsageError(
        "which artifact is meant is not clear here", hint=f"name one of: {', '.join(head.name for head in heads)}"
    )


def _inside(head: Head, path: str) -> str | None:
    if head.is_file:
        return head.path.rpartition("/")[2] if path == head.path else None
    if head.path == ".":
        return "" if path == "." else path
    if path == head.path:
        return ""
    return path[len(head.path) + 1 :] if path.startswith(head.path + "/") else None
