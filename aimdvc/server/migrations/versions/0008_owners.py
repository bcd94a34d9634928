"""Who owns a blob is found by its oid."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Makes the index."""
    op.create_index("ix_owned_blobs_oid", "owned_blobs", ["oid"])
