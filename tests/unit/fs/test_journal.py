"""The journal: lines that are whole or not there, one writer at a time."""

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.errors import Busy, StorageError
from aimdvc.fs import journal, system
from aimdvc.fs.disk import Disk
from aimdvc.fs.journal import Journal, is_held, iter_lines
from aimdvc.fs.processes import is_gone, this_process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a.jsonl"
    made.write_bytes(b"first\n")
    return made


def lines(path: Path) -> list[bytes]:
    return [line for _, line in iter_lines(path)]


@pytest.mark.parametrize("piece", [b"half", b"x" * 10_000, b"\0" * 5000])
def test_a_torn_line_is_read_as_nothing_and_cut_off_at_the_next_append(path: Path, piece: bytes) -> None:
    path.write_bytes(b"first\nsecond\n" + piece)
    assert lines(path) == [b"first", b"second"]
    opened = Journal.open(path, Disk())
    opened.append(b"third\n")
    opened.close()
    assert path.read_bytes() == b"first\nsecond\nthird\n"


def test_a_file_without_one_whole_line_is_cut_to_nothing(path: Path) -> None:
    path.write_bytes(b"half a line")
    assert lines(path) == []
    Journal.open(path, Disk()).close()
    assert path.read_bytes() == b""


def test_lines_are_read_on_from_where_reading_stopped(path: Path) -> None:
    opened = Journal.open(path, Disk())
    ends = [end for end, _ in iter_lines(path)]
    opened.append(b"x" * 3_000_000 + b"\n")
    opened.append(b"last\n")
    assert [(end, len(line)) for end, line in iter_lines(path, ends[-1])] == [(3_000_007, 3_000_000), (3_000_012, 4)]


def test_another_writer_is_kept_away_until_the_first_one_closes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_WAIT_S", 0.05)
    opened = Journal.open(path, Disk())
    assert is_held(path)
    with pytest.raises(Busy):
        Journal.open(path, Disk())
    opened.close()
    opened.close()
    assert not is_held(path)
    with pytest.raises(StorageError, match="is closed"):
        opened.append(b"late\n")


def test_a_journal_that_nobody_holds_any_more_is_closed(path: Path) -> None:
    opened = Journal.open(path, Disk())
    del opened
    assert not is_held(path)


def test_a_line_that_the_disk_has_no_room_for_is_taken_back_whole(path: Path) -> None:
    opened = Journal.open(path, Disk())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(StorageError):
            opened.append(b"too long for what is left\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_bytes() == b"first\n"
    opened.append(b"next\n")
    assert lines(path) == [b"first", b"next"]


def test_a_failed_sync_makes_the_journal_dead(path: Path) -> None:
    def fail(operation: str, place: Path | str) -> None:
        if operation == "fsync":
            raise StorageError(str(place), "i/o error")

    opened = Journal.open(path, Disk(fail))
    with pytest.raises(StorageError, match="i/o error"):
        opened.append(b"second\n")
    with pytest.raises(StorageError, match="i/o error"):
        opened.append(b"third\n")
    assert lines(path) == [b"first", b"second"]


def test_it_is_synced_at_once_when_the_last_time_is_long_ago_and_then_once_a_second(path: Path) -> None:
    seen: list[str] = []
    opened = Journal.open(path, Disk(lambda operation, place: seen.append(operation)))
    for _ in range(100):
        opened.append(b"x\n")
    assert seen.count("append") == 100
    assert 1 <= seen.count("fsync") <= 3


def test_threads_append_whole_lines(path: Path) -> None:
    opened = Journal.open(path, Disk())

    def work(mark: bytes) -> None:
        for _ in range(200):
            opened.append(mark * 1000 + b"\n")

    threads = [threading.Thread(target=work, args=(mark,)) for mark in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lines(path)[1:]
    assert len(found) == 600
    assert all(line == line[:1] * 1000 for line in found)


def test_replacing_keeps_the_lock_and_goes_on_in_the_new_file(path: Path) -> None:
    opened = Journal.open(path, Disk())
    opened.replace([b"one\n", b"two\n"])
    assert is_held(path)
    opened.append(b"three\n")
    assert lines(path) == [b"one", b"two", b"three"]


def test_a_process_is_told_from_one_that_got_its_id_later() -> None:
    code = "from aimdvc.fs.processes import this_process; print(this_process())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert is_gone(done.stdout.strip())
    mine = this_process()
    assert not is_gone(mine)
    assert is_gone(f"{mine.rpartition('.')[0]}.1")
    assert not is_gone(f"0000.{os.getpid()}.1")
    assert not is_gone("")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_written_to_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(descriptor: int, is_waiting: bool = False, is_shared: bool = False) -> bool:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(system, "lock", refuse)
    opened = Journal.open(path, Disk())
    opened.append(b"second\n")
    opened.close()
    assert (lines(path), is_held(path)) == ([b"first", b"second"], None)


def test_closing_lets_go_of_the_lock_also_where_a_child_has_the_file(path: Path) -> None:
    opened = Journal.open(path, Disk())
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=opened._descriptors):
        assert is_held(path)
        opened.close()
        assert not is_held(path)


def test_replacing_that_is_cut_at_any_step_leaves_the_old_lines_or_the_new_ones(path: Path) -> None:
    old, new = [b"first"], [b"one", b"two"]
    found = []
    for cut in range(20):
        path.write_bytes(b"first\n")
        steps = iter(range(20))

        def fail(operation: str, place: Path | str, at: int = cut, steps: Iterator[int] = steps) -> None:
            if next(steps) == at:
                raise StorageError(str(place), "cut")

        opened = Journal.open(path, Disk(fail))
        try:
            opened.replace(line + b"\n" for line in new)
        except StorageError:
            found.append(lines(path))
        else:
            break
        finally:
            opened.close()
    assert len(found) > 4
    assert all(one in (old, new) for one in found)
    assert lines(path) == new
    assert not [name for name in os.listdir(path.parent) if "tmp-" in name]
