"""The rules for names of artifacts, aliases and remotes. Names come from anyone: checked once, where they enter."""

import re
from collections.abc import Collection

from aimdvc.errors import InvalidName

MAIN = "refs/heads/main"
"""The branch whose commits are numbered."""

VERSION_TAG = re.compile(r"refs/tags/v([1-9][0-9]{0,17})")
"""The ref that makes a commit a version, and its number. What merely looks like one is nobody's to use."""

_ARTIFACT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_REMOTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ALIAS = re.compile(r"[^\W_][\w.+-]{0,99}")
_BRANCH_PART = re.compile(r"\w[\w.+#=,-]*")
_VERSION = re.compile(r"v[0-9]+")
_HEX = re.compile(r"[0-9a-f]{4,40}")
_RESERVED = frozenset({"latest", "main", "head"})
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}
)


def check_artifact_name(name: str) -> str:
    """Returns the name if an artifact may have it, else raises InvalidName."""
    wanted = "1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or digit"
    if not _ARTIFACT.fullmatch(name):
        raise InvalidName("artifact", name, wanted)
    lowered = name.lower()
    if lowered.endswith((".git", ".lock")):
        raise InvalidName("artifact", name, "a name that doesn't end in .git or .lock")
    if _VERSION.fullmatch(lowered):
        raise InvalidName("artifact", name, "a name that doesn't look like a version")
    if lowered.endswith(".") or ".." in name or lowered.partition(".")[0] in _DEVICES:
        raise InvalidName("artifact", name, "a name that every system can hold")
    return name


def check_remote_name(name: str) -> str:
    """Returns the name if a remote may have it, else raises InvalidName."""
    if not _REMOTE.fullmatch(name) or ".." in name or name.endswith((".", ".lock")):
        raise InvalidName("remote", name, "1 to 64 letters, digits, '.', '_' or '-'")
    return name


def check_alias_name(name: str, branches: Collection[str] = ()) -> str:
    """Returns the name if an alias may have it, else raises InvalidName. `branches` are the artifact's own."""
    if not _ALIAS.fullmatch(name) or ".." in name or name.lower().endswith((".", ".lock")):
        raise InvalidName(
            "alias", name, "1 to 100 letters, digits, '.', '_', '+' or '-', beginning with a letter or digit"
        )
    if name.lower() in _RESERVED:
        raise InvalidName("alias", name, "a name other than latest, main and HEAD")
    if _VERSION.fullmatch(name.lower()):
        raise InvalidName("alias", name, "a name that doesn't look like a version")
    if _HEX.fullmatch(name.lower()):
        raise InvalidName("alias", name, "a name that doesn't look like a commit")
    if name.lower() in {branch.lower() for branch in branches}:
        raise InvalidName("alias", name, "a name that no branch has, also not but for its case")
    return name


def check_branch_name(name: str, branches: Collection[str] = (), aliases: Collection[str] = ()) -> str:
    """Returns the name if a new branch may have it, else raises InvalidName.

    `branches` and `aliases` are the artifact's own: none may be the same but for its case, or a branch lie below
    another, since servers and some disks can't hold both.
    """
    parts = name.split("/")
    if len(name) > 200 or not all(_BRANCH_PART.fullmatch(part) for part in parts) or ".." in name:
        wanted = "up to 200 letters, digits or characters of '._+#=,-', in parts that begin with a letter, digit or '_'"
        raise InvalidName("branch", name, wanted)
    lowered = name.lower()
    for part in lowered.split("/"):
        if part.endswith((".", ".lock")) or part.partition(".")[0] in _DEVICES:
            raise InvalidName("branch", name, "a name that every system can hold")
    if lowered in ("head", "latest") or parts[0].lower() in ("aliases", "tags"):
        raise InvalidName("branch", name, "a name other than latest and HEAD, not in aliases/ or tags/")
    if _VERSION.fullmatch(lowered) or _HEX.fullmatch(lowered):
        raise InvalidName("branch", name, "a name that doesn't look like a version or a commit")
    if lowered in {alias.lower() for alias in aliases}:
        raise InvalidName("branch", name, "a name that no alias has")
    for other in branches:
        taken = other.lower()
        if lowered == taken or lowered.startswith(taken + "/") or taken.startswith(lowered + "/"):
            raise InvalidName("branch", name, f"a name that goes with the branch '{other}'")
    return name
