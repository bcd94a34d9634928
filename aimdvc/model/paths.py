"""Which paths are safe to bring to a disk: no way out, and nothing that any file system reads as `.git` or ours.

Cases: Git's t1014 and CVE-2014-9390, CVE-2019-1352/1353 for the ways in which HFS+ and NTFS fold names.
"""

import re
from functools import lru_cache

from aimdvc.errors import UnsafePath

# The common harmless path: plain ASCII, no component that begins with a dot, no tilde, no colon, no trailing dot or
# space. Anything else goes through the rules one component at a time.
_PLAIN = re.compile(
    r"(?!(?i:aimdvc\.lock)(?:/|\Z))(?:[A-Za-z0-9_+=@,-](?:[A-Za-z0-9_.+=@, -]*[A-Za-z0-9_+=@,-])?/)*"
    r"[A-Za-z0-9_+=@,-](?:[A-Za-z0-9_.+=@, -]*[A-Za-z0-9_+=@,-])?",
    re.ASCII,
)

# Code points that HFS+ ignores when it compares names (Git, utf8.c, next_hfs_char).
_HFS_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF], None)
_OWN = (".git", ".aimdvc", ".aimd")
_SHORT_NAMES = re.compile(
    r"(?:git~[0-9]+|aimdvc?~[0-9]+|aimd[0-9a-f]{0,4}~[0-9]+|gi[0-9a-f]{4}~[0-9]+|ai[0-9a-f]{4}~[0-9]+)"
)
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:\..*)?", re.IGNORECASE)
_HAS_DEVICE = re.compile(rf"(?:\A|/){_DEVICE.pattern.replace('.*', '[^/]*')}(?:/|\Z)", re.IGNORECASE)
_LONGEST_NAME = 255
_NO_LINE = re.compile("[\n\ud800-\udfff]")
_WINDOWS = re.compile(r'[<>:"|?*\\\x00-\x1f]')


def check_entry_path(path: str) -> str:
    """Returns the path if an artifact's entry of the user may have it and it may be checked out.

    Raises UnsafePath.
    """
    # One that is short has no component that is too long.
    if len(path) <= _LONGEST_NAME and _PLAIN.fullmatch(path):
        return path
    if not path:
        raise UnsafePath(path, "is empty")
    if path.startswith("/"):
        raise UnsafePath(path, "is absolute")
    if len(path) > 4096:
        raise UnsafePath(path[:60] + "…", "is longer than 4096 characters")
    components = path.split("/")
    for component in components:
        reason = _reason(component)
        if reason:
            raise UnsafePath(path, reason)
    if components[0].lower() == "aimdvc.lock":
        raise UnsafePath(path, "is a name that aimdvc keeps for itself")
    return path


def check_workspace_path(path: str) -> str:
    """Returns the path if an artifact may lie there, relative to the workspace; "." is the workspace itself.

    It stands in aimdvc.lock and in `.gitignore`, which hold lines of text. Raises UnsafePath.
    """
    if path == ".":
        return path
    if _NO_LINE.search(path):
        raise UnsafePath(
            path,
            "is more than one line, or no UTF-8, which an artifact's own path must be",
            hint="rename it, or make the directory that holds it the artifact: names inside may be any",
        )
    return check_entry_path(path)


@lru_cache(maxsize=4096)
def _reason(component: str) -> str:
    if component == "":
        return "has an empty component"
    if component in (".", ".."):
        return f"has a component '{component}'"
    if "\0" in component:
        return "holds a NUL"
    if len(component.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        return f"has a component of more than {_LONGEST_NAME} bytes"
    for name in _readings(component):
        if name in _OWN or _SHORT_NAMES.fullmatch(name):
            return f"a file system may read '{component}' as '.git', '.aimdvc' or '.aimd'"
        if name in (".", ".."):
            return f"a file system may read '{component}' as '{name}'"
    return ""


def _readings(component: str) -> list[str]:
    """Returns what file systems may read in a name: case, ignorable characters, final dots, streams, backslashes."""
    folded = component.translate(_HFS_IGNORED).lower()
    readings = [folded]
    for part in folded.split("\\"):
        stem = part.partition(":")[0]
        readings += [part, stem.rstrip(". "), part.rstrip(". ")]
    return readings


def windows_reason(path: str) -> str | None:
    """Returns why Windows can't hold a path, or None when it can."""
    if _PLAIN.fullmatch(path) and not _HAS_DEVICE.search(path):
        return None
    for component in path.split("/"):
        if _WINDOWS.search(component):
            return f"'{component}' holds a character that it forbids"
        if component.endswith((".", " ")):
            return f"'{component}' ends in a dot or space"
        if _DEVICE.fullmatch(component):
            return f"'{component}' is a device there"
    return None
