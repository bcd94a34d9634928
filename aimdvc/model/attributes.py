"""Which paths are pointers: what `.gitattributes` files say of the attribute `filter`.

Decides by path alone. An implementation of our own, judged against `git check-attr`: nested files, macros, quoted
patterns, negative ones, the limit of 2048 bytes a line (gitattributes(5); attr.c).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from aimdvc.errors import UnsafePath
from aimdvc.model.entries import path_bytes
from aimdvc.model.wildmatch import WILDCARDS_LIMIT, count_wildcards, translate

_OURS = b"# Written by aimdvc: large contents are Git LFS pointers. Change it with `aimdvc track` and `untrack`.\n"

DEFAULT_ATTRIBUTES = (
    _OURS
    + b"* filter=lfs diff=lfs merge=lfs -text\n"
    + b"".join(
        pattern + b" !filter !diff !merge\n"
        for pattern in (
            b".gitattributes",
            b".aimd/**",
            b"*.md",
            b"*.rst",
            b"*.yaml",
            b"*.yml",
            b"*.toml",
            b"*.ini",
            b"*.cfg",
            b"*.py",
            b"*.sh",
            b"LICENSE*",
            b"README*",
        )
    )
)
"""The root `.gitattributes` of an artifact whose user has none; in the tree, never on disk."""

AIMD_ATTRIBUTES = b"** !filter !diff !merge -text\n"
"""`.aimd/.gitattributes`: wins there, whatever the root says. `**`, since git-lfs reads `*` as one level."""

_TRACKED = b" filter=lfs diff=lfs merge=lfs -text"
_UNTRACKED = b" !filter !diff !merge"
_LINE_LIMIT = 2048
_RULES_LIMIT = 100_000
_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
_WILD = re.compile(r"[*?\[\\]")


def is_ours(content: bytes) -> bool:
    """Returns whether a root `.gitattributes` is aimdvc's own: its first line says so."""
    return content.startswith(_OURS)


def with_tracked(content: bytes, pattern: str) -> bytes:
    """Returns the rules with one more at the end that makes paths matching a pattern pointers."""
    return _with_rule(content, pattern, _TRACKED, _UNTRACKED)


def with_untracked(content: bytes, pattern: str) -> bytes:
    """Returns the rules with one more at the end that keeps paths matching a pattern in Git as they are."""
    return _with_rule(content, pattern, _UNTRACKED, _TRACKED)


def _with_rule(content: bytes, pattern: str, wanted: bytes, opposite: bytes) -> bytes:
    encoded = _encode_pattern(pattern)
    kept = [line for line in content.split(b"\n") if line not in (encoded + wanted, encoded + opposite)]
    text = b"\n".join(kept)
    if text and not text.endswith(b"\n"):
        text += b"\n"
    return text + encoded + wanted + b"\n"


def _encode_pattern(pattern: str) -> bytes:
    raw = path_bytes(pattern)
    if not re.search(rb'[\x00-\x20\x7f"]', raw) and not raw.startswith((b"#", b"!", b"[attr]")):
        return raw
    escaped = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n").replace(b"\t", b"\\t")
    return b'"' + escaped + b'"'


class _Rule(NamedTuple):
    pattern: str
    is_path: bool
    matcher: re.Pattern[str] | None
    """None for a pattern that matches its own text alone."""
    settings: tuple[tuple[str, str], ...]

    def matches(self, path: str, name: str) -> bool:
        """Returns whether a path relative to the file's directory, whose last component is `name`, is meant."""
        text = path if self.is_path else name
        return text == self.pattern if self.matcher is None else self.matcher.fullmatch(text) is not None


@dataclass(slots=True)
class _File:
    """The rules of one directory's file, and quick tables for those that say something of `filter`."""

    rules: list[_Rule]
    by_suffix: dict[str, int] = field(default_factory=dict)
    by_name: dict[str, int] = field(default_factory=dict)
    everywhere: int = -1
    others: list[int] = field(default_factory=list)
    prefixes: list[tuple[str, int]] = field(default_factory=list)
    opinions: dict[int, bool] = field(default_factory=dict)

    def prepare(self) -> None:
        """Fills the tables; for files whose rules use no macro."""
        for index, rule in enumerate(self.rules):
            values = [value for name, value in rule.settings if name == "filter"]
            if not values:
                continue
            self.opinions[index] = values[-1] == "lfs"
            pattern = rule.pattern
            if rule.is_path:
                self.others.append(index)
            elif pattern in ("*", "**"):
                self.everywhere = index
            elif rule.matcher is None:
                self.by_name[pattern] = index
            elif pattern.startswith("*.") and not _WILD.search(pattern[2:]) and "." not in pattern[2:]:
                self.by_suffix[pattern[1:]] = index
            elif pattern.endswith("*") and not _WILD.search(pattern[:-1]):
                self.prefixes.append((pattern[:-1], index))
            else:
                self.others.append(index)
        self.others.reverse()

    def decide(self, path: str, name: str) -> bool | None:
        """Returns whether the last rule that matches makes the path a pointer, or None when none speaks of it."""
        best = self.everywhere
        dot = name.rfind(".")
        if dot >= 0:
            best = max(best, self.by_suffix.get(name[dot:], -1))
        if self.by_name:
            best = max(best, self.by_name.get(name, -1))
        for prefix, index in self.prefixes:
            if index > best and name.startswith(prefix):
                best = index
        for index in self.others:
            if index <= best:
                break
            if self.rules[index].matches(path, name):
                best = index
                break
        return self.opinions.get(best)


class Attributes:
    """The rules of a tree's `.gitattributes` files."""

    def __init__(self, files: Mapping[str, _File], macros: Mapping[str, tuple[tuple[str, str], ...]]) -> None:
        self._files = files
        self._macros = macros
        self._only_root = set(files) <= {""}

    @classmethod
    def parse(cls, files: Mapping[str, bytes]) -> "Attributes":
        """Returns the rules of these files, by directory, "" for the root. Bad lines say nothing, as in Git.

        Raises UnsafePath for a file of more rules or wildcards than can be prepared in a second.
        """
        macros: dict[str, tuple[tuple[str, str], ...]] = {}
        parsed = {_latin(directory): _File(_parse(content, directory, macros)) for directory, content in files.items()}
        if not macros:
            for file in parsed.values():
                file.prepare()
        return cls(parsed, macros)

    def is_lfs(self, path: str) -> bool:
        """Returns whether a file at this path is a pointer."""
        latin = path if path.isascii() else _latin(path)
        if self._macros:
            return self._slow(latin)
        if self._only_root:
            root = self._files.get("")
            return root is not None and root.decide(latin, latin[latin.rfind("/") + 1 :]) is True
        name = latin[latin.rfind("/") + 1 :]
        directory = latin[: -len(name) - 1] if "/" in latin else ""
        while True:
            file = self._files.get(directory)
            if file is not None:
                inner = latin[len(directory) + 1 :] if directory else latin
                decision = file.decide(inner, name)
                if decision is not None:
                    return decision
            if not directory:
                return False
            directory = directory[: max(directory.rfind("/"), 0)]

    def _slow(self, latin: str) -> bool:
        known: dict[str, str] = {}
        name = latin[latin.rfind("/") + 1 :]
        directory = latin[: -len(name) - 1] if "/" in latin else ""
        while True:
            file = self._files.get(directory)
            inner = latin[len(directory) + 1 :] if directory else latin
            for rule in reversed(file.rules if file else []):
                if rule.matches(inner, name):
                    self._fill(known, rule.settings)
            if not directory:
                return known.get("filter") == "lfs"
            directory = directory[: max(directory.rfind("/"), 0)]

    def _fill(self, known: dict[str, str], settings: tuple[tuple[str, str], ...]) -> None:
        for attribute, value in reversed(settings):
            if attribute in known:
                continue
            known[attribute] = value
            if value == "true" and attribute in self._macros:
                self._fill(known, self._macros[attribute])


def _latin(path: str) -> str:
    return path_bytes(path).decode("latin-1")


def _parse(content: bytes, directory: str, macros: dict[str, tuple[tuple[str, str], ...]]) -> list[_Rule]:
    rules: list[_Rule] = []
    wildcards = 0
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if len(raw) >= _LINE_LIMIT:
            continue
        line = raw.decode("latin-1").strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        pattern, rest = _split_pattern(line)
        settings = _parse_settings(rest)
        if settings is None:
            continue
        if pattern.startswith("[attr]") and not line.startswith('"'):
            name = pattern[len("[attr]") :].strip()
            if not directory and _NAME.fullmatch(name):
                macros[name] = settings
            continue
        if pattern.startswith("!") or pattern.endswith("/"):
            continue
        wildcards += count_wildcards(pattern)
        if wildcards > WILDCARDS_LIMIT or len(rules) == _RULES_LIMIT:
            what = f"{_RULES_LIMIT} rules" if len(rules) == _RULES_LIMIT else f"{WILDCARDS_LIMIT} wildcards"
            raise UnsafePath(f"{directory}/.gitattributes".lstrip("/"), f"line {number}: more than {what} in one file")
        rules.append(_rule(pattern, settings))
    return rules


def _rule(pattern: str, settings: tuple[tuple[str, str], ...]) -> _Rule:
    is_path = "/" in pattern
    anchored = pattern[1:] if pattern.startswith("/") else pattern
    matcher = re.compile(translate(anchored)) if count_wildcards(anchored) else None
    return _Rule(anchored, is_path, matcher, settings)


def _split_pattern(line: str) -> tuple[str, str]:
    if line.startswith('"'):
        unquoted = _unquote(line)
        if unquoted is not None:
            return unquoted
    if line.startswith("[attr]"):
        name, _, rest = line[len("[attr]") :].lstrip(" \t").partition(" ")
        return f"[attr]{name}", rest
    match = re.match(r"[^ \t\r\n]+", line)
    assert match is not None
    return match[0], line[match.end() :]


def _unquote(line: str) -> tuple[str, str] | None:
    out: list[str] = []
    position = 1
    simple = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
    while position < len(line):
        char = line[position]
        position += 1
        if char == '"':
            return "".join(out), line[position:]
        if char != "\\":
            out.append(char)
            continue
        escape = line[position : position + 1]
        octal = line[position : position + 3]
        if escape in simple and escape:
            out.append(simple[escape])
            position += 1
        elif re.fullmatch(r"[0-3][0-7]{2}", octal):
            out.append(chr(int(octal, 8)))
            position += 3
        else:
            return None
    return None


def _parse_settings(text: str) -> tuple[tuple[str, str], ...] | None:
    settings = []
    for token in text.split():
        if token[0] in "-!":
            name, value = token[1:], "false" if token[0] == "-" else "unspecified"
        else:
            name, equals, value = token.partition("=")
            value = value if equals else "true"
        if not _NAME.fullmatch(name):
            return None
        if name == "binary" and value == "true":
            settings += [("binary", "true"), ("diff", "false"), ("merge", "false"), ("text", "false")]
            continue
        settings.append((name, value))
    return tuple(settings)
