"""The pins of a commit of the code repository: what its aimdvc.lock said. Reads files; no git process runs."""

from aimdvc.errors import AimdvcError, UsageError
from aimdvc.git.coderevs import read_at, resolve_code
from aimdvc.model.lock import Pin, parse_lock
from aimdvc.model.oid import GitId
from aimdvc.ops.check import UNREADABLE
from aimdvc.ops.lockmerge import lock_place
from aimdvc.ops.workspace import Workspace


def pins_at(workspace: Workspace, revision: str) -> dict[str, Pin]:
    """Returns what a code commit pins, nothing where it has no aimdvc.lock. Raises UsageError as `resolve_code`."""
    return pins_of(workspace, resolve_in(workspace, revision))


def resolve_in(workspace: Workspace, revision: str) -> GitId:
    """Returns the code commit that a revision means. Raises UsageError, also without a code repository."""
    git_dir, common_dir = workspace.places.git_dir, workspace.places.git_common_dir
    if git_dir is None or common_dir is None:
        raise UsageError("the workspace is in no Git repository", hint="only commits of one can be named")
    return resolve_code(git_dir, common_dir, revision)


def pins_of(workspace: Workspace, commit: GitId) -> dict[str, Pin]:
    """Returns what a code commit pins. Raises UsageError for what is not in this clone, or not readable."""
    assert workspace.places.git_common_dir is not None, "a code commit is one of a code repository"
    raw = read_at(workspace.places.git_common_dir, commit, lock_place(workspace))
    try:
        return parse_lock(raw or b"")
    except UNREADABLE as error:
        raise _in_commit(error, commit) from error


def _in_commit(error: AimdvcError, commit: GitId) -> UsageError:
    return UsageError(f"in code commit {commit[:12]}: {error.message}", hint="its lock was committed so")
