"""Git LFS locks."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes their table."""
    op.create_table(
        "locks",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("artifact", sa.String(32), sa.ForeignKey("nodes.id"), nullable=False),
        sa.Column("path", sa.LargeBinary(4096), nullable=False),
        sa.Column("owner", sa.String(32), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created_s", sa.Float, nullable=False),
        sa.UniqueConstraint("artifact", "path"),
    )
