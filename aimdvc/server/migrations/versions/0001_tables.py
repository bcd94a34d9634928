"""The tables of the first servers, which knew no migrations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes settings, users, keys, nodes, refs, their history, and which artifact owns which blob."""
    op.create_table("settings", sa.Column("name", sa.String(64), primary_key=True), sa.Column("value", sa.LargeBinary))
    op.create_table(
        "users",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("name_key", sa.String(100), nullable=False, unique=True),
        sa.Column("is_admin", sa.Boolean, nullable=False),
        sa.Column("created_s", sa.Float, nullable=False),
    )
    op.create_table(
        "keys",
        sa.Column("hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("user", sa.String(32), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("may_write", sa.Boolean, nullable=False),
        sa.Column("created_s", sa.Float, nullable=False),
        sa.Column("expires_s", sa.Float),
        sa.Column("revoked_s", sa.Float),
    )
    op.create_table(
        "nodes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("parent", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(400), nullable=False),
        sa.Column("name_key", sa.String(400), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("created_s", sa.Float, nullable=False),
        sa.UniqueConstraint("parent", "name_key"),
    )
    op.create_table(
        "refs",
        sa.Column("artifact", sa.String(32), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("name", sa.LargeBinary(1000), primary_key=True),
        sa.Column("target", sa.String(40), nullable=False),
        sa.Column("peeled", sa.String(40)),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ref_history",
        sa.Column("id", BIG, primary_key=True, autoincrement=True),
        sa.Column("artifact", sa.String(32), sa.ForeignKey("nodes.id"), nullable=False, index=True),
        sa.Column("name", sa.LargeBinary(1000), nullable=False),
        sa.Column("old", sa.String(40)),
        sa.Column("new", sa.String(40)),
        sa.Column("user", sa.String(32), nullable=False),
        sa.Column("time_s", sa.Float, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "owned_blobs",
        sa.Column("artifact", sa.String(32), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("oid", sa.LargeBinary(32), primary_key=True),
        sa.Column("size", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
