"""Words about trials that client and server share: statuses, types of metrics, names, numbers that JSON lacks."""

from functools import lru_cache

INITIALIZING, RUNNING, SUCCEEDED, FAILED = "Initializing", "Running", "Succeeded", "Failed"
STATUSES = (INITIALIZING, RUNNING, SUCCEEDED, FAILED)
ENDED = (SUCCEEDED, FAILED)

TRAINING, VALIDATION, TESTING = "training", "validation", "testing"

NAME_LENGTH = 200
"""Characters, of the name of a trial or of a metric."""

TYPE_LENGTH = 100

STRANGE_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
"""How a metric's value is written that is no number in JSON."""

_SYNONYMS = {
    **dict.fromkeys(("train", "training"), TRAINING),
    **dict.fromkeys(("val", "validate", "validation"), VALIDATION),
    **dict.fromkeys(("test", "testing", "eval", "evaluate", "evaluation"), TESTING),
}


@lru_cache(maxsize=256)
def canonical_type(word: str) -> str:
    """Returns what a type of metrics is called: synonyms have one name, any other word is its own.

    Raises ValueError for what is no word: empty, longer than 100 characters, with a slash, white space or control
    characters in it.
    """
    if not isinstance(word, str) or not 0 < len(word) <= TYPE_LENGTH or not word.isprintable():
        raise ValueError(f"metrics type {word!r}: expected a word of 1 to {TYPE_LENGTH} characters")
    if word in (".", "..") or any(char in "/\\" or char.isspace() for char in word):
        raise ValueError(f"metrics type {word!r}: expected a word without slashes and white space")
    return _SYNONYMS.get(word.lower(), word)


def check_name(name: str) -> str:
    """Returns a trial's name. Raises ValueError for one that is empty, too long, or no text of one line."""
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise ValueError(f"trial name {name!r}: expected a text of 1 to {NAME_LENGTH} characters in one line")
    if name.strip() != name or "/" in name or "\\" in name or name in (".", ".."):
        raise ValueError(f"trial name {name!r}: expected no slash, and no space around it")
    return name
