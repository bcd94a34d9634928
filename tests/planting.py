"""Git objects as a hostile program writes them: whatever bytes a test gives, under their right names."""

import hashlib
import zlib
from pathlib import Path

from aimdvc.git.kinds import BLOB, COMMIT, TREE
from aimdvc.model.oid import GitId

_NAMES = {BLOB: b"blob", TREE: b"tree", COMMIT: b"commit"}


def plant(repository: Path, kind: int, content: bytes) -> GitId:
    """Writes a loose object into a repository, unchecked; returns its name."""
    raw = b"%s %d\0%s" % (_NAMES[kind], len(content), content)
    git_id = GitId(hashlib.sha1(raw).hexdigest())
    path = repository / "objects" / git_id[:2] / git_id[2:]
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(zlib.compress(raw))
    return git_id


def plant_version(repository: Path, tree: bytes, ref: str) -> GitId:
    """Moves a ref to a new commit, without parents, of a tree of these bytes."""
    root = plant(repository, TREE, tree)
    who = b"A <a@example.org> 2000000000 +0000"
    commit = plant(repository, COMMIT, b"tree %s\nauthor %s\ncommitter %s\n\nm\n" % (root.encode(), who, who))
    path = repository / ref
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{commit}\n")
    return commit


def tree_line(mode: bytes, name: bytes, git_id: GitId) -> bytes:
    """Returns one line of a tree, in which nothing is checked."""
    return b"%s %s\0%s" % (mode, name, bytes.fromhex(git_id))
