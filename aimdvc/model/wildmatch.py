"""Git's wildmatch patterns as regular expressions, over paths whose bytes were decoded as Latin-1.

One character is one byte, as in Git (wildmatch.c). Anchored at both ends by the caller's `fullmatch`.
"""

import re
from collections.abc import Iterator
from itertools import count

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "\\x21-\\x7e",
    "lower": "a-z",
    "print": "\\x20-\\x7e",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t\\n\\r\\f\\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}

_STAR, _REST, _DEEP = "[^/]*", ".*", "(?:.*/)?"

WILDCARDS_LIMIT = 10_000
"""Of one file of patterns. Each takes some 30 µs to prepare, and these files may be anyone's."""

NEVER = r"(?!)"
"""A regular expression that nothing matches, for a malformed pattern."""


def count_wildcards(pattern: str) -> int:
    """Returns how many places of a pattern match more than themselves; 0 for one that matches only its own text."""
    return sum(map(pattern.count, "*?[\\"))


def translate(pattern: str) -> str:
    """Returns the regular expression of a pattern that is matched against a whole path.

    Patterns are hostile, so none backtracks without bounds: of what stands between two stars only the leftmost match
    is tried, which is enough, since what follows can begin no earlier.
    """
    tokens = _tokens(pattern)
    if tokens is None:
        return NEVER
    names = count()
    runs = _split(tokens, _DEEP)
    out = [_run(runs[0], names)]
    for run in runs[1:-1]:
        if run:
            out.append(_atomic("(?:[^/]*/)*?" + _run(run, names), names))
    if len(runs) > 1:
        out.append("(?:.*/)?" + _run(runs[-1], names))
    return "(?s:" + "".join(out) + ")"


def _tokens(pattern: str) -> list[str] | None:
    """Returns a regular expression for each part of a pattern; None for a malformed one."""
    out: list[str] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "*":
            token, position = _stars(pattern, position)
        elif char == "[":
            token, position = _bracket(pattern, position)
        elif char == "\\":
            token = re.escape(pattern[position + 1]) if position + 1 < len(pattern) else ""
            position += 2
        else:
            token = "[^/]" if char == "?" else re.escape(char)
            position += 1
        if not token:
            return None
        out.append(token)
    return out


def _stars(pattern: str, position: int) -> tuple[str, int]:
    end = position
    while end < len(pattern) and pattern[end] == "*":
        end += 1
    starts = position == 0 or pattern[position - 1] == "/"
    if end - position < 2 or not starts:
        return _STAR, end
    if end == len(pattern):
        return _REST, end
    if pattern[end] == "/":
        return _DEEP, end + 1
    if pattern.startswith("\\/", end):
        return _DEEP, end + 2
    return _STAR, end


def _run(tokens: list[str], names: Iterator[int]) -> str:
    """Returns the expression of whole components in a row."""
    return "/".join(_component(component, names) for component in _split(tokens, "/"))


def _component(tokens: list[str], names: Iterator[int]) -> str:
    pieces = ["".join(piece) for piece in _split(tokens, _STAR)]
    if len(pieces) == 1:
        return pieces[0]
    between = "".join(_atomic(_STAR + "?" + piece, names) for piece in pieces[1:-1])
    return pieces[0] + between + _STAR + pieces[-1]


def _atomic(expression: str, names: Iterator[int]) -> str:
    """Returns an expression that is never tried twice at one place: Python 3.10 has no atomic groups."""
    name = f"a{next(names)}"
    return f"(?=(?P<{name}>{expression}))(?P={name})"


def _split(tokens: list[str], separator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _bracket(pattern: str, start: int) -> tuple[str, int]:
    position = start + 1
    negated = pattern[position : position + 1] in ("!", "^")
    position += negated
    parts: list[str] = []
    first = True
    while True:
        if position >= len(pattern):
            return "", position
        char = pattern[position]
        if char == "]" and not first:
            break
        first = False
        if pattern.startswith("[:", position):
            end = pattern.find(":]", position)
            name = pattern[position + 2 : end] if end > 0 else ""
            if name in _CLASSES:
                parts.append(_CLASSES[name])
                position = end + 2
                continue
            if end > 0 and name.isalpha():
                return "", position
        low, position = _bracket_char(pattern, position)
        if low is None:
            return "", position
        is_range = pattern[position : position + 1] == "-" and pattern[position + 1 : position + 2] not in ("", "]")
        if is_range:
            high, position = _bracket_char(pattern, position + 1)
            if high is None:
                return "", position
            if low <= high:
                parts.append(f"{re.escape(low)}-{re.escape(high)}")
            continue
        parts.append(re.escape(low))
    body = "".join(parts)
    if not body:
        return ("[^/]" if negated else NEVER), position + 1
    return (f"(?!/)[^{body}]" if negated else f"(?!/)[{body}]"), position + 1


def _bracket_char(pattern: str, position: int) -> tuple[str | None, int]:
    char = pattern[position]
    if char != "\\":
        return char, position + 1
    if position + 1 >= len(pattern):
        return None, position
    return pattern[position + 1], position + 2
