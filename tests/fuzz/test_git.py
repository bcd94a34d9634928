"""Fuzzers of what Git stores and sends: only errors of ours, and what was read is written as it was."""

import hashlib
import os
import zlib
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from aimdvc.errors import CorruptRepository, RemoteError
from aimdvc.fs.disk import Disk
from aimdvc.git.commits import dump_commit, parse_commit, tag_target
from aimdvc.git.deltas import apply_delta
from aimdvc.git.fsck import BadObjectError
from aimdvc.git.http import HttpTransport
from aimdvc.git.kinds import BLOB, COMMIT, TREE
from aimdvc.git.packcheck import check_pack
from aimdvc.git.packlimits import ClientLimits
from aimdvc.git.packs import PackWriter, git_id_of
from aimdvc.git.refnames import is_safe_ref
from aimdvc.git.signatures import parse_signature
from aimdvc.git.transport import HttpReply
from aimdvc.git.trees import Node, dump_tree, parse_tree
from aimdvc.model.commits import CommitDraft, Signature
from aimdvc.model.entries import Mode
from aimdvc.model.oid import GitId
from tests.fuzz.hostile_bytes import made_of, nearly

IDS = st.binary(min_size=20, max_size=20).map(lambda raw: GitId(raw.hex()))
NAMES = st.binary(min_size=1, max_size=12).filter(lambda raw: raw not in (b".", b"..") and not set(raw) & set(b"/\0"))
NODES = st.builds(Node, st.sampled_from([int(mode) for mode in Mode]), IDS)


@given(nodes=st.dictionaries(NAMES, NODES, max_size=8))
def test_a_tree_is_read_back(nodes: dict[bytes, Node]) -> None:
    raw = dump_tree(nodes)
    assert parse_tree(raw) == nodes
    assert dump_tree(parse_tree(raw)) == raw


TREE_OF_TWO = b"100644 a\0" + b"1" * 20 + b"40000 b\0" + b"2" * 20
IN_TREES = (b"100644 ", b"40000 ", b"160000 ", b"0", b"\0", b"3" * 20, b"..\0", b"/", b" ", b"777777777 ")


@given(raw=nearly(TREE_OF_TWO, IN_TREES) | made_of(IN_TREES))
def test_any_tree_is_read_or_told_as_damage(raw: bytes) -> None:
    try:
        nodes = parse_tree(raw)
    except CorruptRepository as error:
        assert error.exit_code == 3
        return
    assert all(node.mode in set(map(int, Mode)) and len(node.git_id) == 40 for node in nodes.values())
    assert parse_tree(dump_tree(nodes)) == nodes


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PEOPLE = st.builds(Signature, TEXTS, TEXTS, st.integers(0, 2**33), st.integers(-14 * 4, 14 * 4).map(lambda n: n * 900))


@given(tree=IDS, parents=st.lists(IDS, max_size=3), who=PEOPLE, by=PEOPLE, message=TEXTS)
def test_a_commit_is_read_back(tree: GitId, parents: list[GitId], who: Signature, by: Signature, message: str) -> None:
    raw = dump_commit(CommitDraft(tree, tuple(parents), who, by, message))
    found = parse_commit(GitId("1" * 40), raw)
    assert (found.tree, found.parents) == (tree, tuple(parents))
    assert found.message == message.replace("\0", "").strip("\n") + "\n"
    assert (found.author.time_s, found.author.zone_s) == (who.time_s, who.zone_s)
    assert dump_commit(CommitDraft(found.tree, found.parents, found.author, found.committer, found.message)) == raw


COMMIT_TEXT = (
    b"tree " + b"1" * 40 + b"\nparent " + b"2" * 40 + b"\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0100\n\nm\n"
)
IN_COMMITS = (
    b"tree ",
    b"parent ",
    b"author ",
    b"<",
    b">",
    b"\n\n",
    b"\n",
    b" ",
    b"\0",
    b"3" * 40,
    b"-",
    b"+9999",
    b"\xff",
)


@given(raw=nearly(COMMIT_TEXT, IN_COMMITS) | made_of(IN_COMMITS))
def test_any_commit_and_tag_is_read_or_told_as_damage(raw: bytes) -> None:
    for read in (parse_commit, tag_target):
        try:
            read(GitId("1" * 40), raw)
        except CorruptRepository as error:
            assert error.exit_code == 3
    parse_signature(raw.decode("latin-1"))


@given(name=st.text("refs/heads.lock@{~^:\\ *é\0a", max_size=24).map(lambda text: f"refs/{text}"))
def test_a_ref_that_is_safe_stays_below_refs(name: str) -> None:
    if is_safe_ref(name):
        assert os.path.normpath(name) == name
        assert not name.endswith(".lock") and "/." not in name and ".." not in name


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A good pack: a commit, its tree, a blob in full and one as a delta."""
    writer = PackWriter(Disk(), tmp_path_factory.mktemp("pack"))
    blob = git_id_of(BLOB, b"base content\n")
    tree = b"100644 a\0" + bytes.fromhex(blob)
    commit = COMMIT_TEXT.replace(b"1" * 40, git_id_of(TREE, tree).encode()).replace(b"parent " + b"2" * 40 + b"\n", b"")
    for kind, content in ((BLOB, b"base content\n"), (TREE, tree), (COMMIT, commit)):
        writer.add(kind, content, git_id_of(kind, content))
    writer.seal()
    raw = writer.temp.path.read_bytes()
    writer.discard()
    delta = b"\x0d\x0e\x90\x0d\x01x"
    body = raw[:8] + b"\0\0\0\4" + raw[12:-20]
    body += bytes([7 << 4 | len(delta)]) + bytes.fromhex(blob) + zlib.compress(delta)
    return body + hashlib.sha1(body).digest()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), is_signed=st.booleans())
def test_any_pack_is_read_or_refused(pack: bytes, tmp_path: Path, data: st.DataObject, is_signed: bool) -> None:
    pieces = (b"PACK", b"\0\0\0\2", b"\xff" * 4, b"\x78\x9c", b"\x80" * 12, zlib.compress(b"x" * 100), b"\x70", b"\x60")
    raw = data.draw(nearly(pack, pieces))
    if is_signed:
        body = raw[:-20]
        raw = body + hashlib.sha1(body).digest()
    path = tmp_path / "pack"
    path.write_bytes(raw)
    with path.open("rb") as file:
        try:
            checked = check_pack(file.fileno(), len(raw), ClientLimits())
        except BadObjectError as error:
            assert str(error)
            return
    assert len(checked.entries) == int.from_bytes(raw[8:12], "big")


def test_the_pack_that_is_changed_is_good(pack: bytes, tmp_path: Path) -> None:
    (tmp_path / "pack").write_bytes(pack)
    with (tmp_path / "pack").open("rb") as file:
        assert len(check_pack(file.fileno(), len(pack), ClientLimits()).entries) == 4


@given(
    base=st.binary(max_size=40), delta=nearly(b"\x05\x08\x90\x05\x03abc", (b"\x80", b"\x90", b"\xff", b"\0", b"\x05"))
)
def test_any_delta_is_applied_or_refused(base: bytes, delta: bytes) -> None:
    allowed: list[int] = []

    def allow(size: int) -> None:
        allowed.append(size)
        if size > 1 << 20:
            raise BadObjectError("too much")

    try:
        made = apply_delta(base, delta, allow)
    except BadObjectError:
        return
    assert [len(made)] == allowed


class _Reply:
    status = 200

    def __init__(self, kind: str, body: bytes) -> None:
        self.headers: Mapping[str, str] = {"content-type": kind}
        self._body = BytesIO(body)

    def read(self, size: int) -> bytes:
        return self._body.read(size)

    def close(self) -> None:
        """Nothing is open."""


class _Server:
    def __init__(self, kind: str, body: bytes) -> None:
        self._reply = _Reply(kind, body)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None = None,
        is_repeatable: bool = True,
    ) -> HttpReply:
        return self._reply


def packet(content: bytes) -> bytes:
    return b"%04x%s" % (len(content) + 4, content)


ADVERTISED = packet(b"# service=git-upload-pack\n") + b"0000"
ADVERTISED += packet(b"1" * 40 + b" HEAD\0side-band-64k symref=HEAD:refs/heads/main\n") + packet(
    b"1" * 40 + b" refs/heads/main\n"
)
ADVERTISED += b"0000"
IN_PACKETS = (
    b"0000",
    b"0001",
    b"0004",
    b"ffff",
    b"fff0",
    b"-001",
    b"00 4",
    b"ERR x",
    b" ",
    b"\0",
    b"refs/../x",
    b"symref=",
    b"\n",
)


@given(raw=nearly(ADVERTISED, IN_PACKETS) | made_of(IN_PACKETS))
def test_any_advertisement_is_read_or_refused(raw: bytes) -> None:
    transport = HttpTransport(_Server("application/x-git-upload-pack-advertisement", raw), "https://host/r")
    try:
        known = transport.read_refs(False)
    except RemoteError as error:
        assert error.exit_code == 6
        return
    for ref, git_id in known.refs.items():
        assert len(git_id) == 40
        assume(ref)
