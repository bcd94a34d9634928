"""The contents of a published pack's objects, by where their entries begin; deltas are resolved from their bases.

Bases that were read lately are held, some MiB of them: who reads in the order of the pack finds them there.
"""

from collections import OrderedDict

from aimdvc.errors import CorruptRepository
from aimdvc.git.deltas import apply_delta
from aimdvc.git.fsck import BadObjectError
from aimdvc.git.kinds import BLOB, COMMIT, TAG, TREE
from aimdvc.git.packcheck import inflate
from aimdvc.git.packlimits import ClientLimits
from aimdvc.server.packkinds import PackKinds

_FULL = (BLOB, COMMIT, TAG, TREE)
_HELD_BYTES = 8 << 20
_EACH = 300
"""Bytes that a small one takes beside its content."""
_LIMITS = ClientLimits()


class Bases:
    """Contents that were read lately, of any number of packs together."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[int, int], tuple[int, bytes]] = OrderedDict()
        self._bytes = 0

    def get(self, place: tuple[int, int]) -> tuple[int, bytes] | None:
        """Returns what is held of a place: that of a pack, and an offset there."""
        return self._held.get(place)

    def hold(self, place: tuple[int, int], held: tuple[int, bytes]) -> None:
        """Holds one more, and lets go of those that came first; never of the last one."""
        self._held[place] = held
        self._bytes += len(held[1]) + _EACH
        while self._bytes > _HELD_BYTES and len(self._held) > 1:
            self._bytes -= len(self._held.popitem(last=False)[1][1]) + _EACH


class PackContents:
    """Reads the objects of one open pack; hashes nothing."""

    def __init__(self, stored: PackKinds, bases: Bases | None = None) -> None:
        self._stored = stored
        self._bases = bases or Bases()

    def read(self, offset: int) -> tuple[int, bytes]:
        """Returns type and content of the object whose entry begins here. Raises CorruptRepository."""
        try:
            return self._read(offset)
        except (IndexError, BadObjectError) as error:
            raise CorruptRepository("a git pack", f"the entry at {offset} can't be read: {error}") from error

    def _read(self, offset: int) -> tuple[int, bytes]:
        chain: list[tuple[int, int, int]] = []
        at = offset
        pack = id(self._stored)
        while (held := self._bases.get((pack, at))) is None:
            kind, size, data_at = self._stored.header(at)
            allow_size(size)
            if kind in _FULL:
                held = kind, inflate(self._stored.raw, data_at, size)[0]
                self._bases.hold((pack, at), held)
                break
            base, data_at = self._stored.base(kind, at, data_at)
            chain.append((at, size, data_at))
            if len(chain) > _LIMITS.delta_depth:
                raise BadObjectError(f"a chain of more than {_LIMITS.delta_depth} deltas")
            at = base
        kind, content = held
        for at, size, data_at in reversed(chain):
            content = apply_delta(content, inflate(self._stored.raw, data_at, size)[0], allow_size)
            self._bases.hold((pack, at), (kind, content))
        return kind, content


def allow_size(size: int) -> None:
    """Raises BadObjectError for an object that is larger than any may be."""
    if size > _LIMITS.git_object_bytes:
        raise BadObjectError(f"a git object of {size} bytes, expected at most {_LIMITS.git_object_bytes}")
