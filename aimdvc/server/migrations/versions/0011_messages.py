"""Why a ref moved, in words of who moved it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Adds the column; what was moved before has none."""
    op.add_column("ref_history", sa.Column("message", sa.Text))
