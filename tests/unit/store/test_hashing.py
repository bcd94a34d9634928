"""SHA-256 of what passes: the same as hashlib's at every size and cut, and no thread is left behind."""

import hashlib
import random
import threading

import pytest

from aimdvc.store.hashing import _LARGE, _PART, Sha256


def cut(content: bytes, sizes: list[int]) -> list[bytes]:
    """Returns the content in chunks of these sizes, over and over."""
    chunks, at, number = [], 0, 0
    while at < len(content):
        size = sizes[number % len(sizes)]
        chunks.append(content[at : at + size])
        at, number = at + size, number + 1
    return chunks


@pytest.mark.parametrize("size", [0, 1, _LARGE - 1, _LARGE, _LARGE + 1, _LARGE + _PART, _LARGE + 5 * _PART + 3])
@pytest.mark.parametrize("sizes", [[128 << 10], [1 << 20], [1, 3 << 20, 70_000]], ids=["small", "large", "mixed"])
def test_the_hash_is_that_of_all_chunks_in_their_order(size: int, sizes: list[int]) -> None:
    content = random.Random(size).randbytes(size)
    with Sha256() as digest:
        for chunk in cut(content, sizes):
            digest.update(chunk)
        assert digest.hexdigest() == hashlib.sha256(content).hexdigest()
        assert digest.size_bytes == size
    assert not [thread for thread in threading.enumerate() if thread.name == "sha256"]


def test_the_thread_ends_when_the_chunks_break_off() -> None:
    with pytest.raises(KeyboardInterrupt), Sha256() as digest:
        for _ in range(20):
            digest.update(bytes(1 << 20))
        assert [thread for thread in threading.enumerate() if thread.name == "sha256"]
        raise KeyboardInterrupt
    assert not [thread for thread in threading.enumerate() if thread.name == "sha256"]


def test_without_a_thread_to_have_it_is_hashed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    content = random.Random(2).randbytes(_LARGE + 3 * _PART)
    with Sha256() as digest:
        for chunk in cut(content, [1 << 20]):
            digest.update(chunk)
        assert digest.hexdigest() == hashlib.sha256(content).hexdigest()
