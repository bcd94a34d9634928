"""How counts of changed files are said."""

import pytest

from aimdvc.model.counts import Counts


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (Counts(0, 0, 0), "no file changed"),
        (Counts(1, 0, 0), "+1 file"),
        (Counts(120, 3, 17), "+120 −3 ~17 files"),
        (Counts(0, 12_000, 0), "−12,000 files"),
        (Counts(1, 0, 1), "+1 ~1 files"),
    ],
)
def test_counts_are_said_in_one_line(counts: Counts, text: str) -> None:
    assert counts.text == text
