"""Lines of patterns in gitignore's syntax (gitignore(5), dir.c), and the part of an artifact that they choose.

Pure, and the only place that reads such lines: `.aimdvcignore` (store/ignore.py) and partial checkouts use it. Patterns
and paths are decoded as Latin-1, so that one character is one byte, as in Git.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from aimdvc.errors import UsageError
from aimdvc.model.entries import path_bytes
from aimdvc.model.wildmatch import NEVER, WILDCARDS_LIMIT, count_wildcards, translate

LINE_LIMIT = 1000
"""Characters of one pattern."""


class Rule(NamedTuple):
    """One line: what it matches, and whether it takes back what an earlier one chose."""

    matcher: re.Pattern[str]
    is_path: bool
    only_directories: bool
    is_negative: bool


def parse_rule(line: str) -> Rule | None:
    """Returns the rule of a line; None for an empty one or a comment."""
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
    return Rule(re.compile(translate(pattern.removeprefix("/"))), is_path, only_directories, is_negative)


def _without_trailing_spaces(line: str) -> str:
    bare = line.rstrip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if backslashes % 2 and len(bare) < len(line) else bare


def verdict(rules: Sequence[Rule], path: str, is_directory: bool) -> bool | None:
    """Returns what the last rule says that matches a path relative to where the rules stand; None when none does."""
    name = path[path.rfind("/") + 1 :]
    for rule in reversed(rules):
        if rule.only_directories and not is_directory:
            continue
        if rule.matcher.fullmatch(path if rule.is_path else name):
            return not rule.is_negative
    return None


def latin(path: str) -> str:
    """Returns a path decoded as Latin-1."""
    return path if path.isascii() else path_bytes(path).decode("latin-1")


@dataclass(frozen=True)
class Part:
    """Which files of an artifact are checked out: those that `include` names, or all, without those of `exclude`."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole artifact."""
        return not (self.include or self.exclude)

    def holds(self, path: str) -> bool:
        """Returns whether a file belongs to the part: by its own path, or by a directory above it."""
        name = latin(path)
        return (not self.include or self._included.matches(name)) and not self._excluded.matches(name)

    @cached_property
    def _included(self) -> "_Chooser":
        return _Chooser(self.include)

    @cached_property
    def _excluded(self) -> "_Chooser":
        return _Chooser(self.exclude)


WHOLE = Part()


def parse_part(include: Iterable[str], exclude: Iterable[str]) -> Part:
    """Returns the part that typed patterns choose. Raises UsageError for one that can't match anything."""
    part = Part(tuple(include), tuple(exclude))
    patterns = (*part.include, *part.exclude)
    for pattern in patterns:
        if not _can_match(pattern):
            raise UsageError(
                f"'{pattern[:60]}' is no pattern that a path can match",
                hint="patterns are as in .gitignore, such as 'train/**', and relative to the artifact",
            )
    if part.include and all(pattern.startswith("!") for pattern in part.include):
        raise UsageError(
            "the patterns to include only take back: nothing is left", hint="name what stays, or use --exclude"
        )
    if sum(map(count_wildcards, patterns)) > WILDCARDS_LIMIT:
        raise UsageError(f"more than {WILDCARDS_LIMIT} wildcards in the patterns")
    return part


def _can_match(pattern: str) -> bool:
    """Returns whether some path could match: malformed patterns, empty names, `.` and `..` never do."""
    if len(pattern) > LINE_LIMIT or "\n" in pattern or "\0" in pattern:
        return False
    rule = parse_rule(latin(pattern))
    if rule is None or rule.matcher.pattern == NEVER:
        return False
    bare = pattern.rstrip(" ").removeprefix("!").removesuffix("/").removeprefix("/")
    return not {"", ".", ".."} & set(bare.split("/"))


def unmatched(part: Part, paths: Iterable[str]) -> list[str]:
    """Returns the patterns of a part, those that take back aside, that none of the paths matches."""
    patterns = [pattern for pattern in (*part.include, *part.exclude) if not pattern.startswith("!")]
    left = {pattern: _Chooser([pattern]) for pattern in patterns}
    for path in paths:
        if not left:
            break
        name = latin(path)
        left = {pattern: chooser for pattern, chooser in left.items() if not chooser.matches(name)}
    return list(left)


class _Chooser:
    """Matches files against rules that all stand at the artifact's root; what was found of directories is kept."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._rules = [rule for pattern in patterns if (rule := parse_rule(latin(pattern))) is not None]
        self._directories: dict[str, bool] = {"": False}

    def matches(self, path: str) -> bool:
        """Returns whether a file is matched, by itself or with a directory above."""
        return bool(self._rules) and (self._above(path.rpartition("/")[0]) or bool(verdict(self._rules, path, False)))

    def _above(self, directory: str) -> bool:
        known = self._directories.get(directory)
        if known is None:
            known = self._above(directory.rpartition("/")[0]) or bool(verdict(self._rules, directory, True))
            self._directories[directory] = known
        return known
