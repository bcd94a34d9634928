"""The git objects of one artifact on the server: packs only, no loose objects, no refs (those are in SQL).

Invariant: the store is closed. A pack is published only when everything that its members name is in it or was here
before. Opened for one request and closed after it: dulwich's packs seek, so threads must not share them.
"""

import os
import struct
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID

from aimdvc.errors import AimdvcError, CorruptRepository
from aimdvc.fs.disk import Disk, TempFile
from aimdvc.fs.faults import mapped
from aimdvc.fs.leftovers import remove_leftovers
from aimdvc.fs.locks import exclusive
from aimdvc.fs.scratch import Scratch, scratch_database
from aimdvc.git.consolidate import consolidate, is_due
from aimdvc.git.graph import Graph
from aimdvc.git.incoming import FAULTS
from aimdvc.git.packs import PackWriter
from aimdvc.model.oid import GitId
from aimdvc.server.packkinds import FANOUT_END, INDEX_MAGIC, PackKinds

_WAIT_S = 60


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


class Shelf(Protocol):
    """Where the packs lie for all processes, where the directory holds only copies of them."""

    def bring(self) -> None:
        """Makes the directory have just the packs that there are now."""

    def put(self, name: str, pack: Path, index: Path, old: Sequence[str] = ()) -> None:
        """Makes a pack be there for all, in place of the old ones; its copy is not in the directory yet."""

    def close(self) -> None:
        """Ends the use of the directory. Safe to repeat."""

    def replacing(self) -> AbstractContextManager[None]:
        """What was made and deleted in the directory while the `with` lasts is so for all when it ends."""


class Repository:
    """The open git packs of one artifact, in a directory; with a shelf they are copies of what lies there. Close it."""

    def __init__(self, directory: Path, disk: Disk, shelf: Shelf | None = None) -> None:
        self._directory = directory
        self._disk = disk
        self._shelf = shelf
        self._incoming = directory / "incoming"
        self._dropped = directory / "dropped"
        self.objects = DiskObjectStore(str(directory / "objects"))

    def read(self, git_id: GitId) -> tuple[int, bytes]:
        """Returns an object's type and content. Raises CorruptRepository when it is not here, or is damaged."""
        try:
            return self.objects.get_raw(ObjectID(git_id.encode()))
        except KeyError as error:
            raise CorruptRepository(self._directory.name, f"git object {git_id} is missing") from error
        except FAULTS as error:
            raise CorruptRepository(self._directory.name, f"git object {git_id} is damaged: {error}") from error

    def has(self, git_id: GitId) -> bool:
        """Returns whether an object is here."""
        return ObjectID(git_id.encode()) in self.objects

    def absent(self, git_ids: Mapping[bytes, int]) -> list[bytes]:
        """Returns those of the objects (raw id: type) that aren't here, or are here with another type."""
        left = set(git_ids)
        wrong: list[bytes] = []
        for stored in self.iter_opened():
            found = stored.find(left)
            left.difference_update(found)
            wrong += (name for name, kind in found.items() if kind != git_ids[name])
            if not left:
                break
        return wrong + sorted(left)

    def iter_packs(self) -> Iterator[GitPack]:
        """Yields the published packs, and what became of those that are joined meanwhile: they may be gone by then.

        So every object is met that was here at the start, some of them twice.
        """
        done: set[Path] = set()
        while new := [pack for pack in self.packs() if pack.path not in done]:
            for pack in new:
                done.add(pack.path)
                yield pack

    def iter_opened(self) -> Iterator[PackKinds]:
        """Yields the published packs, open, one after the other; see iter_packs."""
        for pack in self.iter_packs():
            # One that is gone was joined with others, into a pack that the next look finds.
            with suppress(FileNotFoundError), PackKinds(pack.path, pack.count) as stored:
                yield stored

    def refresh(self) -> None:
        """Makes what other processes published until now be here, too."""
        if self._shelf is not None:
            self._shelf.bring()

    def packs(self) -> list[GitPack]:
        """Returns all packs that are published now, by name. Raises CorruptRepository, StorageError."""
        directory = self._directory / "objects" / "pack"
        names = _settled(directory)
        dropped = {f"{stem}.pack" for stem in self._read_dropped()}
        names = [name for name in names if name not in dropped] if dropped else names
        found = []
        for path in (directory / name for name in names if name.endswith(".pack")):
            index = path.with_suffix(".idx")
            try:
                with mapped(index), index.open("rb") as file:
                    head = file.read(FANOUT_END)
                size = path.stat().st_size
            except FileNotFoundError as error:
                if set(_settled(directory)) - dropped == set(names):
                    raise CorruptRepository(path.name, "its index is gone") from error
                return self.packs()
            if len(head) < FANOUT_END or not head.startswith(INDEX_MAGIC):
                raise CorruptRepository(path.name, "its index can't be read")
            found.append(GitPack(path, size, struct.unpack(">I", head[-4:])[0]))
        return found

    def join_packs(self) -> None:
        """Joins small packs once there are many; each push brings one, and 10,000 are more than a process may open.

        Never fails: the push that comes needs none of it.
        """
        # What is wrong with what is stored is of no concern to whoever pushes.
        with suppress(AimdvcError):
            if is_due(self._directory):
                with self._shelf.replacing() if self._shelf is not None else nullcontext():
                    consolidate(self._directory, self._disk)

    def quarantine(self) -> TempFile:
        """Returns a new file for a pack that arrives; it is on the packs' file system and is not read as a pack.

        What killed processes left there goes.
        """
        remove_leftovers(self._incoming)
        return self._disk.create_temp(self._incoming)

    def pack_writer(self) -> PackWriter:
        """Returns a writer of a new pack, in quarantine; discard it, or close its file when it is published."""
        remove_leftovers(self._incoming)
        return PackWriter(self._disk, self._incoming)

    def scratch(self) -> AbstractContextManager[Scratch]:
        """Returns an empty database beside what arrives, which is gone when its `with` ends."""
        return scratch_database(self._disk, self._incoming)

    def publish(self, pack: TempFile, index: TempFile, name: str) -> None:
        """Makes a checked pack visible, durable: the index appears first, since readers look for the pack."""
        directory = self._directory / "objects" / "pack"
        # One that is dropped may come again, and has to stay then.
        self.finish_dropping()
        target = directory / f"pack-{name}.pack"
        if target.exists():
            return
        if self._shelf is not None:
            self._shelf.put(target.stem, pack.path, index.path)
        self._disk.publish(index, target.with_suffix(".idx"), 0o444)
        self._disk.publish(pack, target, 0o444)

    def replace(self, pack: TempFile, index: TempFile, name: str, old: Sequence[str]) -> None:
        """Publishes a pack in place of others, whose objects are dropped unless it has them. Nothing else may push.

        Cut anywhere, all of the old ones count, or none: so what is here stays closed.
        """
        if self._shelf is not None:
            self._shelf.put(f"pack-{name}", pack.path, index.path, old)
            self._shelf.bring()
            return
        self.publish(pack, index, name)
        gone = [stem for stem in old if stem != f"pack-{name}"]
        self._disk.replace_file(self._dropped, "".join(f"{stem}\n" for stem in gone).encode(), 0o444, self._incoming)
        self.finish_dropping()

    def finish_dropping(self) -> None:
        """Deletes what a `replace` that was cut had dropped already. No other `replace` may run.

        Before anything counts on what is here: till then reads find also what was dropped.
        """
        if not self._dropped.exists():
            return
        # Of two that finish it the slower one would delete what the faster one publishes anew.
        with exclusive(self._directory / "dropping.lock", "the repository", _WAIT_S):
            for stem in self._read_dropped():
                self.drop(stem)
            if self._dropped.exists():
                self._disk.unlink(self._dropped)

    def _read_dropped(self) -> list[str]:
        try:
            return self._dropped.read_text("ascii").split()
        except FileNotFoundError:
            return []

    def drop(self, name: str) -> None:
        """Deletes a pack whose objects others hold, or nothing leads to. For backups: others read none of those."""
        pack = self._directory / "objects" / "pack" / f"{name}.pack"
        self._disk.unlink(pack)
        self._disk.unlink(pack.with_suffix(".idx"))

    def close(self) -> None:
        """Closes the packs."""
        try:
            self.objects.close()
        finally:
            if self._shelf is not None:
                self._shelf.close()

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


def _settled(directory: Path) -> list[str]:
    """Returns a directory's names as two listings in a row have them.

    One made while packs are joined may lack the new one and the old ones: not so the one after it.
    """
    before: list[str] | None = None
    while (names := sorted(os.listdir(directory))) != before:
        before = names
    return names


def unnumbered(graph: Graph, old: GitId | None, new: GitId) -> list[GitId]:
    """Returns the commits on `new`'s first-parent line that `old` does not reach, oldest first."""
    have = [old] if old is not None else []
    line, last = _line(graph, new, {commit.id for commit in graph.new_commits([new], have)[0]})
    if last != old:
        # A stock `git pull` merges with the remote's side as second parent: `old` is not on the line itself, and only
        # a walk of all that it reaches is sure to tell where the line meets it.
        line, _ = _line(graph, new, {commit.id for commit in graph.new_commits([new], have, is_exact=True)[0]})
    return line[::-1]


def _line(graph: Graph, tip: GitId, new: Container[GitId]) -> tuple[list[GitId], GitId | None]:
    """Returns the commits by first parents so long as they are new, and the one after them."""
    line: list[GitId] = []
    commit: GitId | None = tip
    while commit is not None and commit in new:
        line.append(commit)
        commit = next(iter(graph.commit(commit).parents), None)
    return line, commit
