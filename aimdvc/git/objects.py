"""A repository's git objects, read through dulwich, which is loaded with the first one: half of a short command's time.

Nothing else of `git/` reads objects. Writing is ours (git/packs.py): dulwich's doesn't make durable what it writes.
"""

import hashlib
import importlib
import struct
import traceback
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from aimdvc.errors import CorruptRepository
from aimdvc.git.kinds import KIND_NAMES, TREE
from aimdvc.model.oid import EMPTY_TREE, GitId

if TYPE_CHECKING:
    from dulwich.object_store import DiskObjectStore
    from dulwich.objects import ObjectID
    from dulwich.pack import Pack


class Objects:
    """The open object store of one repository."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._opened = 0
        self._last: Pack | None = None

    @cached_property
    def _store(self) -> "DiskObjectStore":
        self._opened = self._packs_changed()
        store: DiskObjectStore = importlib.import_module("dulwich.object_store").DiskObjectStore(
            str(self._repository / "objects")
        )
        return store

    @cached_property
    def _faults(self) -> tuple[type[Exception], ...]:
        """What dulwich raises for damaged objects, packs and indexes: its own classes, and what its parsers let out."""
        errors = importlib.import_module("dulwich.errors")
        return (
            errors.FileFormatException,
            errors.ApplyDeltaError,
            errors.ChecksumMismatch,
            errors.WrongObjectException,
            importlib.import_module("dulwich.pack").UnresolvedDeltas,
            zlib.error,
            struct.error,
            ValueError,
            AssertionError,
            OverflowError,
            IndexError,
            TypeError,
            EOFError,
            OSError,
        )

    def has(self, git_id: GitId) -> bool:
        """Returns whether a git object is here. Raises CorruptRepository when a pack's index is damaged."""
        try:
            return _name(git_id) in self._store or (self._has_moved() and self.has(git_id))
        except self._faults as error:
            if self._has_moved():
                return self.has(git_id)
            raise self._damaged(git_id, error) from error

    def _has_moved(self) -> bool:
        """Returns whether packs came or went since the store was opened, and opens it anew: the object may be there.

        Maintenance, ours or git's, moves objects between packs while others read.
        """
        if self._packs_changed() == self._opened:
            return False
        self.close()
        return True

    def _packs_changed(self) -> int:
        try:
            return (self._repository / "objects" / "pack").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def read(self, git_id: GitId) -> tuple[int, bytes]:
        """Returns a git object's type and content, hash-checked.

        Raises CorruptRepository when it is missing or damaged. The hash costs 1 us of the 20 that a read takes.
        """
        try:
            kind, content = self._get_raw(_name(git_id))
        except KeyError as error:
            if self._has_moved():
                return self.read(git_id)
            if git_id == EMPTY_TREE:
                # Git knows it without having it, so a stock repository may lack it.
                return TREE, b""
            raise CorruptRepository(str(self._repository), f"git object {git_id} is missing") from error
        except self._faults as error:
            if self._has_moved():
                return self.read(git_id)
            found = self._find_whole(git_id)
            if found is None:
                raise self._damaged(git_id, error) from error
            return found
        if _hash(kind, content) != git_id:
            found = self._find_whole(git_id)
            if found is None:
                raise CorruptRepository(str(self._repository), f"git object {git_id} has another hash")
            return found
        return kind, content

    @cached_property
    def _not_there(self) -> tuple[type[Exception], ...]:
        """What says that a pack lacks an object, or is gone: maintenance joined it with others."""
        return KeyError, importlib.import_module("dulwich.pack").PackFileDisappeared, FileNotFoundError

    def _get_raw(self, name: "ObjectID") -> tuple[int, bytes]:
        """Looks first into the pack that had the last one: 17 us for one of 10,000 commits, 36 through all packs."""
        if self._last is not None:
            with suppress(*self._not_there):
                return self._last.get_raw(name)
        found = self._store.get_raw(name)
        self._last = None
        for pack in self._store.packs:
            with suppress(*self._not_there):
                if name in pack:
                    self._last = pack
                    break
        return found

    def _find_whole(self, git_id: GitId) -> tuple[int, bytes] | None:
        """Returns a whole copy from some pack: a fetch that brought it anew leaves the damaged one where it was."""
        for pack in self._store.packs:
            try:
                kind, content = pack.get_raw(_name(git_id))
            except KeyError:
                continue
            except self._faults:
                continue
            if _hash(kind, content) == git_id:
                return kind, content
        return None

    def iter_prefix(self, prefix: str) -> Iterator[GitId]:
        """Yields the ids that begin with these hex digits; one may come twice. Raises CorruptRepository."""
        try:
            for raw in self._store.iter_prefix(prefix.encode()):
                yield GitId(raw.decode())
        except self._faults as error:
            raise self._damaged(prefix, error) from error

    def _damaged(self, name: str, error: Exception) -> CorruptRepository:
        # Its frames hold views of the pack's bytes, and a pack that is viewed can't be closed.
        traceback.clear_frames(error.__traceback__)
        return CorruptRepository(str(self._repository), f"git object {name}: {error or type(error).__name__}")

    def close(self) -> None:
        """Closes the packs; whoever reads next looks at them anew."""
        self._last = None
        store = self.__dict__.pop("_store", None)
        if store is not None:
            # The traceback of an error, or an interrupt, may still hold a view of a mapped pack: it goes with that.
            with suppress(BufferError):
                store.close()


def _hash(kind: int, content: bytes) -> str:
    digest = hashlib.sha1(b"%s %d\0" % (KIND_NAMES.get(kind, b"?"), len(content)), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


def _name(git_id: GitId) -> "ObjectID":
    return git_id.encode()  # type: ignore[return-value]
