"""Differences of texts, also of those that are too large for a careful comparison."""

import time

from aimdvc.ops.diff import unified


def test_small_texts_have_hunks_with_context() -> None:
    assert unified("a\nb\nc\n", "a\nB\nc\n") == ["@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]
    assert unified("", "") == []
    assert unified("a\n", "") == ["@@ -1 +0,0 @@", "-a"]
    assert unified("a", "a\n") == ["@@ -1 +1 @@", "-a\n\\ No newline at end of file", "+a"]


def test_large_texts_that_differ_in_one_place_show_that_place() -> None:
    old = "".join(f"{number}\n" for number in range(50_000))
    new = old.replace("25000\n", "changed\n")
    start_s = time.monotonic()
    assert unified(old, new) == ["@@ after line 25000 @@", "-25000", "+changed"]
    assert time.monotonic() - start_s < 5


def test_large_texts_that_differ_everywhere_show_all_of_both() -> None:
    old = "".join(f"old {number}\n" for number in range(9_000))
    new = "".join(f"new {number}\n" for number in range(8_000))
    shown = unified(old, new)
    assert shown[:2] == ["@@ -1,9000 +1,8000 @@", "-old 0"]
    assert len(shown) == 17_001
