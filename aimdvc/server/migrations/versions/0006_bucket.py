"""Where blobs and git packs lie in a bucket."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "stored_blobs",
        sa.Column("oid", sa.LargeBinary(32), primary_key=True),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("key", sa.String(200), nullable=False, index=True),
        sa.Column("offset", _BIG),
        sa.Column("seen_s", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trashed_blobs",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("batch", sa.String(64), nullable=False, index=True),
        sa.Column("oid", sa.LargeBinary(32), nullable=False),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("key", sa.String(200), nullable=False, index=True),
        sa.Column("offset", _BIG),
        sa.Column("taken_s", sa.Float, nullable=False),
    )
    op.create_table(
        "git_packs",
        sa.Column("artifact", sa.String(32), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("key", sa.String(200), nullable=False),
    )
