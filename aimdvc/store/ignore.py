"""What `.aimdvcignore` files leave out, in gitignore's syntax (gitignore(5), dir.c). Nested ones count too.

The files are hostile: matching takes time linear in pattern and path, and only regular files are read.
"""

import errno
import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import UnsafePath
from aimdvc.fs.faults import mapped
from aimdvc.fs.system import open_any
from aimdvc.model.entries import path_bytes
from aimdvc.model.wildmatch import WILDCARDS_LIMIT, count_wildcards, translate

IGNORE_FILE = ".aimdvcignore"
_LINE_LIMIT = 1000
_LINES_LIMIT = 10_000


class _Rule(NamedTuple):
    """One line: what it matches, and whether it takes back what an earlier one left out."""

    matcher: re.Pattern[str]
    is_path: bool
    only_directories: bool
    is_negative: bool


class Ignore:
    """The ignore rules of one artifact, read as the walk enters directories."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._rules: dict[str, list[_Rule]] = {}
        self._verdicts: dict[str, bool] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no rule was met so far."""
        return not self._rules

    def enter(self, directory: str) -> None:
        """Reads the rules of a directory, relative to the artifact's root, that holds an ignore file.

        A link, pipe, device or directory of that name holds no rules. Raises UnsafePath for a file beyond the limits.
        """
        path = os.path.join(self._root, directory, IGNORE_FILE)
        with mapped(path):
            content = _read(path)
        if content is None:
            return
        lines = content.removeprefix(b"\xef\xbb\xbf").decode("latin-1").split("\n")
        wildcards = 0
        for number, line in enumerate(lines, 1):
            if len(line) > _LINE_LIMIT or number > _LINES_LIMIT:
                raise UnsafePath(path, f"line {number} is too long, or one of too many")
            wildcards += count_wildcards(line)
            if wildcards > WILDCARDS_LIMIT:
                raise UnsafePath(path, f"line {number}: more than {WILDCARDS_LIMIT} wildcards in one file")
        self._rules[_latin(directory)] = [rule for rule in map(_parse, lines) if rule is not None]

    def matches(self, path: str, is_directory: bool) -> bool:
        """Returns whether a path relative to the artifact's root is left out: by itself, or with a directory above."""
        latin = _latin(path)
        return self._above(latin.rpartition("/")[0]) or self._matches(latin, is_directory)

    def _above(self, directory: str) -> bool:
        if not directory:
            return False
        known = self._verdicts.get(directory)
        if known is None:
            known = self._above(directory.rpartition("/")[0]) or self._matches(directory, True)
            self._verdicts[directory] = known
        return known

    def _matches(self, path: str, is_directory: bool) -> bool:
        """Returns what the last rule of the deepest file says that matches."""
        name = path[path.rfind("/") + 1 :]
        directory = path.rpartition("/")[0]
        while True:
            for rule in reversed(self._rules.get(directory, ())):
                if rule.only_directories and not is_directory:
                    continue
                inner = path[len(directory) + 1 :] if directory else path
                if rule.matcher.fullmatch(inner if rule.is_path else name):
                    return not rule.is_negative
            if not directory:
                return False
            directory = directory.rpartition("/")[0]


def _read(path: str) -> bytes | None:
    try:
        descriptor = open_any(path)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOENT, errno.ENXIO):
            return None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_LINES_LIMIT * _LINE_LIMIT)


def _parse(line: str) -> _Rule | None:
    pattern = _without_trailing_spaces(line.removesuffix("\r"))
    if pattern.startswith("#"):
        return None
    is_negative = pattern.startswith("!")
    pattern = pattern[is_negative:]
    only_directories = pattern.endswith("/")
    pattern = pattern.removesuffix("/")
    if not pattern:
        return None
    is_path = "/" in pattern
    return _Rule(re.compile(translate(pattern.removeprefix("/"))), is_path, only_directories, is_negative)


def _without_trailing_spaces(line: str) -> str:
    bare = line.rstrip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if backslashes % 2 and len(bare) < len(line) else bare


def _latin(path: str) -> str:
    return path if path.isascii() else path_bytes(path).decode("latin-1")
