"""References: what is written is read again, what isn't ours is refused by name, and both sides of a merge count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimdvc.errors import AimdvcError, CorruptRepository, UnsafePath, UnsafeUrl
from aimdvc.model.references import (
    Reference,
    References,
    check_reference,
    dump_references,
    merge_references,
    parse_references,
    require_free,
)

KEYS = st.lists(st.sampled_from(["a", "b c", "é", "%41", "\udcff", "x.csv", "\n"]), min_size=1, max_size=3).map(
    "/".join
)
URIS = st.sampled_from(
    ["s3://bucket/key", "https://example.org/a%20b?x=1#y", "hdfs://n:8020/p", "file:///a", "odd+x:y"]
)
REFERENCE = st.builds(
    Reference,
    KEYS,
    URIS,
    st.none() | st.integers(0, (1 << 63) - 1),
    st.none() | st.text(max_size=8),
    st.none() | st.just("ab" * 32),
    st.just(()) | st.just(("later=1", "x=")),
)
MANY = st.lists(REFERENCE, max_size=5).map(lambda found: {one.key: one for one in found})


@given(MANY)
def test_what_is_written_is_read_again(references: References) -> None:
    raw = dump_references(references)
    assert raw.isascii() and raw.count(b"\n") == len(references)
    assert parse_references(raw) == references
    assert dump_references(parse_references(raw)) == raw


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_by_name(raw: bytes) -> None:
    try:
        found = parse_references(raw)
    except AimdvcError:
        return
    assert dump_references(found) == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"a s3://b/c",
        b"b s3://x/y\na s3://x/y\n",
        b"a s3://x/y\na s3://x/y\n",
        b"a  s3://x/y\n",
        b"a\n",
        b"a s3://x/y size=01\n",
        b"a s3://x/y size=1 size=1\n",
        b"a s3://x/y etag=1 size=2\n",
        b"%61 s3://x/y\n",
        b"a s3://x/y size\n",
        b"\xff s3://x/y\n",
    ],
)
def test_a_file_that_aimdvc_would_not_write_is_refused(raw: bytes) -> None:
    with pytest.raises(CorruptRepository):
        parse_references(raw)


@pytest.mark.parametrize(
    "uri",
    [
        "no-scheme",
        "s3://a b",
        "https://u:secret@host/x",
        "https://secret@host/x",
        "ftp://u:secret@h/x",
        "x:",
        "http://[",
        "é://x",
        "",
    ],
)
def test_uris_that_are_none_or_carry_a_password_are_refused(uri: str) -> None:
    with pytest.raises(UnsafeUrl) as caught:
        check_reference(Reference("key", uri))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["../x", "/x", ".git/x", ".aimd/x", "a/../b", ""])
def test_keys_are_safe_paths(key: str) -> None:
    with pytest.raises(UnsafePath):
        check_reference(Reference(key, "s3://b/c"))


@pytest.mark.parametrize("path", ["a/b", "a/b/c", "a"])
def test_a_key_is_a_file_or_a_reference(path: str) -> None:
    with pytest.raises(UnsafePath):
        require_free("a/b", [path])
    require_free("a/b", ["a/bc", "a/c", "ab"])


@given(MANY, MANY)
def test_a_merge_with_what_did_not_change_is_the_other_side(base: References, other: References) -> None:
    assert (
        merge_references(base, other, base) == (dict(sorted(other.items())), [])
        or merge_references(base, other, base)[0] == other
    )
    assert merge_references(base, base, other)[0] == other
    assert merge_references(base, other, other) == merge_references(other, other, other)


def test_a_key_that_both_changed_otherwise_is_a_conflict_and_stays_ours() -> None:
    def one(uri: str) -> References:
        return {"k": Reference("k", uri)}

    assert merge_references(one("s3://a/1"), one("s3://a/2"), one("s3://a/3")) == (one("s3://a/2"), ["k"])
    assert merge_references({}, one("s3://a/2"), {"j": Reference("j", "s3://j/j")})[1] == []
