"""What a push of the code brings a remote: the commits that it lacks, with the locks that these have.

Reads files and git objects only; no git process runs. What the remote has is known by its remote-tracking refs, and by
what Git tells the hook.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from aimdvc.fs.disk import Disk
from aimdvc.git.code import check_code_format
from aimdvc.git.codelocks import Finder
from aimdvc.git.history import History
from aimdvc.git.objects import Objects
from aimdvc.git.refs import Refs
from aimdvc.model.oid import GitId


@dataclass(frozen=True, slots=True)
class PushedLock:
    """A lock of the code, with the oldest of the commits that have it. `is_new` tells what the remote lacks."""

    commit: GitId
    content: bytes
    is_new: bool


def local_tips(common_dir: Path) -> set[GitId]:
    """Returns where all branches and tags stand."""
    refs = Refs(common_dir, Disk())
    return {*refs.all("refs/heads/").values(), *refs.all("refs/tags/").values()}


def remote_tips(common_dir: Path, remote: str) -> set[GitId]:
    """Returns where a remote's branches were last seen; none for a remote that is only a URL."""
    return set(Refs(common_dir, Disk()).all(f"refs/remotes/{remote}/").values()) if "/" not in remote else set()


def read_pushed_locks(common_dir: Path, tips: Collection[GitId], have: Iterable[GitId], path: str) -> list[PushedLock]:
    """Returns the locks of the commits that `tips` reach and `have` don't, and of the commits just before these.

    Each once, oldest first; what of `have` isn't here says nothing. Raises UnsupportedFormat, CorruptRepository.
    """
    known = set(have)
    if not set(tips) - known:
        return []
    check_code_format(common_dir)
    objects = Objects(common_dir)
    finder = Finder(objects, path)
    try:
        with History(common_dir, Disk()) as history:
            commits = history.new_commits(tips, [git_id for git_id in known if history.has(git_id)])
            new = {commit.id for commit in commits}
            before = {parent for commit in commits for parent in commit.parents} - new
            found: dict[GitId, tuple[GitId, bool]] = {}
            for parent in sorted(before):
                lock = finder.find(history.commit(parent).tree)
                if lock is not None:
                    found.setdefault(lock, (parent, False))
            for commit in reversed(commits):
                lock = finder.find(commit.tree)
                if lock is not None:
                    found.setdefault(lock, (commit.id, True))
            return [PushedLock(commit, history.read_blob(lock), is_new) for lock, (commit, is_new) in found.items()]
    finally:
        objects.close()
