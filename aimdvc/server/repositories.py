"""The git objects of one artifact on the server: packs only, no loose objects, no refs (those are in SQL).

Invariant: the store is closed. A pack is published only when everything that its members name is in it or was here
before. Opened for one request and closed after it: dulwich's packs seek, so threads must not share them.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID

from aimdvc.errors import CorruptRepository
from aimdvc.fs.disk import Disk, TempFile
from aimdvc.fs.leftovers import remove_leftovers
from aimdvc.git.kinds import COMMIT, TAG
from aimdvc.model.oid import GitId
from aimdvc.server.packkinds import FANOUT_END, INDEX_MAGIC, PackKinds


@dataclass(frozen=True, slots=True)
class GitPack:
    """A published pack: its file, its size in bytes, how many objects it holds."""

    path: Path
    size: int
    count: int

    def names(self) -> Iterator[bytes]:
        """Yields the raw ids of its objects, sorted."""
        raw = self.path.with_suffix(".idx").read_bytes()
        for start in range(FANOUT_END, FANOUT_END + 20 * self.count, 20):
            yield raw[start : start + 20]


class Repository:
    """The open git packs of one artifact. Close it."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._directory = directory
        self._disk = disk
        self.objects = DiskObjectStore(str(directory / "objects"))

    def read(self, git_id: GitId) -> tuple[int, bytes]:
        """Returns an object's type and content. Raises CorruptRepository when it is not here."""
        try:
            return self.objects.get_raw(ObjectID(git_id.encode()))
        except KeyError as error:
            raise CorruptRepository(self._directory.name, f"git object {git_id} is missing") from error

    def has(self, git_id: GitId) -> bool:
        """Returns whether an object is here."""
        return ObjectID(git_id.encode()) in self.objects

    def absent(self, git_ids: Mapping[bytes, int]) -> list[bytes]:
        """Returns those of the objects (raw id: type) that aren't here, or are here with another type."""
        left = set(git_ids)
        wrong: list[bytes] = []
        for pack in self.packs():
            if not left:
                break
            with PackKinds(pack.path, pack.count) as kinds:
                found = kinds.find(left)
            left.difference_update(found)
            wrong += (name for name, kind in found.items() if kind != git_ids[name])
        return wrong + sorted(left)

    def packs(self) -> list[GitPack]:
        """Returns all packs that are published now, by name."""
        found = []
        for path in sorted((self._directory / "objects" / "pack").glob("*.pack")):
            with path.with_suffix(".idx").open("rb") as file:
                head = file.read(FANOUT_END)
            if len(head) < FANOUT_END or not head.startswith(INDEX_MAGIC):
                raise CorruptRepository(path.name, "its index can't be read")
            found.append(GitPack(path, path.stat().st_size, struct.unpack(">I", head[-4:])[0]))
        return found

    def quarantine(self) -> TempFile:
        """Returns a new file for a pack that arrives; it is on the packs' file system and is not read as a pack.

        What killed processes left there goes.
        """
        incoming = self._directory / "incoming"
        remove_leftovers(incoming)
        return self._disk.create_temp(incoming)

    def publish(self, pack: TempFile, index: TempFile, name: str) -> None:
        """Makes a checked pack visible, durable: the index appears first, since readers look for the pack."""
        directory = self._directory / "objects" / "pack"
        target = directory / f"pack-{name}.pack"
        if target.exists():
            return
        self._disk.publish(index, target.with_suffix(".idx"), 0o444)
        self._disk.publish(pack, target, 0o444)

    def close(self) -> None:
        """Closes the packs."""
        self.objects.close()

    def __enter__(self) -> "Repository":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def ensure_repository(directory: Path, disk: Disk) -> None:
    """Makes the directories of a repository where they are not there."""
    for part in ("objects/pack", "objects/info", "incoming"):
        disk.make_directory(directory / part)


def commit_parents(content: bytes) -> list[GitId]:
    """Returns the parents in a commit's content."""
    parents = []
    position = 46  # "tree ", 40 digits, newline
    while content.startswith(b"parent ", position):
        parents.append(GitId(content[position + 7 : position + 47].decode("ascii")))
        position += 48
    return parents


def tag_target(content: bytes) -> GitId:
    """Returns the object that a tag's content names."""
    return GitId(content[7:47].decode("ascii"))


class Graph(Protocol):
    """Git objects to walk: a Repository, or one with a pack that isn't published yet."""

    def read(self, git_id: GitId) -> tuple[int, bytes]: ...


def parents(graph: Graph, commit: GitId) -> list[GitId]:
    """Returns a commit's parents; none for anything but a commit."""
    kind, content = graph.read(commit)
    return commit_parents(content) if kind == COMMIT else []


def peel(graph: Graph, git_id: GitId) -> tuple[int, GitId]:
    """Returns the type and id that a chain of tags ends with. Raises CorruptRepository for one that doesn't end."""
    for _ in range(20):
        kind, content = graph.read(git_id)
        if kind != TAG:
            return kind, git_id
        git_id = tag_target(content)
    raise CorruptRepository(git_id, "a chain of tags without end")


def is_ancestor(graph: Graph, old: GitId, new: GitId) -> bool:
    """Returns whether `old` is `new` or reachable from it."""
    return any(commit == old for commit in _reachable(graph, new))


def unnumbered(graph: Graph, old: GitId | None, new: GitId) -> list[GitId]:
    """Returns the commits on `new`'s first-parent line that `old` does not reach, oldest first."""
    line: list[GitId] = []
    commit: GitId | None = new
    while commit is not None and commit != old:
        line.append(commit)
        commit = next(iter(parents(graph, commit)), None)
    if old is not None and commit is None:
        # A stock `git pull` merges with the remote's side as second parent: `old` is not on the line itself.
        reached = set(_reachable(graph, old))
        line = [commit for commit in line if commit not in reached]
    line.reverse()
    return line


def _reachable(graph: Graph, tip: GitId) -> Iterator[GitId]:
    seen = {tip}
    pending = [tip]
    while pending:
        commit = pending.pop()
        yield commit
        fresh = [parent for parent in parents(graph, commit) if parent not in seen]
        seen.update(fresh)
        pending += fresh
