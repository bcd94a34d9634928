"""Pieces of what is sent get smaller the more is sent at once, and large again when it is done."""

from contextlib import ExitStack

import pytest

from aimdvc.server.limits import CHUNK_BYTES, Limits
from aimdvc.server.pieces import LARGEST_BYTES, Pieces


def test_all_that_is_sent_at_once_holds_a_bounded_amount() -> None:
    pieces = Pieces()
    with ExitStack() as stack:
        sizes = [stack.enter_context(pieces.sized()) for _ in range(Limits().costly)]
    assert sizes[:4] == [1 << 20, 512 << 10, 256 << 10, 128 << 10]
    assert set(sizes[4:]) == {CHUNK_BYTES}
    assert sum(sizes) < Limits().costly * CHUNK_BYTES + 2 * LARGEST_BYTES


def test_what_broke_off_counts_no_more() -> None:
    pieces = Pieces()
    with pytest.raises(KeyError), pieces.sized():
        raise KeyError
    with pieces.sized() as size:
        assert size == LARGEST_BYTES
