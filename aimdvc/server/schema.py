"""The server's tables. Nothing in them is one database's alone: SQLite and PostgreSQL hold the same rows.

Times are seconds since the epoch, sizes are bytes, ids are UUIDs in 32 hex digits. A change here needs a migration
beside it (migrations/), and the test that both lead to the same tables.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

BIG = BigInteger().with_variant(Integer, "sqlite")
"""64 bits: PostgreSQL's own INTEGER has 32; SQLite numbers rows of INTEGER alone by itself."""

metadata = MetaData()

settings = Table("settings", metadata, Column("name", String(64), primary_key=True), Column("value", LargeBinary))

users = Table(
    "users",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("name_key", String(100), nullable=False, unique=True),
    Column("is_admin", Boolean, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("disabled_s", Float),
)

groups = Table(
    "groups",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("name_key", String(100), nullable=False, unique=True),
    Column("created_s", Float, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("group", String(32), ForeignKey("groups.id"), primary_key=True),
    Column("user", String(32), ForeignKey("users.id"), primary_key=True, index=True),
)

# Only the SHA-256 of a key is kept. `scope` is read, write or admin; `folder`, where it is one, bounds the key.
keys = Table(
    "keys",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("user", String(32), ForeignKey("users.id"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("scope", String(8), nullable=False),
    Column("folder", String(32)),
    Column("created_s", Float, nullable=False),
    Column("expires_s", Float),
    Column("revoked_s", Float),
    Column("used_s", Float),
)

# Roots, folders and artifacts in one table, so that one constraint keeps names unique among all of them. The parent of
# a root is ""; `owner` is who made it, and of a root whose it is, "" for a shared one. `size` is what the blobs have
# together that an artifact owns.
nodes = Table(
    "nodes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("parent", String(32), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("name", String(400), nullable=False),
    Column("name_key", String(400), nullable=False),
    Column("owner", String(32), nullable=False),
    Column("created_s", Float, nullable=False),
    Column("size", BIG, nullable=False, server_default="0"),
    UniqueConstraint("parent", "name_key"),
)

# What was taken out of the tree: where it lay, and who did it when. The parent of such a node is one that there is not.
removed_nodes = Table(
    "removed_nodes",
    metadata,
    Column("node", String(32), ForeignKey("nodes.id"), primary_key=True),
    Column("parent", String(32), nullable=False),
    Column("path", Text, nullable=False),
    Column("user", String(100), nullable=False),
    Column("removed_s", Float, nullable=False),
)

# What a node, and all below it, is to others. `kind` is user, group or everyone, whose subject is ""; `may` is view or
# edit; `root` is the node's root, so that one look tells which roots somebody sees.
shares = Table(
    "shares",
    metadata,
    Column("node", String(32), ForeignKey("nodes.id"), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("subject", String(32), primary_key=True),
    Column("may", String(4), nullable=False),
    Column("root", String(32), ForeignKey("nodes.id"), nullable=False, index=True),
    Column("created_s", Float, nullable=False),
)

refs = Table(
    "refs",
    metadata,
    Column("artifact", String(32), ForeignKey("nodes.id"), primary_key=True),
    Column("name", LargeBinary(1000), primary_key=True),
    Column("target", String(40), nullable=False),
    Column("peeled", String(40)),
    sqlite_with_rowid=False,
)

# `reason` says what moved a ref, as a word of ours; `message` why, in words of who moved it.
ref_history = Table(
    "ref_history",
    metadata,
    Column("id", BIG, primary_key=True, autoincrement=True),
    Column("artifact", String(32), ForeignKey("nodes.id"), nullable=False, index=True),
    Column("name", LargeBinary(1000), nullable=False),
    Column("old", String(40)),
    Column("new", String(40)),
    Column("user", String(32), nullable=False),
    Column("time_s", Float, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text),
)

owned_blobs = Table(
    "owned_blobs",
    metadata,
    Column("artifact", String(32), ForeignKey("nodes.id"), primary_key=True),
    Column("oid", LargeBinary(32), primary_key=True, index=True),
    Column("size", BIG, nullable=False),
    # When, and by which run, gc found that no git object names it; both are null while one does.
    Column("marked_s", Float),
    Column("marked_run", BIG),
    sqlite_with_rowid=False,
)

# What gc took from artifacts, so that it can be given back.
released_blobs = Table(
    "released_blobs",
    metadata,
    Column("artifact", String(32), ForeignKey("nodes.id"), primary_key=True),
    Column("oid", LargeBinary(32), primary_key=True),
    Column("size", BIG, nullable=False),
    Column("run", BIG, nullable=False, index=True),
    Column("taken_s", Float, nullable=False),
    sqlite_with_rowid=False,
)

# Where blobs lie in a bucket (bucket_index.py): alone under a key, or in a pack from the byte `offset` on. The local
# storage has its own catalog.
stored_blobs = Table(
    "stored_blobs",
    metadata,
    Column("oid", LargeBinary(32), primary_key=True),
    Column("size", BIG, nullable=False),
    Column("key", String(200), nullable=False, index=True),
    Column("offset", BIG),
    Column("seen_s", Float, nullable=False),
    sqlite_with_rowid=False,
)

trashed_blobs = Table(
    "trashed_blobs",
    metadata,
    Column("id", BIG, primary_key=True, autoincrement=True),
    Column("batch", String(64), nullable=False, index=True),
    Column("oid", LargeBinary(32), nullable=False),
    Column("size", BIG, nullable=False),
    Column("key", String(200), nullable=False, index=True),
    Column("offset", BIG),
    Column("taken_s", Float, nullable=False),
)

# Which git packs an artifact has in a bucket (bucket_packs.py), and the key of each without its `.pack` and `.idx`.
git_packs = Table(
    "git_packs",
    metadata,
    Column("artifact", String(32), ForeignKey("nodes.id"), primary_key=True),
    Column("name", String(60), primary_key=True),
    Column("key", String(200), nullable=False),
)

locks = Table(
    "locks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("artifact", String(32), ForeignKey("nodes.id"), nullable=False),
    Column("path", LargeBinary(4096), nullable=False),
    Column("owner", String(32), ForeignKey("users.id"), nullable=False),
    Column("created_s", Float, nullable=False),
    UniqueConstraint("artifact", "path"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", BIG, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("user", String(100), nullable=False),
    Column("key", String(32), nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)

# Who alone may move refs of a node, and of all below it, that match a pattern: `kind` is user or group; nobody; or
# forward, which lets branches go forward only. The subject of the last two is "".
protections = Table(
    "protections",
    metadata,
    Column("node", String(32), ForeignKey("nodes.id"), primary_key=True),
    Column("pattern", String(400), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("subject", String(32), primary_key=True),
    Column("created_s", Float, nullable=False),
)

# How much the blobs may have that artifacts own: those at or below a node, or those that count for a user. `subject` is
# the id of either, `used` what they have now.
quotas = Table(
    "quotas",
    metadata,
    Column("subject", String(32), primary_key=True),
    Column("is_user", Boolean, nullable=False),
    Column("size", BIG, nullable=False),
    Column("used", BIG, nullable=False),
    Column("created_s", Float, nullable=False),
)

# What the metadata of an artifact's newest version say; `folded` is all of it for a search, in one case. `version` is
# the highest number. Derived: `aimdvc server reindex` makes it anew.
described = Table(
    "described",
    metadata,
    Column("node", String(32), ForeignKey("nodes.id"), primary_key=True),
    Column("commit", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("folded", Text, nullable=False),
)

described_values = Table(
    "described_values",
    metadata,
    Column("node", String(32), ForeignKey("nodes.id"), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("value", String(300), primary_key=True),
    Index("ix_described_values_value", "name", "value"),
)

# What AIMD clients are uploading (drafts.py): `document` is what they said of it, in JSON. After `expires_s` it ends.
drafts = Table(
    "drafts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("artifact", String(32), ForeignKey("nodes.id"), nullable=False, index=True),
    Column("owner", String(32), ForeignKey("users.id"), nullable=False),
    Column("type", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("expires_s", Float, nullable=False, index=True),
)

# `key_hash` is the key's SHA-256: PostgreSQL's index holds no key as long as keys may be.
draft_objects = Table(
    "draft_objects",
    metadata,
    Column("draft", String(32), ForeignKey("drafts.id"), primary_key=True),
    Column("key_hash", LargeBinary(32), primary_key=True),
    Column("key", Text, nullable=False),
    Column("oid", LargeBinary(32), nullable=False),
    Column("size", BIG, nullable=False),
)

# Objects that come in parts. `oid` is that of the whole, once it was put together.
draft_uploads = Table(
    "draft_uploads",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("draft", String(32), ForeignKey("drafts.id"), nullable=False, index=True),
    Column("key", Text, nullable=False),
    Column("oid", LargeBinary(32)),
)

# A part is a stored blob that no artifact owns, though its bytes count as the artifact's (quotas.py).
draft_parts = Table(
    "draft_parts",
    metadata,
    Column("upload", String(32), ForeignKey("draft_uploads.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("oid", LargeBinary(32), nullable=False, index=True),
    Column("size", BIG, nullable=False),
    Column("etag", String(32), nullable=False),
)

# The ids by which AIMD clients know versions (aimd_ids.py).
aimd_versions = Table(
    "aimd_versions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("artifact", String(32), ForeignKey("nodes.id"), nullable=False),
    Column("commit", String(40), nullable=False, index=True),
    UniqueConstraint("artifact", "commit"),
)

# The MD5 of blobs, as far as it is known.
checksums = Table(
    "checksums",
    metadata,
    Column("oid", LargeBinary(32), primary_key=True),
    Column("md5", LargeBinary(16), nullable=False),
    sqlite_with_rowid=False,
)

# Runs (trials.py). `document` is what clients said of one, in JSON, but for what has a column of its own.
trials = Table(
    "trials",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("folder", String(32), ForeignKey("nodes.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("owner", String(32), ForeignKey("users.id"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("document", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("created_s", Float, nullable=False),
    UniqueConstraint("folder", "name"),
)

# `element` is `{"value", "sequence"}` in JSON; numbers count from 0, without a gap.
trial_metrics = Table(
    "trial_metrics",
    metadata,
    Column("trial", String(32), ForeignKey("trials.id"), primary_key=True),
    Column("type", String(100), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("element", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What a trial read and made: `relation` is input or output, `version` the id by which AIMD clients know a version,
# which may come to the server after the trial, or never.
lineage = Table(
    "lineage",
    metadata,
    Column("trial", String(32), ForeignKey("trials.id"), primary_key=True),
    Column("relation", String(8), primary_key=True),
    Column("version", String(32), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

# What made a version, as the trailers of its commit say (lineage.py): whoever has the commit can read that. Derived:
# `aimdvc server reindex` makes it anew.
makings = Table(
    "makings",
    metadata,
    Column("commit", String(40), primary_key=True),
    Column("code", String(50)),
    Column("trial", String(32)),
    Column("command", Text),
    sqlite_with_rowid=False,
)

made_from = Table(
    "made_from",
    metadata,
    Column("commit", String(40), primary_key=True),
    Column("input", String(40), primary_key=True, index=True),
    Column("name", Text, nullable=False),
    sqlite_with_rowid=False,
)
