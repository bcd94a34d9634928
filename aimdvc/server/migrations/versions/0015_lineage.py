"""What made each version: code, trial, command, and the versions that were read."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Makes the tables, empty: `aimdvc server reindex` reads what the versions say that are there already."""
    op.create_table(
        "makings",
        sa.Column("commit", sa.String(40), primary_key=True),
        sa.Column("code", sa.String(50)),
        sa.Column("trial", sa.String(32)),
        sa.Column("command", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "made_from",
        sa.Column("commit", sa.String(40), primary_key=True),
        sa.Column("input", sa.String(40), primary_key=True, index=True),
        sa.Column("name", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_aimd_versions_commit", "aimd_versions", ["commit"])
