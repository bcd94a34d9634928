"""What the code repository around a workspace says: which files Git tracks there.

Reads files only; no git process runs, so nothing that a cloned repository configures is executed.
"""

from pathlib import Path

from dulwich.index import Index

from aimdvc.errors import CorruptRepository
from aimdvc.model.entries import path_bytes


def is_tracked(git_dir: Path, path: str) -> bool:
    """Returns whether Git tracks a file at or below a path that is relative to the work tree."""
    index_path = git_dir / "index"
    if not index_path.exists():
        return False
    try:
        index = Index(index_path)
    except (ValueError, AssertionError) as error:
        raise CorruptRepository(str(index_path), "can't be read as a Git index") from error
    raw = path_bytes(path)
    return any(name == raw or name.startswith(raw + b"/") for name in index)
