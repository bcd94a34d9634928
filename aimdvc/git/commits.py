"""Commits as Git writes them (git-commit-tree(1); fsck of stock Git is the judge)."""

from aimdvc.errors import CorruptRepository
from aimdvc.git.signatures import format_signature, parse_signature
from aimdvc.model.commits import Commit, CommitDraft, Signature
from aimdvc.model.oid import GitId, is_git_id


def dump_commit(draft: CommitDraft) -> bytes:
    """Returns a commit's content. The message ends with one newline; NUL can't be kept and is left out."""
    lines = [f"tree {draft.tree}", *(f"parent {parent}" for parent in draft.parents)]
    lines += [f"author {format_signature(draft.author)}", f"committer {format_signature(draft.committer)}"]
    message = draft.message.replace("\0", "").strip("\n") + "\n"
    return ("\n".join(lines) + "\n\n" + message).encode("utf-8", "surrogateescape")


def parse_commit(git_id: GitId, content: bytes) -> Commit:
    """Returns a commit of its content. Raises CorruptRepository."""
    head, _, message = content.partition(b"\n\n")
    tree = ""
    parents: list[GitId] = []
    people: dict[str, Signature] = {}
    last: tuple[str, Signature] | None = None
    for line in head.decode("utf-8", "surrogateescape").split("\n"):
        key, _, value = line.partition(" ")
        if key == "tree":
            tree = value
        elif key == "parent":
            if not is_git_id(value):
                raise CorruptRepository(f"commit {git_id}", f"names a parent '{value[:60]}'")
            parents.append(GitId(value))
        elif key in ("author", "committer"):
            # Author and committer are mostly one.
            if last is None or last[0] != value:
                last = value, parse_signature(value) or Signature(value, "", 0, 0)
            people[key] = last[1]
    if not is_git_id(tree):
        raise CorruptRepository(f"commit {git_id}", "names no tree")
    nobody = Signature("unknown", "", 0, 0)
    author = people.get("author", nobody)
    text = message.decode("utf-8", "surrogateescape")
    return Commit(git_id, GitId(tree), tuple(parents), author, people.get("committer", author), text)


def tag_target(git_id: GitId, content: bytes) -> GitId:
    """Returns the object that an annotated tag's content names. Raises CorruptRepository."""
    line, _, _ = content.partition(b"\n")
    target = line.removeprefix(b"object ").decode("ascii", "replace")
    if not is_git_id(target):
        raise CorruptRepository(f"tag {git_id}", f"names an object '{target[:60]}'")
    return GitId(target)
