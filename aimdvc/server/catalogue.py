"""Who may do what: users, their keys, and the tree of roots, folders and artifacts.

Default deny. A key is a UUID of which only the SHA-256 is stored. Every user has a root of their name, where they may
do all that their key may; an administrator may everywhere. What a caller may not see does not exist for them.
"""

import hashlib
import re
import uuid
from base64 import b64decode
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from aimdvc.errors import InvalidName
from aimdvc.model.names import check_artifact_name
from aimdvc.server.database import Database, keys, nodes, now_s, users
from aimdvc.server.guard import HttpError

_FOLDER = re.compile(r"[^\W_](?:[\w .+-]{0,98}[\w+-])?")
_MAX_DEPTH = 32

RESERVED = frozenset(
    {"api", "apis", "oauth2", "openapi.json", "docs", "healthz", "readyz", "metrics", "static", "login", "web"}
)
"""First segments that no root may have."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The user behind a key, and what the key may."""

    id: str
    name: str
    is_admin: bool
    may_write: bool


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact: its id, and its absolute path, which begins with a root."""

    id: str
    path: str


class Catalogue:
    """Users, keys and nodes in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def first_start(self) -> str | None:
        """Makes the user `admin` and returns their new key, or None when there are users already."""
        with self._database.write() as connection:
            if connection.scalar(select(users.c.id).limit(1)) is not None:
                return None
            return _add_key(connection, _add_user(connection, "admin", is_admin=True), may_write=True, expires_s=None)

    def add_user(self, name: str, is_admin: bool = False) -> str:
        """Makes a user with a root of their name and returns the user's id. Raises InvalidName."""
        with self._database.write() as connection:
            return _add_user(connection, name, is_admin)

    def add_key(self, user: str, may_write: bool = True, expires_s: float | None = None) -> str:
        """Makes a key for a user's id and returns it; it can't be read again."""
        with self._database.write() as connection:
            return _add_key(connection, user, may_write, expires_s)

    def revoke_key(self, key: str) -> None:
        """Ends a key at once."""
        with self._database.write() as connection:
            connection.execute(keys.update().where(keys.c.hash == _hash(key)).values(revoked_s=now_s()))

    def caller(self, key: str) -> Caller | None:
        """Returns who has this key, or None when it is not known, has expired or was revoked."""
        query = (
            select(users.c.id, users.c.name, users.c.is_admin, keys.c.may_write, keys.c.expires_s)
            .join(users, users.c.id == keys.c.user)
            .where(keys.c.hash == _hash(key), keys.c.revoked_s.is_(None))
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None or (row.expires_s is not None and row.expires_s < now_s()):
            return None
        return Caller(row.id, row.name, row.is_admin, row.may_write)

    def find(self, caller: Caller, path: str) -> Artifact | None:
        """Returns the artifact at a URL's path, as far as the caller may see it."""
        with self._database.read() as connection:
            return _find(connection, caller, path.split("/"))

    def find_by_path(self, path: str) -> Artifact | None:
        """Returns the artifact at an absolute path; for signed hrefs, which carry their own permission."""
        with self._database.read() as connection:
            return _walk(connection, path.split("/"))

    def ensure(self, caller: Caller, path: str) -> Artifact:
        """Returns the artifact at a URL's path, made with its folders where it is not there. Safe to repeat.

        Raises HttpError (403, 409) where the caller may not, or where the path runs through an artifact.
        """
        found = self.find_writable(caller, path)
        if found is not None:
            return found
        with self._database.write() as connection:
            return _make(connection, caller, path.split("/"))

    def find_writable(self, caller: Caller, path: str) -> Artifact | None:
        """Returns what `ensure` would, None where it would make an artifact. Changes nothing; raises as it does."""
        segments = path.split("/")
        with self._database.read() as connection:
            found = _find(connection, caller, segments)
            if not caller.may_write:
                raise HttpError(403 if found else 404, "this key may only read" if found else "no such artifact")
            if found is None:
                _existing(connection, _absolute(connection, caller, segments))
        return found


def key_of(authorization: str | None) -> str | None:
    """Returns the key in an Authorization header: Bearer, or the password of Basic; None when there is none."""
    if not authorization:
        return None
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        return _basic_password(value.strip())
    return None


def _basic_password(value: str) -> str | None:
    try:
        decoded = b64decode(value, validate=True).decode("utf-8")
    except ValueError:
        return None
    return decoded.partition(":")[2]


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _add_user(connection: Connection, name: str, is_admin: bool) -> str:
    if not _FOLDER.fullmatch(name) or name.lower() in RESERVED:
        raise InvalidName("user", name, "1 to 100 letters and digits, not a reserved word")
    user = uuid.uuid4().hex
    row = {"id": user, "name": name, "name_key": name.casefold(), "is_admin": is_admin, "created_s": now_s()}
    connection.execute(insert(users), row)
    _add_node(connection, "", "root", name, user)
    return user


def _add_key(connection: Connection, user: str, may_write: bool, expires_s: float | None) -> str:
    key = str(uuid.uuid4())
    row = {"hash": _hash(key), "user": user, "may_write": may_write, "created_s": now_s(), "expires_s": expires_s}
    connection.execute(insert(keys), row)
    return key


def _add_node(connection: Connection, parent: str, kind: str, name: str, owner: str) -> str:
    node = uuid.uuid4().hex
    row = {
        "id": node,
        "parent": parent,
        "kind": kind,
        "name": name,
        "name_key": name.casefold(),
        "owner": owner,
        "created_s": now_s(),
    }
    connection.execute(insert(nodes), row)
    return node


@dataclass(frozen=True, slots=True)
class _Node:
    id: str
    kind: str
    name: str
    owner: str


def _child(connection: Connection, parent: str, name: str) -> _Node | None:
    columns = (nodes.c.id, nodes.c.kind, nodes.c.name, nodes.c.owner)
    row = connection.execute(
        select(*columns).where(nodes.c.parent == parent, nodes.c.name_key == name.casefold())
    ).first()
    return _Node(*row) if row is not None else None


def _absolute(connection: Connection, caller: Caller, segments: list[str]) -> list[str]:
    """The design's rule: a path that does not begin with a root the caller can see is taken under /<caller>."""
    root = _child(connection, "", segments[0])
    if root is not None and (caller.is_admin or root.owner == caller.id):
        return segments
    return [caller.name, *segments]


def _find(connection: Connection, caller: Caller, segments: list[str]) -> Artifact | None:
    return _walk(connection, _absolute(connection, caller, segments))


def _walk(connection: Connection, segments: list[str]) -> Artifact | None:
    if len(segments) > _MAX_DEPTH:
        return None
    parent = ""
    names: list[str] = []
    node: _Node | None = None
    for segment in segments:
        node = _child(connection, parent, segment)
        if node is None:
            return None
        names.append(node.name)
        parent = node.id
    return Artifact(node.id, "/".join(names)) if node is not None and node.kind == "artifact" else None


def _make(connection: Connection, caller: Caller, segments: list[str]) -> Artifact:
    segments = _absolute(connection, caller, segments)
    existing = _existing(connection, segments)
    names = [node.name for node in existing] + segments[len(existing) :]
    parent = existing[-1].id if existing else ""
    for depth in range(len(existing), len(segments)):
        parent = _add_node(connection, parent, _kind_at(depth, segments), segments[depth], caller.id)
    return Artifact(parent, "/".join(names))


def _existing(connection: Connection, segments: list[str]) -> list[_Node]:
    """Returns the nodes that are there already on the way to an artifact. Raises HttpError where it can't be made."""
    if len(segments) > _MAX_DEPTH:
        raise HttpError(400, f"the path is deeper than {_MAX_DEPTH} folders")
    if len(segments) < 2:
        raise HttpError(404, "no such artifact")
    found: list[_Node] = []
    for depth, segment in enumerate(segments):
        kind = _kind_at(depth, segments)
        node = _child(connection, found[-1].id if found else "", segment) if len(found) == depth else None
        if node is None:
            _checked(segment, kind)
            continue
        if (node.kind == "artifact") != (kind == "artifact"):
            raise HttpError(409, f"'{node.name}' is {'an artifact' if node.kind == 'artifact' else 'a folder'}")
        found.append(node)
    return found


def _kind_at(depth: int, segments: list[str]) -> str:
    return "artifact" if depth == len(segments) - 1 else "folder"


def _checked(name: str, kind: str) -> None:
    if kind == "artifact":
        try:
            check_artifact_name(name)
        except InvalidName as error:
            raise HttpError(400, error.message) from error
        return
    lowered = name.lower()
    if not _FOLDER.fullmatch(name) or lowered.endswith((".git", ".lock")):
        raise HttpError(400, f"folder name '{name}': expected letters, digits, '.', '_', '+', '-' or spaces")
