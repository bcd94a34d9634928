"""What aimdvc has to do, over dictionaries: contents of versions, their lines, merges by path. No code of aimdvc's."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

Entry = tuple[bytes, bool]
"""A file's bytes, and whether it may be executed."""
Content = dict[str, Entry]
Value = TypeVar("Value")

PART = "d/"
"""What a partial checkout of the tests leaves out."""

REFERENCE = "\0"
"""What the model puts before the key of a reference, whose bytes are its URI: no file's path has it."""

LIST = ".aimd/references"
"""Where an artifact's tree lists its references."""


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

    def line(self, old: str | None, new: str) -> list[str]:
        """Returns the commits on the first-parent line of `new` that `old` does not reach, oldest first."""
        known = self.reach([old] if old else [])
        found: list[str] = []
        commit: str | None = new
        while commit is not None and commit not in known:
            found.insert(0, commit)
            commit = next(iter(self.parents[commit]), None)
        return found

    def bases(self, one: str, other: str) -> list[str]:
        """Returns the best common ancestors."""
        common = self.reach([one]) & self.reach([other])
        return [base for base in common if not any(base != more and self.is_ancestor(base, more) for more in common)]


def merged(ours: Content, theirs: Content, base: Content) -> tuple[Content, list[str]]:
    """Returns the merge by path, with ours where both sides changed it otherwise, and these paths.

    A file conflicts with what the other side put where its directory would be, too.
    """
    result: Content = {}
    conflicts = []
    mine = {path: entry for path, entry in ours.items() if entry != base.get(path)}
    for path in sorted(ours.keys() | theirs.keys()):
        here, there, before = ours.get(path), theirs.get(path), base.get(path)
        if here != there and before not in (here, there):
            conflicts.append(path)
        entry = there if here == before else here
        if here == before != there is not None and (above(path, mine) or below(path, mine)):
            conflicts.append(path)
            entry = here
        if entry is not None:
            result[path] = entry
    return result, conflicts


def with_theirs(content: Content, theirs: Content, conflicts: Iterable[str]) -> Content:
    """Returns a merge whose conflicts are settled with theirs: a file takes away what is where its directory is."""
    chosen = {path: theirs[path] for path in conflicts if path in theirs}
    kept = {path: entry for path, entry in content.items() if path not in conflicts}
    taken = {other for path in chosen for other in (*above(path, kept), *below(path, kept))}
    return {path: entry for path, entry in kept.items() if path not in taken} | chosen


def above(path: str, content: Iterable[str]) -> list[str]:
    """Returns the files that are where a directory of the path would be."""
    return [other for other in content if path.startswith(other + "/")]


def below(path: str, content: Iterable[str]) -> list[str]:
    """Returns the files that would lie below the path."""
    return [other for other in content if other.startswith(path + "/")]


@dataclass
class Remote:
    """What the server has; `numbered` are the commits that it made v1, v2 and so on."""

    branches: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    numbered: list[str] = field(default_factory=list)


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
        return {
            path: entry
            for path, entry in content.items()
            if not path.startswith(REFERENCE) and not (self.is_partial and path.startswith(PART))
        }

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
                put(self.aliases, alias, now)
        self.seen = Remote(dict(remote.branches), dict(remote.aliases))
        self.known |= known


def put(names: dict[str, Value], name: str, value: Value | None) -> None:
    """Sets a name, or takes it away with None."""
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
    """Returns the paths that differ, as aimdvc names them."""
    return named(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def named(paths: Iterable[str]) -> set[str]:
    """Returns the paths as aimdvc names them: all references lie in one list."""
    return {LIST if path.startswith(REFERENCE) else path for path in paths}


def files_in(content: Content) -> Content:
    """Returns what of a version are files."""
    return {path: entry for path, entry in content.items() if not path.startswith(REFERENCE)}


def references_in(content: Content) -> dict[str, str]:
    """Returns the references of a version: key → URI."""
    return {path[1:]: entry[0].decode() for path, entry in content.items() if path.startswith(REFERENCE)}
