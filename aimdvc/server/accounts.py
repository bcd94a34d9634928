"""Users, groups, and API keys. A key is a UUID, shown once, of which only the SHA-256 is kept."""

import hashlib
import re
import uuid
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, delete, insert, or_, select, update

from aimdvc.errors import AimdvcError
from aimdvc.model.nearest import did_you_mean
from aimdvc.server.audit import note
from aimdvc.server.database import Database, now_s
from aimdvc.server.guard import HttpError
from aimdvc.server.rights import SCOPES, SYSTEM, Caller
from aimdvc.server.schema import groups, keys, members, nodes, users

NAME = re.compile(r"[^\W_](?:[\w .+-]{0,98}[\w+-])?")
"""What users, groups, roots and folders may be called: letters and digits of any script, and `_ . + -` and blanks."""

MAX_NAME = 100
"""How many characters a user, a group or a key may be called by; those that compare names, too."""

RESERVED = frozenset(
    {"api", "apis", "oauth2", "openapi.json", "docs", "healthz", "readyz", "metrics", "static", "login", "web"}
)
"""First segments that no root may have."""

_USED_EVERY_S = 60.0
"""When a key was last used is noted no more often: it costs a durable write."""


@dataclass(frozen=True, slots=True)
class User:
    """One user. A disabled one keeps all that is theirs, and none of their keys is taken."""

    id: str
    name: str
    is_admin: bool
    is_disabled: bool
    created_s: float


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key, which is not the key. `folder` is a node's id; times are seconds since the epoch."""

    id: str
    user: str
    name: str
    scope: str
    folder: str | None
    created_s: float
    expires_s: float | None
    revoked_s: float | None
    used_s: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """One group, and the names of its members."""

    id: str
    name: str
    members: tuple[str, ...]


class Accounts:
    """The users, groups and keys in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def first_start(self) -> str | None:
        """Makes the user `admin` and returns their new key, or None when there are users already."""
        with self._database.write("accounts") as connection:
            if connection.scalar(select(users.c.id).limit(1)) is not None:
                return None
            user = _add_user(connection, "admin", is_admin=True)
            key, _ = _add_key(connection, {"user": user, "name": "first", "scope": "admin"})
            note(self._database, connection, SYSTEM, "user.add", "admin", is_admin=True)
        return key

    def add_user(self, name: str, is_admin: bool = False, by: Caller = SYSTEM) -> str:
        """Makes a user with a root of their name and returns the user's id. Raises HttpError (400, 409)."""
        with self._database.write("accounts") as connection:
            made = _add_user(connection, name, is_admin)
            note(self._database, connection, by, "user.add", name, is_admin=is_admin)
        return made

    def list_users(self) -> list[User]:
        """Returns all users, by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(users).order_by(users.c.name_key)).all()
        return [User(row.id, row.name, row.is_admin, row.disabled_s is not None, row.created_s) for row in rows]

    def user(self, name: str) -> User:
        """Returns a user by name. Raises HttpError for one that there is not."""
        return _named(self.list_users(), "user", name)

    def change_user(
        self, name: str, is_admin: bool | None = None, is_disabled: bool | None = None, by: Caller = SYSTEM
    ) -> None:
        """Makes a user an administrator or takes that away, disables or enables them; None leaves what is.

        Raises HttpError for an unknown user, and where no administrator would be left.
        """
        user = self.user(name)
        with self._database.write("accounts") as connection:
            if is_admin is not None:
                connection.execute(update(users).where(users.c.id == user.id).values(is_admin=is_admin))
            if is_disabled is not None:
                disabled_s = now_s() if is_disabled else None
                connection.execute(update(users).where(users.c.id == user.id).values(disabled_s=disabled_s))
            left = select(users.c.id).where(users.c.is_admin, users.c.disabled_s.is_(None))
            if connection.scalar(left.limit(1)) is None:
                raise HttpError(409, f"'{user.name}' is the last administrator", hint="make another user one first")
            wish = {"is_admin": is_admin, "is_disabled": is_disabled}
            changed = {name: value for name, value in wish.items() if value is not None}
            note(self._database, connection, by, "user.change", user.name, **changed)

    def add_key(
        self,
        user: str,
        scope: str = "write",
        name: str = "",
        folder: str | None = None,
        expires_s: float | None = None,
        by: Caller = SYSTEM,
        known: str | None = None,
    ) -> str:
        """Makes a key for a user's id and returns it; it can't be read again. Raises HttpError.

        `known` is the id that it gets: a request that comes twice makes no second key (409).
        """
        if scope not in SCOPES:
            raise HttpError(422, f"a key's scope is one of {', '.join(SCOPES)}, not '{scope}'")
        if len(name) > MAX_NAME or not name.isprintable():
            raise HttpError(422, f"a key is called by at most {MAX_NAME} characters that can be printed")
        row = {"user": user, "name": name or scope, "scope": scope, "folder": folder, "expires_s": expires_s}
        with self._database.write("accounts") as connection:
            if known is not None and connection.scalar(select(keys.c.id).where(keys.c.id == known)) is not None:
                raise HttpError(409, "this request has made its key already")
            key, made = _add_key(connection, row, known)
            whose = str(connection.scalar(select(users.c.name).where(users.c.id == user)))
            told = {"scope": scope, "name": row["name"], "folder": folder, "expires_s": expires_s}
            note(self._database, connection, by, "key.add", made, user=whose, **told)
        return key

    def list_keys(self, user: str | None = None) -> list[Key]:
        """Returns what is known of the keys of a user's id, or of all, the newest last."""
        query = select(keys).order_by(keys.c.created_s, keys.c.id)
        if user is not None:
            query = query.where(keys.c.user == user)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [Key(**{name: value for name, value in row.items() if name != "hash"}) for row in rows]

    def revoke_key(self, key: str, by: Caller = SYSTEM) -> None:
        """Ends a key at once, by its id or by itself; what it was given already lives out its minutes. Safe to repeat.

        Raises HttpError for one that there is not.
        """
        with self._database.write("accounts") as connection:
            here = or_(keys.c.id == key, keys.c.hash == _hash(key))
            found = connection.scalar(select(keys.c.id).where(here)) if key.isascii() and key.isprintable() else None
            if found is None:
                raise HttpError(404, "there is no such key", hint="`aimdvc server key list` tells their ids")
            here = (keys.c.id == found) & keys.c.revoked_s.is_(None)
            if connection.execute(update(keys).where(here).values(revoked_s=now_s())).rowcount:
                note(self._database, connection, by, "key.revoke", str(found))

    def caller(self, key: str) -> Caller | None:
        """Returns who has this key, or None when it is not known, has expired or was revoked, or they are disabled."""
        query = (
            select(users.c.name.label("who"), users.c.is_admin, keys)
            .join(users, users.c.id == keys.c.user)
            .where(keys.c.hash == _hash(key), keys.c.revoked_s.is_(None), users.c.disabled_s.is_(None))
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
            if row is None or (row.expires_s is not None and row.expires_s < now_s()):
                return None
            mine = connection.scalars(select(members.c.group).where(members.c.user == row.user))
            found = Caller(
                row.user, row.who, row.is_admin, row.scope, row.id, row.folder, frozenset(mine), row.expires_s
            )
        if row.used_s is None or row.used_s < now_s() - _USED_EVERY_S:
            # Who may read may do so on a full disk, too.
            with suppress(AimdvcError):
                self._note_used(found.key)
        return found

    def _note_used(self, key: str) -> None:
        with self._database.write("used") as connection:
            connection.execute(update(keys).where(keys.c.id == key).values(used_s=now_s()))

    def add_group(self, name: str, by: Caller = SYSTEM) -> str:
        """Makes a group and returns its id. Raises HttpError (400, 409)."""
        with self._database.write("accounts") as connection:
            made = _insert_named(connection, "group", name)
            note(self._database, connection, by, "group.add", name)
        return made

    def list_groups(self) -> list[Group]:
        """Returns all groups, by name."""
        query = (
            select(groups.c.id, groups.c.name, users.c.name)
            .select_from(groups)
            .join(members, members.c.group == groups.c.id, isouter=True)
            .join(users, users.c.id == members.c.user, isouter=True)
            .order_by(groups.c.name_key, users.c.name_key)
        )
        found: dict[str, Group] = {}
        with self._database.read() as connection:
            for group, name, member in connection.execute(query):
                known = found.get(group, Group(group, name, ()))
                found[group] = Group(group, name, (*known.members, *([member] if member is not None else [])))
        return list(found.values())

    def group(self, name: str) -> Group:
        """Returns a group by name. Raises HttpError for one that there is not."""
        return _named(self.list_groups(), "group", name)

    def join(self, group: str, user: str, by: Caller = SYSTEM) -> None:
        """Makes a user of a name a member of a group of a name. Safe to repeat. Raises HttpError."""
        row = {"group": self.group(group).id, "user": self.user(user).id}
        with self._database.write("accounts") as connection:
            here = (members.c.group == row["group"]) & (members.c.user == row["user"])
            if connection.scalar(select(groups.c.id).where(groups.c.id == row["group"])) is None:
                raise HttpError(404, f"there is no group '{group}'")
            if connection.execute(select(members).where(here)).first() is None:
                connection.execute(insert(members), row)
                note(self._database, connection, by, "group.join", group, user=user)

    def leave(self, group: str, user: str, by: Caller = SYSTEM) -> None:
        """Ends a membership. Safe to repeat. Raises HttpError."""
        here = (members.c.group == self.group(group).id) & (members.c.user == self.user(user).id)
        with self._database.write("accounts") as connection:
            if connection.execute(delete(members).where(here)).rowcount:
                note(self._database, connection, by, "group.leave", group, user=user)


def check_first_name(kind: str, name: str) -> None:
    """Raises HttpError (400) for what no user, group or root may be called."""
    # What two names are compared by may be longer than they are: ß is ss there.
    if not NAME.fullmatch(name) or len(name.casefold()) > MAX_NAME or name.casefold() in RESERVED:
        what = f"'{name[:100]}' can't be a {kind}'s name"
        raise HttpError(400, f"{what}: expected 1 to 100 letters and digits, and not a reserved word")


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


_Named = TypeVar("_Named", User, Group)


def _named(found: list[_Named], kind: str, name: str) -> _Named:
    for one in found:
        if one.name.casefold() == name.casefold():
            return one
    raise HttpError(404, f"there is no {kind} '{name}'", hint=did_you_mean(name, [one.name for one in found]))


def _insert_named(connection: Connection, kind: str, name: str, **more: object) -> str:
    """Adds a user or a group: their names are of one kind, and each is there once."""
    check_first_name(kind, name)
    table = users if kind == "user" else groups
    if connection.scalar(select(table.c.id).where(table.c.name_key == name.casefold())) is not None:
        raise HttpError(409, f"there is a {kind} '{name}' already")
    made = uuid.uuid4().hex
    row = {"id": made, "name": name, "name_key": name.casefold(), "created_s": now_s(), **more}
    connection.execute(insert(table), row)
    return made


def _add_user(connection: Connection, name: str, is_admin: bool) -> str:
    user = _insert_named(connection, "user", name, is_admin=is_admin)
    taken = select(nodes.c.id).where(nodes.c.parent == "", nodes.c.name_key == name.casefold())
    if connection.scalar(taken) is not None:
        raise HttpError(409, f"there is a shared root '{name}' already")
    root = {"id": uuid.uuid4().hex, "parent": "", "kind": "root", "name": name, "name_key": name.casefold()}
    connection.execute(insert(nodes), {**root, "owner": user, "created_s": now_s()})
    return user


def _add_key(connection: Connection, row: Mapping[str, object], known: str | None = None) -> tuple[str, str]:
    """Returns the key and its id."""
    key, made = str(uuid.uuid4()), known or uuid.uuid4().hex
    connection.execute(insert(keys), {**row, "hash": _hash(key), "id": made, "created_s": now_s()})
    return key, made
