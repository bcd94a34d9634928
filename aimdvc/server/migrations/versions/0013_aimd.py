"""What AIMD clients upload, the ids by which they know versions, and the MD5 of blobs."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Makes the tables. The ids of versions that are there already are noted when these are first asked for."""
    op.create_table(
        "drafts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("artifact", sa.String(32), sa.ForeignKey("nodes.id"), nullable=False, index=True),
        sa.Column("owner", sa.String(32), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("created_s", sa.Float, nullable=False),
        sa.Column("expires_s", sa.Float, nullable=False, index=True),
    )
    op.create_table(
        "draft_objects",
        sa.Column("draft", sa.String(32), sa.ForeignKey("drafts.id"), primary_key=True),
        sa.Column("key_hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("oid", sa.LargeBinary(32), nullable=False),
        sa.Column("size", _BIG, nullable=False),
    )
    op.create_table(
        "draft_uploads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("draft", sa.String(32), sa.ForeignKey("drafts.id"), nullable=False, index=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("oid", sa.LargeBinary(32)),
    )
    op.create_table(
        "draft_parts",
        sa.Column("upload", sa.String(32), sa.ForeignKey("draft_uploads.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("oid", sa.LargeBinary(32), nullable=False, index=True),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("etag", sa.String(32), nullable=False),
    )
    op.create_table(
        "aimd_versions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("artifact", sa.String(32), sa.ForeignKey("nodes.id"), nullable=False),
        sa.Column("commit", sa.String(40), nullable=False),
        sa.UniqueConstraint("artifact", "commit"),
    )
    op.create_table(
        "checksums",
        sa.Column("oid", sa.LargeBinary(32), primary_key=True),
        sa.Column("md5", sa.LargeBinary(16), nullable=False),
        sqlite_with_rowid=False,
    )
