"""Many refs in one file: stock Git reads the same, no reader misses one, and no kill loses or brings back any."""

import shutil
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimdvc.fs.disk import Disk
from aimdvc.git.history import History
from aimdvc.git.refnames import is_safe_ref, telling
from aimdvc.model.commits import CommitDraft, RefUpdate, Signature
from aimdvc.model.oid import GitId
from tests.crash.scenarios import Fault, Killed
from tests.shell import git

WHO = Signature("A", "a@example.org", 0, 0)
MAIN, ALIAS = "refs/heads/main", "refs/aliases/production"
COUNT = 300


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Two commits that nothing names yet."""
    return History.create(tmp_path / "r.git", Disk())


def two(history: History) -> tuple[GitId, GitId]:
    with history.writer() as writer:
        tree = writer.tree(None, {})
        one = writer.commit(CommitDraft(tree, (), WHO, WHO, "one"))
        return one, writer.commit(CommitDraft(tree, (one,), WHO, WHO, "two"))


def tags(one: GitId, count: int = COUNT) -> list[RefUpdate]:
    return [RefUpdate(f"refs/tags/v{number}", None, one) for number in range(1, count + 1)]


def seen_by_git(history: History) -> dict[str, str]:
    lines = git(history.path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def loose(history: History) -> list[str]:
    return sorted(str(path.relative_to(history.path)) for path in (history.path / "refs").rglob("*") if path.is_file())


def test_many_new_refs_are_one_file_and_few_are_files(history: History) -> None:
    one, _ = two(history)
    history.move_refs([*tags(one), RefUpdate(MAIN, None, one)], "m", WHO)
    assert loose(history) == []
    assert len(history.refs()) == COUNT + 1
    assert seen_by_git(history) == history.refs()
    history.move_refs([RefUpdate(ALIAS, None, one)], "m", WHO)
    assert loose(history) == [ALIAS]
    assert [len(history.reflog(name)) for name in (MAIN, ALIAS, "refs/tags/v1")] == [1, 1, 0]


def test_a_packed_ref_moves_and_goes_and_its_log_tells(history: History) -> None:
    one, other = two(history)
    history.move_refs([*tags(one), RefUpdate(MAIN, None, one)], "m", WHO)
    history.move_refs([RefUpdate(MAIN, one, other), RefUpdate("refs/tags/v7", one, None)], "m", WHO)
    assert history.ref(MAIN) == other
    assert history.ref("refs/tags/v7") is None
    assert seen_by_git(history) == history.refs()
    assert [line.old for line in history.reflog("refs/tags/v7")] == [one]
    assert len(history.refs()) == COUNT


def test_packing_changes_nothing_that_a_reader_sees(history: History) -> None:
    one, other = two(history)
    history.move_refs([RefUpdate(MAIN, None, one), RefUpdate(ALIAS, None, other), *tags(one, 5)], "m", WHO)
    (history.path / "refs/heads/link").write_text(f"ref: {MAIN}\n")
    before = history.refs()
    assert history.pack_refs() == 7
    assert loose(history) == ["refs/heads/link"]
    assert history.refs() == before == seen_by_git(history)
    assert history.pack_refs() == 0
    history.move_refs([RefUpdate(MAIN, one, other)], "m", WHO)
    git(history.path, "pack-refs", "--all")
    assert History(history.path, Disk()).ref(MAIN) == other
    history.move_refs([RefUpdate(MAIN, other, one)], "m", WHO)
    assert history.pack_refs() == 1
    assert seen_by_git(history)[MAIN] == one


@pytest.mark.parametrize("act", ["pack", "make", "delete"])
def test_a_kill_at_any_step_leaves_every_ref_old_or_new(tmp_path: Path, act: str) -> None:
    made = History.create(tmp_path / "made.git", Disk())
    one, _ = two(made)
    made.move_refs([RefUpdate(MAIN, None, one), *tags(one, 4)], "m", WHO)
    if act == "delete":
        made.pack_refs()
    updates = {
        "make": [RefUpdate(f"refs/remotes/origin/tags/v{number}", None, one) for number in range(COUNT)],
        "delete": [RefUpdate("refs/tags/v2", one, None), RefUpdate("refs/tags/v3", one, None)],
    }
    for stop_at in range(1, 10_000):
        shutil.rmtree(tmp_path / "r.git", ignore_errors=True)
        shutil.copytree(made.path, tmp_path / "r.git")
        fault = Fault(stop_at)
        history = History(tmp_path / "r.git", Disk(fault))
        with suppress(Killed):
            history.pack_refs() if act == "pack" else history.move_refs(updates[act], "m", WHO)
        if len(fault.steps) < stop_at:
            assert stop_at > 3
            return
        after = History(tmp_path / "r.git", Disk())
        found = after.refs()
        assert found == seen_by_git(after)
        assert MAIN in found
        if act == "make":
            assert len(found) in (5, 5 + COUNT)
        after.pack_refs() if act == "pack" else after.move_refs(updates[act], "m", WHO)
        assert after.refs() == seen_by_git(after)
        assert len(after.refs()) == {"pack": 5, "make": 5 + COUNT, "delete": 3}[act]


def test_a_reader_misses_no_ref_while_they_are_packed(history: History) -> None:
    one, other = two(history)
    history.move_refs([RefUpdate(MAIN, None, one), *tags(one, 20)], "m", WHO)
    stop = threading.Event()

    def pack() -> None:
        writer = History(history.path, Disk())
        now, then = one, other
        while not stop.is_set():
            writer.pack_refs()
            writer.move_refs([RefUpdate(MAIN, now, then)], "m", WHO)
            now, then = then, now

    worker = threading.Thread(target=pack)
    worker.start()
    try:
        for _ in range(300):
            reader = History(history.path, Disk())
            assert len(reader.refs()) == 21
            assert reader.ref(MAIN) in (one, other)
    finally:
        stop.set()
        worker.join()


def test_what_tells_what_a_side_has_leaves_version_tags_out() -> None:
    one, two, three, four = (GitId(digit * 40) for digit in "1234")
    refs = {MAIN: one, "refs/tags/v3": two, "refs/remotes/origin/tags/v4": two, "refs/tags/release": three, ALIAS: four}
    assert telling(refs) == [one, three, four]
    assert telling({"refs/tags/v3": two}) == [two]


PARTS = ["a", "/", ".", "..", ".lock", "@", "{", "@{", " ", "~", "^", ":", "?", "*", "[", "\\", "\x7f", "\t", "é"]


@settings(max_examples=150)
@given(parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=6))
def test_a_name_is_safe_where_git_takes_it(parts: list[str]) -> None:
    name = "refs/heads/" + "".join(parts)
    taken = subprocess.run(["git", "check-ref-format", name]).returncode == 0
    assert is_safe_ref(name) == taken
