"""Properties of the formats: what is written is read back, and hostile bytes raise our errors, never others."""

import hashlib
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimdvc.errors import AimdvcError, CorruptBlob, ProtocolError, UnsafePath
from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.frames import MAGIC, end_frame, frame_header, read_frames, scan_frames
from aimdvc.model.gitconfig import parse
from aimdvc.model.lock import Pin, dump_lock, parse_lock
from aimdvc.model.metadata import dump_metadata, parse_metadata
from aimdvc.model.names import check_alias_name, check_artifact_name
from aimdvc.model.oid import GitId, Oid, is_git_id
from aimdvc.model.paths import check_entry_path, windows_reason
from aimdvc.model.pointer import POINTER_LIMIT, Pointer, encode_pointer, find_pointer
from aimdvc.model.selector import parse_revision, parse_selector, split_url_selector

OIDS = st.binary(min_size=32, max_size=32).map(lambda raw: Oid(raw.hex()))
GIT_IDS = st.binary(min_size=20, max_size=20).map(lambda raw: GitId(raw.hex()))
NAMES = st.from_regex(r"\A[A-Z]a[A-Za-z0-9_-]{0,20}\Z")


@given(oid=OIDS, size=st.integers(1, 2**62))
def test_a_pointer_is_read_back(oid: Oid, size: int) -> None:
    raw = encode_pointer(Pointer(oid, size))
    assert len(raw) < POINTER_LIMIT
    assert find_pointer(raw) == Pointer(oid, size)


@given(raw=st.binary(max_size=300))
def test_what_is_no_pointer_is_none(raw: bytes) -> None:
    assert find_pointer(raw) is None or raw.startswith(b"version ")


@given(oid=OIDS, size=st.integers(0, 2**40), at=st.integers(0, 120), byte=st.integers(0, 255))
def test_a_damaged_pointer_never_reads_as_another_size_and_oid_at_once(oid: Oid, size: int, at: int, byte: int) -> None:
    raw = bytearray(encode_pointer(Pointer(oid, size)))
    raw[at % len(raw)] = byte
    try:
        found = find_pointer(bytes(raw))
    except AimdvcError:
        return
    assert found is None or found.oid == oid or found.size == size


@given(
    pins=st.dictionaries(
        NAMES,
        st.builds(Pin, GIT_IDS, NAMES.map(lambda name: f"data/{name}x"), st.none() | st.just("origin/a/b")),
        max_size=5,
    )
)
def test_a_lock_is_read_back(pins: dict[str, Pin]) -> None:
    paths = {pin.path for pin in pins.values()}
    if len(paths) < len(pins) or len({name.lower() for name in pins}) < len(pins):
        return
    raw = dump_lock(pins)
    assert parse_lock(raw) == pins
    assert dump_lock(parse_lock(raw)) == raw


@given(raw=st.binary(max_size=400))
def test_hostile_texts_raise_our_errors_only(raw: bytes) -> None:
    for read in (parse_lock, lambda content: parse(content, "x"), parse_metadata):
        try:
            read(raw)
        except AimdvcError as error:
            assert "\n" not in error.message or "\n" in raw.decode("latin-1")


@given(text=st.text(max_size=60))
def test_hostile_selectors_raise_our_errors_only(text: str) -> None:
    for read in (parse_selector, parse_revision, split_url_selector, check_artifact_name):
        try:
            read(text)
        except AimdvcError as error:
            assert error.exit_code in (2, 4)


@given(contents=st.lists(st.binary(max_size=200), max_size=8), chunk=st.integers(1, 50))
def test_frames_are_read_back_however_they_arrive(contents: list[bytes], chunk: int) -> None:
    oids = [Oid(hashlib.sha256(content).hexdigest()) for content in contents]
    parts = [frame_header(oid, len(content)) + content for oid, content in zip(oids, contents, strict=True)]
    stream = MAGIC + b"".join(parts) + end_frame(len(contents))
    source = io.BytesIO(stream)
    found = [content for _, content in read_frames(lambda size: source.read(min(size, chunk)), 1 << 20, "test")]
    assert found == contents
    scanned = io.BytesIO(stream)

    def skip(size: int) -> None:
        scanned.seek(size, 1)

    frames = list(scan_frames(scanned.read, skip, "test"))
    assert [stream[frame.offset : frame.offset + frame.size] for frame in frames] == contents


@given(cut=st.integers(0, 300), seed=st.integers(0, 1000))
def test_cut_or_changed_frames_are_noticed(cut: int, seed: int) -> None:
    content = random.Random(seed).randbytes(100)
    oid = Oid(hashlib.sha256(content).hexdigest())
    stream = MAGIC + frame_header(oid, len(content)) + content + end_frame(1)
    with pytest.raises(ProtocolError):
        list(read_frames(io.BytesIO(stream[: cut % len(stream)]).read, 1 << 20, "test"))
    changed = bytearray(stream)
    changed[cut % len(stream)] ^= 1 + seed % 255
    with pytest.raises((ProtocolError, CorruptBlob)):
        list(read_frames(io.BytesIO(bytes(changed)).read, 1 << 20, "test"))


HOSTILE_PATHS = ["", ".", "..", "a/..", "../a", "/a", "a//b", "a/", ".git/x", ".GIT/x", "a/.git", "git~1/x", "a/.Git/b"]
HOSTILE_PATHS += [".aimdvc/x", ".AIMDVC", "a\0b", ".g\u200cit/x", "a/.git./x", "a/.git::$INDEX_ALLOCATION/x"]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_hostile_paths_are_refused(path: str) -> None:
    with pytest.raises(UnsafePath):
        check_entry_path(path)


@pytest.mark.parametrize("path", ["a", "a b/c", "-x", ".gitignore", ".gitattributes", "git", "a.git", "ü/é", "x" * 255])
def test_usual_paths_are_fine(path: str) -> None:
    check_entry_path(path)


@pytest.mark.parametrize("path", ["12:30:00.png", "con", "a/NUL.txt", "x ", "y.", "a<b", "q?"])
def test_what_windows_can_not_hold_is_known(path: str) -> None:
    assert windows_reason(path) is not None


@given(raw=st.binary(min_size=1, max_size=50))
def test_paths_are_bytes(raw: bytes) -> None:
    assert path_bytes(path_text(raw)) == raw


@pytest.mark.parametrize("name", ["", "-a", "a/b", "a.git", "a.lock", "v3", "a b", "a" * 101, "..", "a\n"])
def test_names_that_no_artifact_may_have(name: str) -> None:
    with pytest.raises(AimdvcError):
        check_artifact_name(name)


def test_names_that_no_alias_may_have() -> None:
    for name in ("v1", "main", "latest", "HEAD", "a b", "", "-x", "abcd"):
        with pytest.raises(AimdvcError):
            check_alias_name(name, {"main"})
    check_alias_name("production", {"main"})


def test_metadata_keeps_what_it_does_not_know() -> None:
    raw = b'{"description": "d", "later": [1], "labels": ["b"], "type": "t", "metadata": {"k": 1.5}}'
    assert parse_metadata(dump_metadata(parse_metadata(raw))) == parse_metadata(raw)
    assert b'"later"' in dump_metadata(parse_metadata(raw))


@given(text=st.text(max_size=50))
def test_git_ids(text: str) -> None:
    assert is_git_id(text) == (len(text) == 40 and all(char in "0123456789abcdef" for char in text))
