"""Names of refs: which are safe, and which of a side's refs tell what it has."""

import re
from collections.abc import Mapping

from aimdvc.model.oid import GitId

_UNSAFE = re.compile(r"[\x00-\x20\x7f\\~^:?*\[]|@\{|\.\.|//|/\.|\./|\.lock/|\.lock$|[./]$")
_VERSION = re.compile(r"refs/(?:remotes/[^/]+/)?tags/v[0-9]+")


def is_safe_ref(name: str) -> bool:
    """Returns whether a ref may have this name (git-check-ref-format(1), and no way out of `refs/`)."""
    return name.startswith("refs/") and len(name) <= 1000 and _UNSAFE.search(name) is None


def telling(refs: Mapping[str, GitId]) -> list[GitId]:
    """Returns where the refs stand that tell what a side has: version tags lie on main and say nothing more.

    Without a branch they all count.
    """
    if not any(name.startswith("refs/heads/") or "/heads/" in name for name in refs):
        return sorted(set(refs.values()))
    return sorted({git_id for name, git_id in refs.items() if _VERSION.fullmatch(name) is None})
