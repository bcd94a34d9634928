"""Commits of the code repository by the names that people and hooks give them, and files as those commits have them.

Reads files and git objects only; no git process runs. What only git understands (`@{upstream}`, `:/text`) is refused
with the command that turns it into an id. Called by what compares or checks the lock of a code commit.
"""

import re
from pathlib import Path

from aimdvc.errors import AmbiguousRevision, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.git.code import check_code_format, head_commit, read_index
from aimdvc.git.history import History
from aimdvc.git.refs import Refs
from aimdvc.git.trees import find_entry
from aimdvc.model.entries import Mode, path_bytes
from aimdvc.model.oid import GitId, is_git_id

_RULES = ("refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}", "refs/remotes/{}/HEAD")
"""Where a short name is looked for, in this order (gitrevisions(7))."""

_PSEUDO = re.compile(r"[A-Z][A-Z_]*HEAD")
_OWN = ("refs/bisect/", "refs/worktree/", "refs/rewritten/")
"""Refs that each work tree has for itself (git-worktree(1))."""

_BASE = re.compile(r"[^\s~^:\x00-\x1f\x7f\\*\[{}]+")
_STEP = re.compile(r"~([0-9]{0,6})|\^([0-9]{0,6})(?!\{)|\^\{(?:commit)?\}")
_ABBREVIATED = re.compile(r"[0-9a-f]{4,39}")
_FILES = (int(Mode.FILE), int(Mode.EXECUTABLE))


def resolve_code(git_dir: Path, common_dir: Path, revision: str) -> GitId:
    """Returns the code commit that a revision means, as `git rev-parse REVISION^{commit}` does.

    A full id, HEAD, a ref by its full or short name, an abbreviated id; then `~N` and `^N`. Raises UsageError for what
    names none here, AmbiguousRevision, CorruptRepository.
    """
    base = _BASE.match(revision)
    if base is None:
        raise _not_understood(revision)
    check_code_format(common_dir)
    with History(common_dir, Disk()) as history:
        commit = _find(git_dir, common_dir, history, revision, base[0])
        position = base.end()
        while position < len(revision):
            step = _STEP.match(revision, position)
            if step is None:
                raise _not_understood(revision)
            commit = _go(history, revision, commit, step)
            position = step.end()
    return commit


def _find(git_dir: Path, common_dir: Path, history: History, revision: str, base: str) -> GitId:
    if is_git_id(base):
        if not history.has(GitId(base)):
            raise UsageError(f"the code repository has no commit '{base}'", hint=_how_to_get(history))
        return _peel(history, revision, GitId(base))
    found = _named(git_dir, common_dir, "HEAD" if base == "@" else base)
    if found is not None:
        return _peel(history, revision, found)
    candidates = history.expand(base) if _ABBREVIATED.fullmatch(base) else []
    if len(candidates) > 1:
        raise AmbiguousRevision(base, candidates)
    if candidates:
        return candidates[0]
    if "@" in base:
        raise _not_understood(revision)
    hint = _how_to_get(history) if history.shallow else "a branch, a tag or a commit of Git is meant: see `git log`"
    raise UsageError(f"the code repository has no revision '{revision}'", hint=hint)


def _named(git_dir: Path, common_dir: Path, name: str) -> GitId | None:
    """Returns where a ref stands that is named in full or in short, or None."""
    if name == "HEAD":
        return head_commit(git_dir, common_dir)
    if _PSEUDO.fullmatch(name) and (git_dir / name).is_file():
        words = (git_dir / name).read_text("utf-8", "surrogateescape").split()
        return GitId(words[0]) if words and is_git_id(words[0]) else None
    refs, own = Refs(common_dir, Disk()), Refs(git_dir, Disk())
    for full in ([name] if name.startswith("refs/") else []) + [rule.format(name) for rule in _RULES]:
        found = (own if full.startswith(_OWN) else refs).get(full)
        if found is not None:
            return found
    return None


def _go(history: History, revision: str, commit: GitId, step: re.Match[str]) -> GitId:
    """Returns where one step leads: N first parents back, to the Nth parent, or nowhere else for `^{commit}`."""
    if step[1] is None and step[2] is None:
        return commit
    count = int(step[1] or 1) if step[1] is not None else 1
    number = 1 if step[1] is not None else int(step[2] or 1)
    for _ in range(count if number else 0):
        parents = history.commit(commit).parents
        if len(parents) < number:
            hint = _how_to_get(history) if commit in history.shallow else f"{commit[:12]} has {len(parents)} parents"
            raise UsageError(f"the code repository has no revision '{revision}'", hint=hint)
        commit = parents[number - 1]
    return commit


def _peel(history: History, revision: str, git_id: GitId) -> GitId:
    commit = history.peel(git_id)
    if commit is None:
        raise UsageError(f"'{revision}' is no commit of the code repository", hint="name a commit, a branch or a tag")
    return commit


def _how_to_get(history: History) -> str:
    if history.shallow:
        return "the clone of the code is shallow: `git fetch --unshallow` brings the rest, in CI a fetch depth of 0"
    return "run `git fetch` if it is on a remote"


def _not_understood(revision: str) -> UsageError:
    hint = f"give a branch, a tag or a commit: `git rev-parse '{revision}'` prints the commit"
    return UsageError(f"code revision '{revision}' is not understood", hint=hint)


def read_at(common_dir: Path, commit: GitId, path: str) -> bytes | None:
    """Returns a file's content as a code commit has it, None where there is no such file, as for a link.

    Raises UsageError for what a shallow or partial clone of the code lacks, CorruptRepository.
    """
    check_code_format(common_dir)
    with History(common_dir, Disk()) as history:
        if not history.has(commit):
            raise UsageError(f"the code repository has no commit '{commit}'", hint=_how_to_get(history))
        node = find_entry(history.read_tree, history.commit(commit).tree, path)
        if node is None or node.mode not in _FILES:
            return None
        if not history.has(node.git_id):
            raise UsageError(
                f"'{path}' of code commit {commit[:12]} is not in this clone of the code",
                hint=f"`git show {commit[:12]}:{path}` brings it",
            )
        return history.read_blob(node.git_id)


def read_staged(git_dir: Path, common_dir: Path, path: str, index_path: Path | None = None) -> bytes | None:
    """Returns a file's content as it is staged for the next code commit, None where none is.

    `index_path` is another index than the work tree's own, as Git names it to a hook in GIT_INDEX_FILE. Raises
    UsageError for a file in conflict and for an index that only git reads, CorruptRepository.
    """
    index = read_index(git_dir, index_path)
    entry = index[path_bytes(path)] if index is not None and path_bytes(path) in index else None
    if entry is None:
        return None
    git_id, mode = getattr(entry, "sha", None), getattr(entry, "mode", 0)
    if git_id is None:
        raise UsageError(f"'{path}' is in conflict in Git's index", hint=f"settle it, then `git add {path}`")
    if mode not in _FILES:
        return None
    with History(common_dir, Disk()) as history:
        return history.read_blob(GitId(git_id.decode()))
