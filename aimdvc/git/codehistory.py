"""Every commit of the code repository that its refs reach, with the lock that it has, and which refs reach which.

Reads files and git objects only; no git process runs. Called by what asks which code uses a version.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aimdvc.fs.disk import Disk
from aimdvc.git.code import check_code_format, head_commit
from aimdvc.git.codelocks import Finder
from aimdvc.git.history import History
from aimdvc.git.objects import Objects
from aimdvc.model.commits import Commit
from aimdvc.model.oid import GitId


@dataclass(frozen=True, slots=True)
class CodeHistory:
    """`commits` parents before children, `locks` the git id of each commit's lock, where it has one.

    `tips` are commits by ref in full; a detached HEAD is one, too. A shallow clone's history ends early.
    """

    commits: list[Commit]
    locks: Mapping[GitId, GitId]
    tips: Mapping[str, GitId]


def read_code_history(git_dir: Path, common_dir: Path, path: str) -> CodeHistory:
    """Returns the history with the locks at a path of the work tree. Raises UnsupportedFormat, CorruptRepository.

    Reads each commit once, and of each tree only what leads to the lock.
    """
    check_code_format(common_dir)
    objects = Objects(common_dir)
    finder = Finder(objects, path)
    try:
        with History(common_dir, Disk()) as history:
            tips = _tips(history, head_commit(git_dir, common_dir))
            commits = _in_order(history.new_commits(set(tips.values()), []))
        found = ((commit.id, finder.find(commit.tree)) for commit in commits)
        return CodeHistory(commits, {commit: lock for commit, lock in found if lock is not None}, tips)
    finally:
        objects.close()


def iter_blobs(common_dir: Path, git_ids: set[GitId]) -> Iterator[tuple[GitId, bytes]]:
    """Yields the contents of files of the code."""
    with History(common_dir, Disk()) as history:
        for git_id in git_ids:
            yield git_id, history.read_blob(git_id)


def _tips(history: History, head: GitId | None) -> dict[str, GitId]:
    peeled = {ref: history.peel(git_id) for ref, git_id in history.refs().items()}
    tips = {ref: commit for ref, commit in peeled.items() if commit is not None}
    if head is not None and head not in tips.values():
        tips["HEAD"] = head
    return tips


def _in_order(commits: list[Commit]) -> list[Commit]:
    """Returns the commits, parents before children; clocks that were wrong don't matter."""
    known = {commit.id: commit for commit in commits}
    order: list[Commit] = []
    done: set[GitId] = set()
    for start in reversed(commits):
        pending = [start]
        while pending:
            commit = pending[-1]
            before = [known[parent] for parent in commit.parents if parent in known and parent not in done]
            if before and commit.id not in done:
                pending += before
                continue
            pending.pop()
            if commit.id not in done:
                done.add(commit.id)
                order.append(commit)
    return order
