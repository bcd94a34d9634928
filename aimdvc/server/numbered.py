"""All git objects of a repository by number, and sets of them that take a bit for each: for walks over everything.

An object's number is where it stands in the indexes of the packs, one after the other; the largest comes first. One
that several packs have has the number of the first.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from aimdvc.errors import CorruptRepository
from aimdvc.server.packcontents import Bases, PackContents
from aimdvc.server.packkinds import PackKinds
from aimdvc.server.repositories import Repository


class Numbered:
    """The objects of some open packs."""

    def __init__(self, packs: list[PackKinds]) -> None:
        self.spans: list[tuple[int, PackKinds]] = []
        """Each pack, with the number of its first object."""
        self.count = 0
        for pack in sorted(packs, key=lambda pack: -pack.count):
            self.spans.append((self.count, pack))
            self.count += pack.count
        bases = Bases()
        self._contents = [PackContents(pack, bases) for _, pack in self.spans]

    def number(self, name: bytes) -> int | None:
        """Returns the number of an object by its raw id, None for one that isn't here."""
        for start, pack in self.spans:
            position = pack.position(name)
            if position is not None:
                return start + position
        return None

    def needed(self, name: bytes) -> int:
        """Returns the number of an object that has to be here. Raises CorruptRepository."""
        number = self.number(name)
        if number is None:
            raise CorruptRepository("a repository", f"git object {name.hex()} is missing")
        return number

    def read(self, number: int) -> tuple[int, bytes]:
        """Returns an object's type and content. Raises CorruptRepository."""
        for (start, pack), contents in zip(self.spans, self._contents, strict=True):
            if number < start + pack.count:
                return contents.read(pack.offset_at(number - start))
        raise IndexError(number)

    def name(self, number: int) -> bytes:
        """Returns an object's raw id."""
        start, pack = next(one for one in self.spans if number < one[0] + one[1].count)
        return pack.name_at(number - start)

    def release(self) -> None:
        """Lets go of the memory that reading mapped."""
        for _, pack in self.spans:
            pack.release()


@contextmanager
def numbered(repository: Repository) -> Iterator[Numbered]:
    """Opens all packs of a repository, until the `with` ends. Raises CorruptRepository."""
    while True:
        with ExitStack() as opened:
            found = repository.packs()
            packs = []
            for pack in found:
                # One that is gone was joined with others meanwhile: then all are opened anew.
                with suppress(FileNotFoundError):
                    packs.append(opened.enter_context(PackKinds(pack.path, pack.count)))
            if len(packs) == len(found):
                yield Numbered(packs)
                return


class Marks:
    """A set of numbers, a bit each."""

    def __init__(self, count: int) -> None:
        self._bits = bytearray(count // 8 + 1)
        self.count = 0

    def __contains__(self, number: int) -> bool:
        return bool(self._bits[number >> 3] & 1 << (number & 7))

    def add(self, number: int) -> bool:
        """Adds a number; returns whether it is new."""
        if number in self:
            return False
        self._bits[number >> 3] |= 1 << (number & 7)
        self.count += 1
        return True

    def within(self, start: int, end: int) -> Iterator[int]:
        """Yields the numbers from `start` up to `end`, in order."""
        for number in range(start, end):
            if number in self:
                yield number
