"""What the metadata of artifacts say, for searches; `aimdvc server reindex` fills it for those that are there."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "described",
        sa.Column("node", sa.String(32), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("commit", sa.String(40), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
    )
    op.create_table(
        "described_values",
        sa.Column("node", sa.String(32), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("value", sa.String(300), primary_key=True),
    )
    op.create_index("ix_described_values_value", "described_values", ["name", "value"])
