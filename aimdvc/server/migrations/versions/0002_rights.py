"""Groups, sharing, and keys with a name, a scope, a folder and when they were last used."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds them. A key that could write keeps doing so; an administrator's may administer."""
    op.add_column("users", sa.Column("disabled_s", sa.Float))
    op.create_table(
        "groups",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("name_key", sa.String(100), nullable=False, unique=True),
        sa.Column("created_s", sa.Float, nullable=False),
    )
    op.create_table(
        "members",
        sa.Column("group", sa.String(32), sa.ForeignKey("groups.id"), primary_key=True),
        sa.Column("user", sa.String(32), sa.ForeignKey("users.id"), primary_key=True, index=True),
    )
    op.create_table(
        "shares",
        sa.Column("node", sa.String(32), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("subject", sa.String(32), primary_key=True),
        sa.Column("may", sa.String(4), nullable=False),
        sa.Column("root", sa.String(32), sa.ForeignKey("nodes.id"), nullable=False, index=True),
        sa.Column("created_s", sa.Float, nullable=False),
    )
    _new_keys()


def _new_keys() -> None:
    connection = op.get_bind()
    old = sa.table(
        "keys", *(sa.column(name) for name in ("hash", "user", "may_write", "created_s", "expires_s", "revoked_s"))
    )
    users = sa.table("users", sa.column("id"), sa.column("is_admin"))
    rows = connection.execute(sa.select(old, users.c.is_admin).join(users, users.c.id == old.c.user)).mappings().all()
    # Nothing refers to the table: it is made anew, which SQLite does as well as PostgreSQL.
    op.drop_table("keys")
    keys = op.create_table(
        "keys",
        sa.Column("hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("user", sa.String(32), sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scope", sa.String(8), nullable=False),
        sa.Column("folder", sa.String(32)),
        sa.Column("created_s", sa.Float, nullable=False),
        sa.Column("expires_s", sa.Float),
        sa.Column("revoked_s", sa.Float),
        sa.Column("used_s", sa.Float),
    )
    for row in rows:
        scope = ("admin" if row["is_admin"] else "write") if row["may_write"] else "read"
        kept = {name: row[name] for name in ("hash", "user", "created_s", "expires_s", "revoked_s")}
        connection.execute(sa.insert(keys), {**kept, "id": uuid.uuid4().hex, "name": "first", "scope": scope})
