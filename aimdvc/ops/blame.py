"""`blame`: which version made each file what it is, and which commit of the code it came with. Reads only."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from aimdvc.errors import UnsafeError, UsageError
from aimdvc.git.blame import iter_blame
from aimdvc.git.code import iter_file_versions
from aimdvc.model.commits import Signature, trailer
from aimdvc.model.lock import parse_lock
from aimdvc.model.oid import GitId
from aimdvc.model.own import ATTRIBUTES, is_own
from aimdvc.ops.content import read_inline
from aimdvc.ops.plan import is_hidden
from aimdvc.ops.revisions import labels, resolve, unknown_path
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace

CODE_TRAILER = "Aimd-Code"


@dataclass(frozen=True, slots=True)
class Blamed:
    """One file, and the version that made it what it is. `code` is a commit of the code repository, None if unknown.

    It is what the version's trailer says, else the first commit on the line of first parents whose aimdvc.lock pins
    the version. `is_boundary` says that a shallow history ends there: an older version may have made it so.
    """

    path: str
    version: str
    commit: GitId
    author: Signature
    subject: str
    code: str | None
    is_boundary: bool = False


def blame(workspace: Workspace, name: str, revision: str | None, path: str) -> Iterator[Blamed]:
    """Yields the files at or below a path of a revision, those of the newest version first.

    Raises UnknownPath, UnknownRevision.
    """
    head = settle(workspace, name)
    history = workspace.history(name)
    start = resolve(workspace, head, revision or "HEAD")
    tree = history.commit(start).tree
    named = labels(history)
    rules = history.entry(tree, ATTRIBUTES)
    is_own_rules = rules is not None and is_hidden(rules, partial(read_inline, workspace, head))
    first_pins: dict[GitId, str] | None = None
    found = False

    def is_told(one: str) -> bool:
        return not (is_own(one) or (one == ATTRIBUTES and is_own_rules))

    for commit, paths in iter_blame(history, start, path, is_told):
        code = trailer(commit.message, CODE_TRAILER)
        if code is None:
            first_pins = _first_pins(workspace, name) if first_pins is None else first_pins
            code = first_pins.get(commit.id)
        version = named.get(commit.id, commit.id[:12])
        for one in paths:
            found = True
            is_boundary = commit.id in history.shallow
            yield Blamed(one, version, commit.id, commit.author, commit.subject, code, is_boundary)
    if not found:
        raise unknown_path(history, name, tree, path or head.path)


def _first_pins(workspace: Workspace, name: str) -> dict[GitId, str]:
    """Returns the first commit of the code that pinned each version of an artifact."""
    places = workspace.places
    if places.git_dir is None or places.git_common_dir is None or places.work_tree is None:
        return {}
    inside = workspace.lock_path.relative_to(places.work_tree).as_posix()
    first: dict[GitId, str] = {}
    for commit, content in iter_file_versions(places.git_dir, places.git_common_dir, inside):
        try:
            pin = parse_lock(content).get(name)
        except (UsageError, UnsafeError):
            continue  # Somebody committed a lock that can't be read, with conflict marks for one: it pins nothing.
        if pin is not None:
            first[pin.commit] = commit
    return first
