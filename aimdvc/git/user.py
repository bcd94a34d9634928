"""Who the user of Git is, as its settings say. Reads files only; no git process runs."""

import re
from collections.abc import Mapping
from pathlib import Path

from dulwich.config import ConfigFile, StackedConfig

from aimdvc.errors import UsageError

_AUTHOR = re.compile(r"([^<>\x00-\x1f]*[^<>\s]) *<([^<>\s]*)>")


def find_author(git_dir: Path | None, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Returns who commits: Git's user, else AIMDVC_AUTHOR (`Name <mail>`), else None. Raises UsageError."""
    found = configured_author(git_dir, environment)
    if found is not None:
        return found
    text = environment.get("AIMDVC_AUTHOR", "").strip()
    if not text:
        return None
    match = _AUTHOR.fullmatch(text)
    if match is None:
        raise UsageError(f"AIMDVC_AUTHOR is '{text}', expected 'Name <mail>'")
    return match[1], match[2]


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
