"""Bytes that are nearly right: a good text whose pieces were changed, repeated, moved or left out."""

from collections.abc import Sequence

from hypothesis import strategies as st


def nearly(good: bytes, pieces: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """Returns the text, changed in up to four places by bytes at random and by the pieces of its format."""
    inserted = st.sampled_from(list(pieces)) | st.binary(max_size=6) if pieces else st.binary(max_size=6)
    edits = st.lists(st.tuples(st.integers(0, len(good)), st.integers(0, 12), inserted), max_size=4)
    return edits.map(lambda made: _edited(good, made))


def _edited(good: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    raw = good
    for at, length, put in edits:
        raw = raw[:at] + put + raw[at + length :]
    return raw


def made_of(pieces: Sequence[bytes], most: int = 12) -> st.SearchStrategy[bytes]:
    """Returns pieces of a format in any order."""
    return st.lists(st.sampled_from(list(pieces)) | st.binary(max_size=5), max_size=most).map(b"".join)
