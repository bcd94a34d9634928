"""The refs of a bare repository on disk: compare-and-set on several at once, durable, with reflogs.

Lock files as Git makes them (`<ref>.lock`), so that a stock git process and ours exclude each other. Names are bytes on
disk and str here.
"""

import os
import re
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from aimdvc.errors import Busy, CorruptRepository, RefMoved
from aimdvc.fs import system
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped, storage_error
from aimdvc.git.packedrefs import PACKED, PackedRefs
from aimdvc.git.reflogs import ZERO, ReflogLine, parse_reflog
from aimdvc.git.refnames import is_safe_ref
from aimdvc.git.signatures import format_signature
from aimdvc.model.commits import RefUpdate, Signature
from aimdvc.model.oid import GitId, is_git_id

_LOCK = "aimdvc-refs.lock"
"""Held (flock) while refs move; the `.lock` files that keep git away are hard links to it."""

_LOCK_WAIT_S = 10
_SYMBOLIC_LIMIT = 5
_DELETED_LOGS = "deleted-logs"
_MANY = 200
"""So many new refs at once go into packed-refs: a file each, durable, takes 0.1 ms and 4 KiB."""

_TAG = re.compile(r"refs/(remotes/[^/]+/)?tags/")


class Refs:
    """The refs of one repository."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._packed = PackedRefs(path, disk)

    def all(self, prefix: str = "refs/") -> dict[str, GitId]:
        """Returns the refs whose names begin with `prefix`, sorted. Raises CorruptRepository."""
        loose: dict[str, GitId] = {}
        for name in self._loose_names(prefix.rpartition("/")[0]):
            value = self._read_loose(name) if name.startswith(prefix) else None
            if value is not None:
                loose[name] = value
        packed = {name: git_id for name, git_id in self._packed.all().items() if name.startswith(prefix)}
        return dict(sorted((packed | loose).items()))

    def get(self, name: str) -> GitId | None:
        """Returns where a ref stands, or None."""
        if not is_safe_ref(name):
            return None
        return self._read_loose(name) or self._packed.all().get(name)

    def symbolic_head(self) -> str | None:
        """Returns the ref that HEAD names, or None when it is detached or missing."""
        try:
            text = (self._path / "HEAD").read_text("utf-8", "surrogateescape").strip()
        except FileNotFoundError:
            return None
        return text[len("ref: ") :].strip() if text.startswith("ref: ") else None

    def _loose_names(self, directory: str) -> Iterator[str]:
        root = self._path / directory
        for parent, _, names in os.walk(root, onerror=_unless_gone(root)):
            inside = os.path.relpath(parent, self._path)
            for name in names:
                if not name.endswith(".lock"):
                    yield f"{inside}/{name}"

    def _read_loose(self, name: str, depth: int = 0) -> GitId | None:
        path = self._path / name
        try:
            text = path.read_text("utf-8", "surrogateescape").strip()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        if text.startswith("ref: "):
            # A symbolic ref, as stock Git makes in clones; one that leads nowhere, or round, is as good as none.
            target = text[len("ref: ") :].strip()
            if depth >= _SYMBOLIC_LIMIT or not is_safe_ref(target):
                return None
            return self._read_loose(target, depth + 1) or self._packed.all().get(target)
        if not is_git_id(text):
            raise CorruptRepository(str(path), f"holds '{text[:60]}', expected 40 hex digits")
        return GitId(text)

    def readable(self) -> tuple[dict[str, GitId], dict[str, str]]:
        """Returns the refs that can be read, and what is wrong with the others, and with `packed-refs`, by name."""
        found, fault = self._packed.readable()
        faults = {PACKED: fault} if fault else {}
        for name in self._loose_names("refs"):
            try:
                found |= {name: value} if (value := self._read_loose(name)) is not None else {}
            except CorruptRepository as error:
                faults[name] = error.message
        return found, faults

    def move(self, updates: Sequence[RefUpdate], message: str, who: Signature) -> None:
        """Moves all of the refs or none: each must stand where its update says. Durable when this returns.

        Deleted first is what would be a directory of a new ref, or lie below it: `feature` before `feature/a` comes.
        A kill between two steps leaves some moved; the same call again moves the rest. Raises RefMoved, Busy.
        """
        with self._exclusive():
            packed = self._packed.all()
            left = []
            for update in updates:
                if not is_safe_ref(update.ref):
                    raise RefMoved(update.ref, "a ref can't have this name", hint="")
                found = self._read_loose(update.ref) or packed.get(update.ref)
                if found not in (update.old, update.new):
                    raise RefMoved(update.ref)
                if found != update.new:
                    left.append(update)
            first, rest = self._make_room(left, packed)
            for batch in (first, rest):
                self._move_locked(batch, message, who)

    def _make_room(
        self, updates: Sequence[RefUpdate], packed: Mapping[str, GitId]
    ) -> tuple[list[RefUpdate], list[RefUpdate]]:
        """Returns the deletions that have to come first, and the rest. Raises RefMoved when a ref stays in the way."""
        gone = {update.ref for update in updates if update.new is None}
        new = {update.ref for update in updates if update.new is not None}
        above = {parent for ref in new for parent in _parents(ref)}
        stay = (packed.keys() | new) - gone
        above_stay = {parent for ref in stay for parent in _parents(ref)}
        for ref in new:
            below = [name for name in self._loose_names(ref) if name not in gone]
            over = [name for name in _parents(ref) if name not in gone and self.get(name)]
            if below or over or ref in above_stay:
                found = (below or over or [f"{ref}/…"])[0]
                raise RefMoved(ref, f"'{found}' is in its way", hint="")
        first = [
            one for one in updates if one.ref in gone and (one.ref in above or new.intersection(_parents(one.ref)))
        ]
        return first, [update for update in updates if update not in first]

    def _move_locked(self, updates: Sequence[RefUpdate], message: str, who: Signature) -> None:
        for update in updates:
            if update.new is not None:
                self._remove_empty(self._path / update.ref)
        locks = self._lock_all(updates)
        try:
            self._apply(updates, message, who)
        finally:
            for lock in locks:
                lock.unlink(missing_ok=True)
        for update in updates:
            if update.new is None:
                for parent in _parents(update.ref):
                    self._remove_empty(self._path / parent)

    def _remove_empty(self, directory: Path) -> None:
        """Removes a directory that holds no ref: others below it, and locks of ours that a killed command left."""
        if not directory.is_dir():
            return
        for parent, _, names in os.walk(directory, topdown=False):
            for name in names:
                if name.endswith(".lock") and self._is_ours(Path(parent, name)):
                    Path(parent, name).unlink(missing_ok=True)
            # One that is not empty, or that git just put a lock in, stays.
            with suppress(OSError):
                os.rmdir(parent)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        path = self._path / _LOCK
        with mapped(path):
            descriptor = os.open(path, system.WRITE, 0o666)
        try:
            system.lock(descriptor, is_waiting=True)
            yield
        finally:
            os.close(descriptor)

    def _lock_all(self, updates: Sequence[RefUpdate]) -> list[Path]:
        locks: list[Path] = []
        try:
            for update in updates:
                path = self._path / (update.ref + ".lock")
                self._disk.make_directory(path.parent)
                self._lock_one(path)
                locks.append(path)
        except BaseException:  # An interrupt, too, must not leave git locked out of refs that won't move.
            for lock in locks:
                lock.unlink(missing_ok=True)
            raise
        return locks

    def _lock_one(self, path: Path) -> None:
        deadline = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                with mapped(path):
                    os.link(self._path / _LOCK, path)
            except FileExistsError:
                # Ours are links to the file that we hold: such a one was left by a killed command. Any other is git's,
                # and whether a git still works on the ref is not ours to guess.
                if self._is_ours(path):
                    path.unlink(missing_ok=True)
                elif time.monotonic() > deadline:
                    raise Busy(f"'{path}'", hint=f"if no git runs there any more, remove '{path}'") from None
                else:
                    time.sleep(0.05)
            else:
                return

    def _is_ours(self, path: Path) -> bool:
        try:
            return path.samefile(self._path / _LOCK)
        except FileNotFoundError:
            return False

    def _apply(self, updates: Sequence[RefUpdate], message: str, who: Signature) -> None:
        made = {update.ref: update.new for update in updates if update.old is None and update.new is not None}
        if len(made) < _MANY:
            made = {}
        gone = {update.ref for update in updates if update.new is None}
        for update in updates:
            if update.ref in made or update.ref in gone:
                self._log(update, message, who)
        if made or gone:
            self._change_packed(made, gone)
        directories: set[Path] = set()
        for update in updates:
            if update.ref not in made:
                if update.ref not in gone:
                    self._log(update, message, who)
                self._write_loose(update)
                directories.add((self._path / update.ref).parent)
        for directory in directories:
            if directory.is_dir():
                self._disk.sync_directory(directory)

    def _change_packed(self, made: Mapping[str, GitId], gone: Container[str]) -> None:
        # Locked for a deletion, too, whose ref may not be packed: `git pack-refs` would pack it meanwhile.
        with self._locked(PACKED):
            packed = self._packed.all()
            kept = {name: git_id for name, git_id in packed.items() if name not in gone}
            if made or len(kept) < len(packed):
                self._packed.replace({**kept, **made}, self._path)

    def _write_loose(self, update: RefUpdate) -> None:
        path = self._path / update.ref
        if update.new is None:
            self._disk.unlink(path)
            return
        with self._disk.create_temp(self._path, "ref-") as temp:
            temp.write(update.new.encode() + b"\n")
            temp.sync()
            system.set_mode(temp.fd, temp.path, 0o644)
            temp.close()
            self._disk.rename(temp.path, path)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Keeps git, too, from changing a file of the repository while the `with` lasts. Raises Busy."""
        path = self._path / f"{name}.lock"
        self._lock_one(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def count_loose(self) -> int:
        """Returns how many refs are files of their own."""
        return sum(1 for _ in self._loose_names("refs"))

    def pack(self) -> int:
        """Moves the refs that are files of their own into packed-refs; returns how many. Safe to repeat. Raises Busy.

        What is deleted is durable in packed-refs before; a reader looks there last.
        """
        with self._exclusive():
            loose = {name: value for name in self._loose_names("refs") if (value := self._read_plain(name)) is not None}
            if not loose:
                return 0
            self._change_packed(loose, ())
            for name, value in loose.items():
                with self._locked(name):
                    if self._read_plain(name) == value:
                        self._disk.unlink(self._path / name)
            for directory in {(self._path / name).parent for name in loose}:
                self._disk.sync_directory(directory)
            return len(loose)

    def _read_plain(self, name: str) -> GitId | None:
        """Returns what a ref's own file holds, None for a symbolic ref and for what is none."""
        try:
            text = (self._path / name).read_text("ascii", "replace").strip()
        except FileNotFoundError:
            return None
        return GitId(text) if is_git_id(text) and is_safe_ref(name) else None

    def _log(self, update: RefUpdate, message: str, who: Signature) -> None:
        # A tag's making says nothing that the tag doesn't: ten thousand versions would be as many files.
        if update.old is None and _TAG.match(update.ref):
            return
        path = self._path / "logs" / update.ref
        self._set_logs_aside(update.ref)
        self._disk.make_directory(path.parent)
        line = f"{update.old or ZERO} {update.new or ZERO} {format_signature(who)}\t{' '.join(message.split())}\n"
        self._disk.before("append", path)
        with mapped(path):
            descriptor = os.open(path, system.APPEND, 0o666)
            try:
                os.write(descriptor, line.encode("utf-8", "surrogateescape"))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _set_logs_aside(self, ref: str) -> None:
        """Moves logs of deleted refs out of the way of a new one's: a file where it needs a directory, or reverse."""
        logs = self._path / "logs"
        for name in [*_parents(ref), *self._loose_names(f"logs/{ref}")]:
            name = name.removeprefix("logs/")
            if (logs / name).is_file():
                target = self._path / _DELETED_LOGS / _aside(name)
                self._disk.make_directory(target.parent)
                self._disk.rename(logs / name, target)
        self._remove_empty(logs / ref)

    def logged(self) -> list[str]:
        """Returns what has a reflog: refs, deleted ones too, and HEAD."""
        found = [name.removeprefix("logs/") for name in self._loose_names("logs")]
        return sorted(found + list(self._loose_names(_DELETED_LOGS)))

    def reflog(self, name: str) -> list[ReflogLine]:
        """Returns the moves of a ref, oldest first; a line that was cut is left out."""
        places = [name] if name.startswith(f"{_DELETED_LOGS}/") else [f"logs/{name}", f"{_DELETED_LOGS}/{_aside(name)}"]
        for path in (self._path / place for place in places):
            with mapped(path), suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return parse_reflog(path.read_text("utf-8", "surrogateescape"))
        return []


def _aside(name: str) -> str:
    """Returns where the log of a deleted ref lies: a tilde, which no ref has, keeps files and directories apart."""
    *parents, last = name.split("/")
    return "/".join([*(f"{part}~" for part in parents), last])


def _unless_gone(root: Path) -> Callable[[OSError], None]:
    """Returns what a walk does with a directory that it can't list: its refs are not as good as none."""

    def act(error: OSError) -> None:
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise storage_error(error, error.filename or root) from error

    return act


def _parents(ref: str) -> list[str]:
    """Returns the names above a ref, nearest first, below the kind: of `refs/heads/a/b` it is `refs/heads/a`."""
    parts = ref.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 2, -1)]
