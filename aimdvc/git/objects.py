"""A repository's git objects, read through dulwich, which is loaded with the first one: half of a short command's time.

Nothing else of `git/` reads objects. Writing is ours (git/packs.py): dulwich's doesn't make durable what it writes.
"""

import importlib
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from aimdvc.errors import CorruptRepository
from aimdvc.model.oid import GitId

if TYPE_CHECKING:
    from dulwich.object_store import DiskObjectStore
    from dulwich.objects import ObjectID


class Objects:
    """The open object store of one repository."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository

    @cached_property
    def _store(self) -> "DiskObjectStore":
        store: DiskObjectStore = importlib.import_module("dulwich.object_store").DiskObjectStore(
            str(self._repository / "objects")
        )
        return store

    def has(self, git_id: GitId) -> bool:
        """Returns whether a git object is here."""
        return _name(git_id) in self._store

    def read(self, git_id: GitId) -> tuple[int, bytes]:
        """Returns a git object's type and content. Raises CorruptRepository when it is missing or damaged."""
        try:
            return self._store.get_raw(_name(git_id))
        except KeyError as error:
            raise CorruptRepository(str(self._repository), f"git object {git_id} is missing") from error
        except (ValueError, AssertionError, OSError, zlib.error) as error:
            raise CorruptRepository(str(self._repository), f"git object {git_id}: {error}") from error

    def iter_prefix(self, prefix: str) -> Iterator[GitId]:
        """Yields the ids that begin with these hex digits; one may come twice."""
        for raw in self._store.iter_prefix(prefix.encode()):
            yield GitId(raw.decode())

    def close(self) -> None:
        """Closes the packs."""
        if "_store" in self.__dict__:
            self._store.close()


def _name(git_id: GitId) -> "ObjectID":
    return git_id.encode()  # type: ignore[return-value]
