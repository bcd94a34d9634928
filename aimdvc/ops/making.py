"""What a command reads and makes: its inputs are pinned before it runs, its outputs become versions that say so.

Before: all that could refuse a version is asked, so that no long run is for nothing. Afterwards the outputs are added,
then committed, one by one: each version is whole, and says all that made it.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from aimdvc.errors import AimdvcError, Refused, UnknownPath, UsageError
from aimdvc.git.cleanliness import is_dirty
from aimdvc.git.code import head_commit
from aimdvc.model.commits import Signature
from aimdvc.model.entries import path_bytes
from aimdvc.model.lineage import Input, Making, command_text, trailers_of, unique_inputs
from aimdvc.model.names import check_artifact_name
from aimdvc.model.progress import Progress
from aimdvc.ops.add import AddOptions, add
from aimdvc.ops.commit import CommitOptions, Committed, branch_to_commit_on, commit
from aimdvc.ops.create import check_artifact_path, check_free
from aimdvc.ops.lockfile import require_readable
from aimdvc.ops.revisions import label, resolve
from aimdvc.ops.scan import changed_suspects, scan
from aimdvc.ops.settle import settle
from aimdvc.ops.targets import find_target, workspace_path
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

_SUBJECT = 72


@dataclass(frozen=True, slots=True)
class Output:
    """An artifact that a command makes, and its path in the workspace."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known before a command runs. `notes` are for the user."""

    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    code: str | None
    author: Signature
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of the outputs: the versions made, and the artifacts that were as before and got none."""

    committed: list[Committed]
    unchanged: list[str]


def prepare(
    workspace: Workspace, here: Path, inputs: Iterable[tuple[str, str | None]], outputs: Iterable[str]
) -> Prepared:
    """Returns which versions a command reads, as (name, revision), and what it makes, each as `NAME=PATH`.

    Raises UnknownArtifact, UnknownRevision, UsageError, UnsafePath, Refused, RefMoved, NoAuthor: nothing was run.
    """
    require_readable(workspace)
    author = workspace.author()
    notes: list[str] = []
    pinned = [_pinned(workspace, name, revision, notes) for name, revision in inputs]
    found: list[Output] = []
    for text in outputs:
        output = _output(workspace, here, text, notes)
        if any(output.name == other.name or output.path == other.path for other in found):
            raise UsageError(f"output '{text}' is given twice", hint="give each artifact one path")
        found.append(output)
    return Prepared(unique_inputs(pinned), tuple(found), code_state(workspace), author, tuple(notes))


def record(
    workspace: Workspace, prepared: Prepared, command: Sequence[str], message: str | None, progress: Progress
) -> Recorded:
    """Makes versions of the outputs of a command that has run; of one that did not change, none.

    Raises UnknownPath for an output that is not there: none is committed then.
    """
    for output in prepared.outputs:
        if not os.path.lexists(workspace.root / output.path):
            raise UnknownPath(
                output.path, "the workspace", hint=f"the command made no '{output.name}': nothing is kept"
            )
    for output in prepared.outputs:
        add(workspace, workspace.root, [output.path], AddOptions(name=output.name), progress)
    text = command_text(command)
    making = Making(prepared.inputs, prepared.code, None, text)
    subject = message.strip() if message and message.strip() else f"Run {text}"[:_SUBJECT]
    trailers = "".join(f"{key}: {value}\n" for key, value in trailers_of(making))
    names = [output.name for output in prepared.outputs]
    options = CommitOptions(f"{subject}\n\n{trailers}", prepared.author)
    made = commit(workspace, names, options, progress) if names else []
    committed = {one.artifact for one in made}
    return Recorded(made, [name for name in names if name not in committed])


def code_state(workspace: Workspace) -> str | None:
    """Returns the commit of the code around a workspace, with `+dirty` where tracked files differ from it.

    `aimdvc.lock` counts for nothing: which versions were read is told apart. None where there is no commit, or where
    only git can tell.
    """
    places = workspace.places
    if places.git_dir is None or places.git_common_dir is None or places.work_tree is None:
        return None
    lock = path_bytes(os.path.relpath(workspace.lock_path, places.work_tree))
    try:
        found = head_commit(places.git_dir, places.git_common_dir)
        if found is None:
            return None
        changed = is_dirty(places.git_dir, places.git_common_dir, places.work_tree, lock)
    except (AimdvcError, OSError):  # What isn't known is left out: no run is stopped by it.
        return None
    return f"{found}+dirty" if changed else str(found)


def server_path(workspace: Workspace, head: Head) -> str:
    """Returns where an artifact lies on its server, without a slash before it; its name where it has no server."""
    remote, inside = head.origin
    try:
        parts = urlsplit(workspace.settings.remotes.get(remote) or "")
    except ValueError:  # Settings are committed with the code: anything may stand in them.
        return head.name
    path = f"{unquote(parts.path).strip('/')}/{inside}".strip("/")
    return path if parts.scheme.lower() in ("http", "https") and path.isprintable() else head.name


def _pinned(workspace: Workspace, name: str, revision: str | None, notes: list[str]) -> Input:
    head = settle(workspace, name)
    if revision is None and head.commit is None:
        raise UsageError(f"artifact '{name}' has no version yet", hint='run `aimdvc commit -m "MESSAGE"` first')
    commit = resolve(workspace, head, revision or "HEAD")
    history = workspace.history(name)
    if commit != head.commit:
        wanted, there = label(history, commit), label(history, head.commit) if head.commit is not None else "nothing"
        notes.append(f"'{name}' is checked out at {there}, and {wanted} is what is recorded")
    elif _has_changes(workspace, head):
        notes.append(f"the files of '{name}' have changes that are in no version")
    return Input(server_path(workspace, head), commit)


def _has_changes(workspace: Workspace, head: Head) -> bool:
    found = scan(workspace, head)
    staged = any(True for _ in workspace.state.staged(head))
    return staged or bool(found.deleted or found.untracked or changed_suspects(workspace, head, found))


def _output(workspace: Workspace, here: Path, text: str, notes: list[str]) -> Output:
    name, found, typed = text.partition("=")
    if not found or not typed:
        raise UsageError(f"output '{text}': expected NAME=PATH", hint="for one: `--output model=models/model.pt`")
    check_artifact_name(name)
    path = workspace_path(workspace, here, typed)
    head = workspace.state.head(name)
    target = find_target(workspace, path)
    if head is None:
        if target is not None:
            raise UsageError(
                f"output '{text}': that path belongs to the artifact '{target.head.name}'",
                hint=f"write `--output {target.head.name}={target.head.path}`",
            )
        check_artifact_path(workspace, path)
        try:
            check_free(workspace, name)
        except UsageError as error:
            error.hint = "give the output another name"
            raise
        return Output(name, path)
    if head.path != path:
        raise UsageError(
            f"output '{text}': the artifact '{head.name}' lies at '{head.path}'",
            hint=f"write `--output {head.name}={head.path}`, or give the output another name",
        )
    head = settle(workspace, head.name)
    _require_ready(workspace, head)
    # Also what an earlier run left that was cut: it is no reason to refuse.
    if head.commit is not None and _has_changes(workspace, head):
        notes.append(f"'{head.name}' has changes that are in no version: what is left of them counts as the command's")
    return Output(head.name, path)


def _require_ready(workspace: Workspace, head: Head) -> None:
    """Raises Refused, RefMoved where nothing could be committed."""
    if workspace.state.merges.get(head.id) is not None:
        raise Refused(
            f"a merge of '{head.name}' is in progress", hint="finish it with `aimdvc commit`, then run it again"
        )
    if head.commit is not None:
        branch_to_commit_on(workspace.history(head.name), head)
