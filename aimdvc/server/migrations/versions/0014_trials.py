"""Trials, their metrics, and which versions they read and made."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "trials",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("folder", sa.String(32), sa.ForeignKey("nodes.id"), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("owner", sa.String(32), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("created_s", sa.Float, nullable=False),
        sa.UniqueConstraint("folder", "name"),
    )
    op.create_table(
        "trial_metrics",
        sa.Column("trial", sa.String(32), sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("type", sa.String(100), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("element", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lineage",
        sa.Column("trial", sa.String(32), sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("relation", sa.String(8), primary_key=True),
        sa.Column("version", sa.String(32), primary_key=True, index=True),
        sqlite_with_rowid=False,
    )
