"""The names of an artifact's refs, together: which new one can't stand beside those that are there.

Git keeps refs as files on many clients: a name below another's, or one that differs by case alone, stops every fetch.
Knows no targets and no database.
"""

from collections.abc import Iterable


class RefNames:
    """Names of refs, found again whatever their case, and above or below one another."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._by_folded: dict[str, set[str]] = {}
        self._below: dict[str, set[str]] = {}
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Notes a name. Safe to repeat."""
        self._names.add(name)
        folded = name.casefold()
        self._by_folded.setdefault(folded, set()).add(name)
        for parent in _parents(folded):
            self._below.setdefault(parent, set()).add(name)

    def remove(self, name: str) -> None:
        """Forgets a name. Safe to repeat."""
        self._names.discard(name)
        folded = name.casefold()
        for known in (self._by_folded.get(folded), *(self._below.get(parent) for parent in _parents(folded))):
            if known is not None:
                known.discard(name)

    def clash(self, ref: str) -> str | None:
        """Returns why a new ref can't stand beside those that are there, or None."""
        if ref.startswith("refs/aliases/") and f"refs/heads/{ref.removeprefix('refs/aliases/')}" in self._names:
            return "a branch has this name"
        if ref.startswith("refs/heads/") and f"refs/aliases/{ref.removeprefix('refs/heads/')}" in self._names:
            return "an alias has this name"
        folded = ref.casefold()
        others = self._by_folded.get(folded, set()) | self._below.get(folded, set())
        others = others.union(*(self._by_folded.get(parent, ()) for parent in _parents(folded)))
        others.discard(ref)
        return f"conflicts with {min(others)}" if others else None


def _parents(name: str) -> list[str]:
    """Returns `refs/a` and `refs` for `refs/a/b`."""
    parts = name.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]
