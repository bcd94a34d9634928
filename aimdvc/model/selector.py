"""Selectors: `NAME`, `NAME@REV`, `NAME@REV:PATH`, and the same behind a URL; revisions with `~N` and `^`."""

import posixpath
import re
from typing import NamedTuple

from aimdvc.errors import InvalidSelector
from aimdvc.model.names import check_artifact_name

_STEP = re.compile(r"([~^])([0-9]*)")
_REVISION = re.compile(r"[^\s~^:\x00-\x1f\x7f\\*\[@]+(@\{[0-9]{1,9}\})?")


class Selector(NamedTuple):
    """What a selector names; None for a part that it leaves out. `path` has no `/` at its end, and is never "."."""

    name: str | None
    revision: str | None
    path: str | None


class Revision(NamedTuple):
    """A base and the steps from it: each the number of the parent to go to, `~2` being (1, 1), `^2` being (2,).

    A base that ends in `@{N}` is where a ref stood before its N last moves.
    """

    base: str
    steps: tuple[int, ...]


def parse_selector(text: str) -> Selector:
    """Returns what the text selects. Raises InvalidSelector, InvalidName."""
    head, colon, path = text.partition(":")
    name, at, revision = head.partition("@")
    if not name and not at and not colon:
        raise InvalidSelector(text, "is empty")
    if at and not revision:
        raise InvalidSelector(text, "no revision after '@'")
    if colon and not path:
        raise InvalidSelector(text, "no path after ':'")
    if revision:
        parse_revision(revision)
    if path:
        path = posixpath.normpath(path).removeprefix("./")
    return Selector(check_artifact_name(name) if name else None, revision or None, None if path in ("", ".") else path)


def parse_revision(text: str) -> Revision:
    """Returns a revision's base and steps. Raises InvalidSelector."""
    match = _REVISION.match(text)
    if match is None:
        raise InvalidSelector(text, "expected a version, alias, branch or commit")
    position = match.end()
    steps: list[int] = []
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise InvalidSelector(text, f"'{text[position:]}' is no step: use ~N or ^N")
        number = int(step[2]) if step[2] else 1
        if number > 100_000:
            raise InvalidSelector(text, "more than 100,000 steps")
        steps.extend([1] * number if step[1] == "~" else [number])
        position = step.end()
    return Revision(match[0], tuple(steps))


def is_revision(text: str) -> bool:
    """Returns whether a text could be meant as a revision: no path, and no words."""
    try:
        parse_revision(text)
    except InvalidSelector:
        return False
    return "/" not in text


def split_url_selector(text: str) -> tuple[str, str | None]:
    """Returns (URL, revision) of `URL/NAME@REV`: the revision begins at the last `@` after the last `/`."""
    slash = text.rfind("/")
    at = text.rfind("@")
    if at <= slash:
        return text, None
    revision = text[at + 1 :]
    if not revision:
        raise InvalidSelector(text, "no revision after '@'")
    parse_revision(revision)
    return text[:at], revision
