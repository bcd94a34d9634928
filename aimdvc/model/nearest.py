"""What was probably meant by a word that nothing is called: one rule for commands, names, revisions and paths."""

import difflib
from collections.abc import Callable, Iterable

_LIMIT = 2000
"""Words; among more than these one isn't searched for: it would take over 0.1 s."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Returns the known word that is most like `word`, None when none is. Case counts for little."""
    words = list(known)
    if len(words) > _LIMIT:
        return None
    folded = {other.lower(): other for other in reversed(words)}
    found = difflib.get_close_matches(word.lower(), folded, 1)
    return folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Returns a hint that asks for the known word that is most like `word`, None when none is."""
    near = nearest(word, known)
    return None if near is None else f"did you mean '{near}'?"


def nearest_path(path: str, names_in: Callable[[str], Iterable[str]]) -> str | None:
    """Returns the path most like one that isn't there, None when none is; `names_in` lists a directory, "" the top."""
    found: list[str] = []
    for part in path.split("/"):
        names = list(names_in("/".join(found)))
        near = part if part in names else nearest(part, names)
        if near is None:
            return None
        found.append(near)
    return "/".join(found)
