"""What the code repository around a workspace says: which files Git tracks there, and who its user is.

Reads files only; no git process runs, so nothing that a cloned repository configures is executed.
"""

from collections.abc import Mapping
from pathlib import Path

from dulwich.config import ConfigFile, StackedConfig
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


def configured_author(git_dir: Path | None, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Returns (name, email) of `GIT_AUTHOR_*` or `git config user.*`, or None when either is not set."""
    name = environment.get("GIT_AUTHOR_NAME")
    email = environment.get("GIT_AUTHOR_EMAIL")
    backends: list[ConfigFile] = []
    if git_dir is not None and (git_dir / "config").exists():
        backends.append(ConfigFile.from_path(str(git_dir / "config")))
    backends.extend(StackedConfig.default_backends())
    stack = StackedConfig(backends)
    name = name or _value(stack, b"name")
    email = email or _value(stack, b"email")
    return (name, email) if name and email else None


def _value(stack: StackedConfig, key: bytes) -> str | None:
    try:
        return stack.get((b"user",), key).decode("utf-8", "replace")
    except KeyError:
        return None
