"""Fuzzers of the formats in model/ and store/ignore: only errors of ours, and what was read is written as it was."""

import hashlib
import io
import posixpath
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimdvc.errors import (
    AimdvcError,
    ConfigSyntaxError,
    CorruptBlob,
    InvalidName,
    InvalidSelector,
    ProtocolError,
    UnsafePath,
    UnsafeUrl,
)
from aimdvc.model.attributes import DEFAULT_ATTRIBUTES, Attributes, with_tracked, with_untracked
from aimdvc.model.frames import MAGIC, end_frame, frame_header, read_frames, scan_frames
from aimdvc.model.gitconfig import parse
from aimdvc.model.lock import dump_lock, parse_lock
from aimdvc.model.metadata import dump_metadata, parse_metadata
from aimdvc.model.oid import Oid
from aimdvc.model.paths import check_entry_path
from aimdvc.model.pointer import encode_pointer, find_pointer, parse_pointer
from aimdvc.model.selector import parse_revision, parse_selector, split_url_selector
from aimdvc.model.settings import parse_settings
from aimdvc.remote.urls import artifact_url, check_url, folder_path, is_path, origin_of, shown
from aimdvc.store.ignore import Ignore
from tests.fuzz.hostile_bytes import made_of, nearly

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 12345\n"
IN_POINTERS = (b"oid sha256:", b"size ", b"version ", b"\n", b"\r\n", b"0", b"-1", b"A", b"\xef\xbb\xbf", b" ")


@given(raw=nearly(POINTER, IN_POINTERS) | made_of(IN_POINTERS))
def test_bytes_are_a_pointer_or_are_not(raw: bytes) -> None:
    found = find_pointer(raw)
    if found is None:
        with pytest.raises(AimdvcError):
            parse_pointer(raw)
        return
    assert encode_pointer(found) == raw
    assert len(found.oid) == 64 and found.size > 0


LOCK = b'[artifact "a"]\n\tcommit = ' + b"1" * 40 + b'\n\tpath = data\n\n[artifact "b"]\n\tcommit = ' + b"2" * 40
LOCK += b"\n\tsource = origin/x/b\n\tpath = other\n"
IN_CONFIGS: tuple[bytes, ...] = (
    b"[",
    b"]",
    b'"',
    b"\\",
    b"\n",
    b"\t",
    b" = ",
    b"#",
    b";",
    b'[artifact "',
    b"\tpath = ",
    b"..",
    b"/",
    b".",
)
IN_CONFIGS += (
    b"commit",
    b"1" * 40,
    b"[include]\n",
    b"path = /etc/passwd\n",
    b"<<<<<<<",
    b"\\\n",
    b"\r",
    b"\0",
    b".git",
)


@given(raw=nearly(LOCK, IN_CONFIGS) | made_of(IN_CONFIGS))
def test_any_lock_is_read_or_refused(raw: bytes) -> None:
    try:
        pins = parse_lock(raw)
    except AimdvcError as error:
        assert error.exit_code in (2, 4)
        return
    written = dump_lock(pins)
    assert parse_lock(written) == pins
    assert dump_lock(parse_lock(written)) == written


CONFIG = b'[core]\n\tlink = copy ; why\n[remote "origin"]\n\turl = "https://h/a b"\n# end\n'


@given(raw=nearly(CONFIG, IN_CONFIGS) | made_of(IN_CONFIGS), value=st.text(max_size=20))
def test_any_config_is_read_and_kept_or_refused(raw: bytes, value: str) -> None:
    try:
        config = parse(raw, "x")
    except ConfigSyntaxError as error:
        assert error.exit_code == 2
        return
    assert parse(config.dump(), "x").dump() == config.dump()
    try:
        parse_settings(config)
    except AimdvcError as error:
        assert error.exit_code == 2
    if any((ord(char) < 32 and char not in "\n\t") or 0xD800 <= ord(char) < 0xE000 for char in value):
        return
    before = [line for line in config.dump().split(b"\n") if b"link" not in line.lower()]
    config.set("core", None, "link", value)
    assert config.get("core", None, "link") == value
    again = parse(config.dump(), "x")
    assert again.get("core", None, "link") == value
    assert set(before) - {b""} <= set(config.dump().split(b"\n")) or b"[core]" not in raw


@given(text=st.text("a@:~^/.v1-\\ \n\0é", max_size=20) | st.text(max_size=12))
def test_any_selector_is_read_or_refused(text: str) -> None:
    try:
        found = parse_selector(text)
    except (InvalidSelector, InvalidName):
        return
    again = (
        (found.name or "") + (f"@{found.revision}" if found.revision else "") + (f":{found.path}" if found.path else "")
    )
    if again:
        assert parse_selector(again) == found
    if found.path is not None:
        assert found.path == posixpath.normpath(found.path)
    if found.revision is not None:
        assert len(parse_revision(found.revision).steps) <= 100_000 * len(text)


@given(text=st.text("htps:/@.[]%0ad?#\\u1e-_ \n", max_size=30) | st.text(max_size=20))
def test_any_url_is_safe_or_refused(text: str) -> None:
    assert shown(text).isprintable()
    try:
        check_url(text)
    except UnsafeUrl as error:
        assert error.exit_code == 4
        return
    if is_path(text):
        return
    parts = urlsplit(text)
    assert parts.scheme in ("http", "https", "file")
    assert "@" not in parts.netloc and parts.password is None
    artifact_url(text, "name")
    if parts.scheme == "file":
        assert folder_path(text) is not None
    else:
        assert origin_of(text).startswith(parts.scheme)


@given(text=st.text(max_size=30))
def test_any_url_with_a_revision_is_split_or_refused(text: str) -> None:
    try:
        url, revision = split_url_selector(text)
    except InvalidSelector:
        return
    assert text == (url if revision is None else f"{url}@{revision}")


IN_PATHS = st.text(".gitamdvc~1/\\: \u200c\0ABé", max_size=24) | st.text(max_size=20)


@given(path=IN_PATHS)
def test_a_path_that_is_taken_leads_nowhere_else(path: str) -> None:
    try:
        check_entry_path(path)
    except UnsafePath:
        return
    assert posixpath.normpath(path) == path and not path.startswith(("/", "../"))
    for component in path.split("/"):
        assert component and component.lower().rstrip(". ") not in (".git", ".aimdvc", ".aimd")
        assert component not in (".", "..")


PATTERNS: tuple[bytes, ...] = (
    b"*",
    b"**",
    b"/",
    b"?",
    b"[",
    b"]",
    b"[!a-",
    b"[[:alpha:]]",
    b"\\",
    b"!",
    b"#",
    b" ",
    b"\t",
    b"a",
    b"\n",
    b"\r",
)
PATTERNS += (b"a*" * 40, b"**/" * 20, b"\xff", b"[z-a]", b"[]", b"[\\", b"{a,b}")
PATHS = st.text("ab/.*[]\\é", min_size=1, max_size=30).map(lambda text: text.strip("/") or "a")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=made_of(PATTERNS, 30), path=PATHS, is_directory=st.booleans())
def test_any_ignore_file_is_read_or_refused_within_a_second(
    tmp_path: Path, raw: bytes, path: str, is_directory: bool
) -> None:
    (tmp_path / ".aimdvcignore").write_bytes(raw)
    start_s = time.process_time()
    rules = Ignore(tmp_path)
    try:
        rules.enter("")
        assert rules.matches(path, is_directory) in (True, False)
        assert rules.matches("a" * 100 + "/" + "a" * 100, is_directory) in (True, False)
    except UnsafePath as error:
        assert "line" in error.message
    assert time.process_time() - start_s < 1


SETTINGS = (
    *PATTERNS,
    b" filter=lfs\n",
    b" -filter\n",
    b" !filter\n",
    b'"',
    b"[attr]m filter=lfs\n",
    b" m\n",
    b" binary\n",
)


@given(raw=made_of(SETTINGS, 30) | nearly(DEFAULT_ATTRIBUTES, SETTINGS), path=PATHS, pattern=st.text(max_size=12))
def test_any_attributes_decide_about_any_path_within_a_second(raw: bytes, path: str, pattern: str) -> None:
    start_s = time.process_time()
    try:
        rules = Attributes.parse({"": raw, "a": raw})
        assert rules.is_lfs(path) in (True, False)
        assert rules.is_lfs("a/" + "a" * 200) in (True, False)
    except UnsafePath as error:
        assert "line" in error.message
    assert time.process_time() - start_s < 1
    if any(char in pattern for char in "\n\0") or not pattern or any(0xD800 <= ord(char) < 0xE000 for char in pattern):
        return
    for with_rule in (with_tracked, with_untracked):
        once = with_rule(raw, pattern)
        assert with_rule(once, pattern) == once


CONTENT = b"some content"
FRAMES = MAGIC + frame_header(Oid(hashlib.sha256(CONTENT).hexdigest()), len(CONTENT)) + CONTENT + end_frame(1)
IN_FRAMES = (MAGIC, bytes(32), bytes(8), b"\xff" * 8, end_frame(0), end_frame(2**63), FRAMES, CONTENT)


@given(raw=nearly(FRAMES, IN_FRAMES) | made_of(IN_FRAMES))
def test_any_aimd_pack_is_read_or_refused(raw: bytes) -> None:
    try:
        for frame, content in read_frames(io.BytesIO(raw).read, 1 << 20, "x"):
            assert hashlib.sha256(content).hexdigest() == frame.oid and len(content) == frame.size
    except (ProtocolError, CorruptBlob):
        pass
    source = io.BytesIO(raw)

    def skip(size: int) -> None:
        source.seek(min(size, len(raw)), io.SEEK_CUR)

    with suppress(ProtocolError):
        assert all(frame.size >= 0 for frame in scan_frames(source.read, skip, "x"))


METADATA = dump_metadata(parse_metadata(b'{"labels": ["a"], "later": {"deep": [1, null]}, "metadata": {"k": 1.5}}'))


@given(raw=nearly(METADATA, (b"[", b"{", b'"', b"1e999", b"NaN", b"\\ud800", b"null", b"[" * 2000, b"-", b"9" * 5000)))
def test_any_metadata_is_read_or_refused(raw: bytes) -> None:
    try:
        found = parse_metadata(raw)
    except AimdvcError as error:
        assert error.exit_code == 3
        return
    written = dump_metadata(found)
    assert dump_metadata(parse_metadata(written)) == written
