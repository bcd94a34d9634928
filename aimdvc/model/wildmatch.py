"""Git's wildmatch patterns as regular expressions, over paths whose bytes were decoded as Latin-1.

One character is one byte, as in Git (wildmatch.c). Anchored at both ends by the caller's `fullmatch`.
"""

import re

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

NEVER = r"(?!)"
"""A regular expression that nothing matches, for a malformed pattern."""


def translate(pattern: str) -> str:
    """Returns the regular expression of a pattern that is matched against a whole path."""
    out: list[str] = []
    position = 0
    size = len(pattern)
    while position < size:
        char = pattern[position]
        if char == "*":
            piece, position = _stars(pattern, position)
            out.append(piece)
        elif char == "?":
            out.append("[^/]")
            position += 1
        elif char == "[":
            piece, position = _bracket(pattern, position)
            if not piece:
                return NEVER
            out.append(piece)
        elif char == "\\":
            if position + 1 >= size:
                return NEVER
            out.append(re.escape(pattern[position + 1]))
            position += 2
        else:
            out.append(re.escape(char))
            position += 1
    return "(?s:" + "".join(out) + ")"


def _stars(pattern: str, position: int) -> tuple[str, int]:
    end = position
    while end < len(pattern) and pattern[end] == "*":
        end += 1
    starts = position == 0 or pattern[position - 1] == "/"
    if end - position < 2 or not starts:
        return "[^/]*", end
    if end == len(pattern):
        return ".*", end
    if pattern[end] == "/":
        return "(?:.*/)?", end + 1
    if pattern.startswith("\\/", end):
        return "(?:.*/)?", end + 2
    return "[^/]*", end


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
