"""Quotas, and how much each artifact owns."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Makes their table, and counts what is owned already."""
    op.create_table(
        "quotas",
        sa.Column("subject", sa.String(32), primary_key=True),
        sa.Column("is_user", sa.Boolean, nullable=False),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("used", _BIG, nullable=False),
        sa.Column("created_s", sa.Float, nullable=False),
    )
    op.add_column("nodes", sa.Column("size", _BIG, nullable=False, server_default="0"))
    op.execute(
        "UPDATE nodes SET size = (SELECT SUM(owned_blobs.size) FROM owned_blobs WHERE owned_blobs.artifact = nodes.id)"
        " WHERE id IN (SELECT artifact FROM owned_blobs)"
    )
