"""Protected refs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Makes their table."""
    op.create_table(
        "protections",
        sa.Column("node", sa.String(32), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("pattern", sa.String(400), primary_key=True),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("subject", sa.String(32), primary_key=True),
        sa.Column("created_s", sa.Float, nullable=False),
    )
