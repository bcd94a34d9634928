"""Whether what git objects name is there, of the right type: asked for many together, whatever their number."""

from collections.abc import Callable, Mapping

from aimdvc.git.fsck import BadObjectError, check_object, is_link_target
from aimdvc.git.kinds import BLOB
from aimdvc.git.packcheck import BAD_LINK

_AT_ONCE = 30_000
TOLD = 10_000
"""How many absent objects are told at most."""


class Named:
    """What objects name. `absent` returns those that aren't there with that type, `read` a blob's content.

    Each name is looked up once, or a few times when very many others come in between: trees name mostly what those
    before them did.
    """

    def __init__(
        self,
        absent: Callable[[Mapping[bytes, int]], list[bytes]],
        read: Callable[[bytes], bytes],
        at_once: int = _AT_ONCE,
    ) -> None:
        self._absent = absent
        self._read = read
        self._at_once = at_once
        self._new: dict[bytes, int] = {}
        self._known: dict[bytes, int] = {}
        self._links: set[bytes] = set()
        self.absent: dict[bytes, None] = {}
        """Raw ids of what is not there, as many as are told."""

    def take(self, kind: int, content: bytes) -> None:
        """Checks one object's form, and notes what it names. Raises BadObjectError."""
        if kind != BLOB:
            check_object(kind, content, self._refer)

    def _refer(self, name: bytes, kind: int, *, is_link: bool = False) -> None:
        if is_link:
            self._links.add(name)
        if self._known.get(name) == kind:
            return
        if self._new.setdefault(name, kind) != kind:
            raise BadObjectError(f"git object {name.hex()} is named with two types")
        if len(self._new) >= self._at_once:
            self.settle()

    def settle(self) -> None:
        """Looks up what was named since the last time. Raises BadObjectError for a link that leads nowhere."""
        new, self._new = self._new, {}
        links, self._links = self._links, set()
        for name in self._absent(new):
            links.discard(name)
            if len(self.absent) < TOLD:
                self.absent[name] = None
        self._known = new
        if not all(is_link_target(self._read(name)) for name in links if name not in self.absent):
            raise BadObjectError(BAD_LINK)
