"""What the code's own HEAD commit pins, beside the aimdvc.lock that lies on disk.

`status` asks at each run, so the id of the lock that a code commit has is remembered: as long as both are the same, no
git object is read. Writes nothing else. What can't be read is told as such; it never stops the verb that asks.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from aimdvc.errors import AimdvcError, StorageError
from aimdvc.git.code import head_commit
from aimdvc.git.coderevs import read_at
from aimdvc.git.kinds import BLOB
from aimdvc.git.packs import git_id_of
from aimdvc.model.lock import Pin, parse_lock
from aimdvc.model.oid import GitId
from aimdvc.ops.codeplace import code_place
from aimdvc.ops.lockfile import read_lock_file
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

_MEMO = "code-head"


class CodeState(Enum):
    """How aimdvc.lock on disk stands to that of the code's HEAD."""

    NONE = "none"
    """No code repository, or no commit in it yet."""
    SAME = "same"
    DIFFERENT = "different"
    NEW = "new"
    """The code's HEAD has no aimdvc.lock."""
    DELETED = "deleted"
    """The code's HEAD has one, and there is none on disk."""
    UNREAD = "unread"
    """What the code's HEAD has can't be read here."""


@dataclass(frozen=True, slots=True)
class CodeHead:
    """The pins of the code's HEAD, empty where none are known; `commit` is that HEAD."""

    state: CodeState = CodeState.NONE
    commit: GitId | None = None
    pins: Mapping[str, Pin] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether `pins` are all that the code's HEAD pins."""
        return self.state not in (CodeState.NONE, CodeState.UNREAD)


def read_code_head(workspace: Workspace, pins: Mapping[str, Pin]) -> CodeHead:
    """Returns what the code's HEAD pins; `pins` are those on disk. No git process runs."""
    places = workspace.places
    if places.git_dir is None or places.git_common_dir is None or places.work_tree is None:
        return CodeHead()
    raw = read_lock_file(workspace)
    try:
        commit = head_commit(places.git_dir, places.git_common_dir)
        if commit is None:
            return CodeHead()
        if _remembered(workspace) == (commit, git_id_of(BLOB, raw)):
            return CodeHead(CodeState.SAME, commit, pins)
        theirs = read_at(places.git_common_dir, commit, code_place(workspace).lock)
        known = parse_lock(theirs) if theirs is not None else {}
    except AimdvcError:
        # A shallow or partial clone, a damaged one, or a lock of long ago: a pin is told without it.
        return CodeHead(CodeState.UNREAD)
    if theirs is None:
        return CodeHead(CodeState.NEW, commit)
    if not raw and not workspace.lock_path.exists():
        return CodeHead(CodeState.DELETED, commit, known)
    if theirs == raw:
        _remember(workspace, commit, git_id_of(BLOB, raw))
    # The bytes may differ where the pins don't: Git turns line ends (core.autocrlf).
    return CodeHead(CodeState.SAME if known == pins else CodeState.DIFFERENT, commit, known)


def is_unpinned(head: Head, pins: Mapping[str, Pin], code: CodeHead) -> bool:
    """Returns whether Git took an artifact out of the lock: it was pinned, and now neither disk nor HEAD pin it."""
    was_pinned = head.commit is not None and head.written is not None
    return was_pinned and code.is_known and head.name not in pins and head.name not in code.pins


def _memo(workspace: Workspace) -> Path:
    return workspace.places.state / _MEMO


def _remembered(workspace: Workspace) -> tuple[str, str] | None:
    try:
        commit, _, blob = _memo(workspace).read_text("ascii", "replace").strip().partition(" ")
    except OSError:
        return None
    return commit, blob


def _remember(workspace: Workspace, commit: GitId, blob: GitId) -> None:
    if not _memo(workspace).parent.is_dir():
        return  # A new worktree, with nothing in it yet.
    with suppress(StorageError):  # It only saves time.
        workspace.disk.replace_file(_memo(workspace), f"{commit} {blob}\n".encode())
