"""How many files changed between two versions, as one line says it. A pure value; `ops/counting.py` counts."""

from typing import NamedTuple


class Counts(NamedTuple):
    """Files that a version has and the other hasn't, the reverse, and those that both have otherwise."""

    added: int
    removed: int
    modified: int

    @property
    def text(self) -> str:
        """The counts as people read them: `+120 −3 ~17 files`; what is none is left out."""
        signs = zip("+−~", self, strict=True)
        parts = [f"{sign}{count:,}" for sign, count in signs if count]
        if not parts:
            return "no file changed"
        return f"{' '.join(parts)} file{'' if sum(self) == 1 else 's'}"
