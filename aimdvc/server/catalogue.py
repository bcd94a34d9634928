"""The tree of roots, folders and artifacts, as far as each caller may see and change it.

Every user has a root of their name. A path is below the caller's own root if there is such a node, else below the root
that it begins with if the caller sees that, else below their own (docs/decisions/0017-rights.md). What a caller may not
see does not exist for them.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from aimdvc.server.audit import note
from aimdvc.server.database import Database
from aimdvc.server.guard import HttpError
from aimdvc.server.rights import Caller, Node, Rights, rights_on
from aimdvc.server.schema import nodes
from aimdvc.server.tree import absolute, add_node, check_name, existing, walk


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact: its id, and its absolute path, which begins with a root."""

    id: str
    path: str


class Catalogue:
    """The nodes in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, caller: Caller, path: str) -> Artifact | None:
        """Returns the artifact at a URL's path, as far as the caller may see it."""
        with self._database.read() as connection:
            return _find(connection, caller, path.split("/"))[0]

    def find_by_path(self, path: str) -> Artifact | None:
        """Returns the artifact at an absolute path; for signed hrefs, which carry their own permission."""
        with self._database.read() as connection:
            return _artifact(walk(connection, path.split("/")))

    def ensure(self, caller: Caller, path: str) -> Artifact:
        """Returns the artifact at a URL's path, made with its folders where it is not there. Safe to repeat.

        Raises HttpError (403, 409) where the caller may not, or where the path runs through an artifact.
        """
        found = self.find_writable(caller, path)
        if found is not None:
            return found
        with self._database.write("nodes") as connection:
            segments, chain = _writable(connection, caller, path.split("/"))
            made = _make(connection, caller, segments, chain)
            # Another may have been first.
            if len(chain) < len(segments):
                note(self._database, connection, caller, "artifact.make", made.path)
        return made

    def find_writable(self, caller: Caller, path: str) -> Artifact | None:
        """Returns what `ensure` would, None where it would make an artifact. Changes nothing; raises as it does."""
        segments = path.split("/")
        with self._database.read() as connection:
            found, rights = _find(connection, caller, segments)
            if found is None:
                _writable(connection, caller, segments)
            elif rights < Rights.EDIT:
                raise _view_only(caller)
        return found


def is_kept(database: Database, artifact: str) -> bool:
    """Returns whether there still is an artifact of an id, be it removed: whoever waited may find it purged."""
    with database.read() as connection:
        return connection.scalar(select(nodes.c.id).where(nodes.c.id == artifact)) is not None


def _find(connection: Connection, caller: Caller, segments: list[str]) -> tuple[Artifact | None, Rights]:
    chain = walk(connection, absolute(connection, caller, segments))
    rights = rights_on(connection, caller, chain)
    return (_artifact(chain) if rights >= Rights.VIEW else None), rights


def _artifact(chain: list[Node]) -> Artifact | None:
    is_one = bool(chain) and chain[-1].kind == "artifact"
    return Artifact(chain[-1].id, "/".join(node.name for node in chain)) if is_one else None


def _make(connection: Connection, caller: Caller, segments: list[str], chain: list[Node]) -> Artifact:
    names = [node.name for node in chain] + segments[len(chain) :]
    parent = chain[-1].id if chain else ""
    for depth in range(len(chain), len(segments)):
        parent = add_node(connection, parent, _kind_at(depth, segments), segments[depth], caller.id)
    return Artifact(parent, "/".join(names))


def _writable(connection: Connection, caller: Caller, segments: list[str]) -> tuple[list[str], list[Node]]:
    """Returns the absolute path at which an artifact may be made, and the nodes that are there. Raises HttpError."""
    segments = absolute(connection, caller, segments)
    chain = existing(connection, segments)
    rights = rights_on(connection, caller, chain)
    if rights < Rights.VIEW or (rights < Rights.EDIT and caller.scope == "read"):
        raise HttpError(404, "no such artifact")
    if rights < Rights.EDIT:
        raise _view_only(caller)
    _check_new(segments, chain)
    return segments, chain


def _view_only(caller: Caller) -> HttpError:
    return HttpError(403, "this key may only read" if caller.scope == "read" else "you may only view this")


def _check_new(segments: list[str], chain: list[Node]) -> None:
    """Raises HttpError where no artifact can be made at a path of which some nodes are there already."""
    if len(segments) < 2:
        raise HttpError(404, "no such artifact")
    for depth, segment in enumerate(segments):
        kind = _kind_at(depth, segments)
        if depth >= len(chain):
            check_name(segment, kind)
        elif (chain[depth].kind == "artifact") != (kind == "artifact"):
            found = chain[depth]
            raise HttpError(409, f"'{found.name}' is {'an artifact' if found.kind == 'artifact' else 'a folder'}")


def _kind_at(depth: int, segments: list[str]) -> str:
    return "artifact" if depth == len(segments) - 1 else "folder"
