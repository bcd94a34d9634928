"""What aimdvc has to do, over dictionaries: contents of versions, their lines, merges by path. No code of aimdvc's."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

Entry = tuple[bytes, bool]
"""A file's bytes, and whether it may be executed."""
Content = dict[str, Entry]

PART = "d/"
"""What a partial checkout of the tests leaves out."""


@dataclass
class Versions:
    """All commits that were ever made, by whomever."""

    content: dict[str, Content] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def reach(self, tips: Iterable[str]) -> set[str]:
        """Returns what the tips reach, these included."""
        seen: set[str] = set()
        pending = list(tips)
        while pending:
            commit = pending.pop()
            if commit not in seen:
                seen.add(commit)
                pending.extend(self.parents[commit])
        return seen

    def is_ancestor(self, one: str, tip: str) -> bool:
        """Returns whether `tip` reaches `one`."""
        return one in self.reach([tip])

    def bases(self, one: str, other: str) -> list[str]:
        """Returns the best common ancestors."""
        common = self.reach([one]) & self.reach([other])
        return [base for base in common if not any(base != more and self.is_ancestor(base, more) for more in common)]


def merged(ours: Content, theirs: Content, base: Content) -> tuple[Content, list[str]]:
    """Returns the merge by path, with ours where both sides changed it otherwise, and these paths."""
    result: Content = {}
    conflicts = []
    for path in sorted(ours.keys() | theirs.keys()):
        here, there, before = ours.get(path), theirs.get(path), base.get(path)
        if here != there and before not in (here, there):
            conflicts.append(path)
        entry = there if here == before else here
        if entry is not None:
            result[path] = entry
    return result, conflicts


@dataclass
class Remote:
    """What the server has."""

    branches: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


@dataclass
class Side:
    """One workspace: its files, its index, and what it knows of the remote."""

    files: Content = field(default_factory=dict)
    index: Content = field(default_factory=dict)
    head: str = ""
    branch: str | None = "main"
    branches: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    bases: dict[str, str | None] = field(default_factory=dict)
    seen: Remote = field(default_factory=Remote)
    known: set[str] = field(default_factory=set)
    is_partial: bool = False

    def on_disk(self, content: Content) -> Content:
        """Returns what of a version this workspace checks out."""
        return {path: entry for path, entry in content.items() if not (self.is_partial and path.startswith(PART))}

    def go_to(self, commit: str, content: Content, branch: str | None) -> None:
        """Makes a version what is checked out."""
        self.head, self.branch, self.index, self.files = commit, branch, dict(content), self.on_disk(content)
        self.known.add(commit)
        if branch is not None:
            self.branches[branch] = commit

    def follow(self, remote: Remote, known: set[str]) -> None:
        """Fetches: an alias moves here only if it is where the remote's was last seen."""
        for alias in self.seen.aliases.keys() | remote.aliases.keys():
            before, now, here = self.seen.aliases.get(alias), remote.aliases.get(alias), self.aliases.get(alias)
            if here != now and here == before:
                _put(self.aliases, alias, now)
        self.seen = Remote(dict(remote.branches), dict(remote.aliases))
        self.known |= known


def _put(names: dict[str, str], name: str, value: str | None) -> None:
    if value is None:
        names.pop(name, None)
    else:
        names[name] = value


def on_disk(root: Path) -> Content:
    found: Content = {}
    for path in root.rglob("*"):
        inside = str(path.relative_to(root))
        if (
            path.is_file()
            and not inside.startswith((".git/", ".aimdvc/"))
            and inside not in ("aimdvc.lock", ".gitignore")
        ):
            found[inside] = path.read_bytes(), bool(path.stat().st_mode & 0o100)
    return found


def changed(old: Content, new: Content) -> set[str]:
    return {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
