"""What gc notes of blobs that nothing names."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Makes room for its marks, and a table of what it took."""
    op.add_column("owned_blobs", sa.Column("marked_s", sa.Float))
    op.add_column("owned_blobs", sa.Column("marked_run", _BIG))
    op.create_table(
        "released_blobs",
        sa.Column("artifact", sa.String(32), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("oid", sa.LargeBinary(32), primary_key=True),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("run", _BIG, nullable=False, index=True),
        sa.Column("taken_s", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
