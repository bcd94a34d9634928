"""What was removed from the tree, and can be put back."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Makes the table; nothing was removed before."""
    op.create_table(
        "removed_nodes",
        sa.Column("node", sa.String(32), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("parent", sa.String(32), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("user", sa.String(100), nullable=False),
        sa.Column("removed_s", sa.Float, nullable=False),
    )
