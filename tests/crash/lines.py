"""Branches, merges and runs for the cut-point tests: two lines of versions, what joins them, what a command makes."""

from collections.abc import Callable
from pathlib import Path

from aimdvc.errors import MergeConflict
from aimdvc.model.progress import Silent
from aimdvc.ops.branch import rename_branch
from aimdvc.ops.commit import CommitOptions, commit
from aimdvc.ops.making import prepare, record
from aimdvc.ops.merge import MergeOptions, merge
from aimdvc.ops.pull import PullOptions, pull
from aimdvc.ops.resolve import abort, settle_conflicts
from aimdvc.ops.revert import revert
from aimdvc.ops.settle import settle
from aimdvc.ops.switching import Goal, switch_to
from aimdvc.ops.workspace import Workspace
from tests.crash.ground import connector, empty, finish, first_version, means
from tests.shell import Shell


def _is_merging(workspace: Workspace) -> bool:
    # A commit that was cut after its ref moved has ended the merge, and is adopted by the next verb.
    return workspace.state.merges.get(settle(workspace, "data").id) is not None


def _merge(workspace: Workspace, here: Path) -> None:
    merge(workspace, "data", "topic", MergeOptions(), means())


def _stop(workspace: Workspace, here: Path) -> None:
    if _is_merging(workspace):
        return  # it had come to its end before it was cut
    try:
        _merge(workspace, here)
    except MergeConflict:
        assert _is_merging(workspace)


def _settle(workspace: Workspace, here: Path) -> None:
    if _is_merging(workspace):
        settle_conflicts(workspace, "data", "theirs", [], means())
    commit(workspace, ["data"], CommitOptions(None, workspace.author()), Silent())


def _abort(workspace: Workspace, here: Path) -> None:
    if _is_merging(workspace):
        abort(workspace, "data", means())


def _switch(workspace: Workspace, here: Path) -> None:
    switch_to(workspace, "data", Goal("topic"), means())


def _switch_new(workspace: Workspace, here: Path) -> None:
    switch_to(workspace, "data", Goal("new", start="topic", is_new=True), means())


def _rename(workspace: Workspace, here: Path) -> None:
    if workspace.head("data").branch != "refs/heads/sub/renamed":
        rename_branch(workspace, "data", "topic", "sub/renamed")


def _revert(workspace: Workspace, here: Path) -> None:
    revert(workspace, "data", "topic", None, means())


def _rebase(workspace: Workspace, here: Path) -> None:
    finish(pull(workspace, connector(), [], PullOptions(rebase=True), means()))


def two_lines(root: Path) -> Shell:
    """Two branches with a change of every kind between them, and one file that both change the same way."""
    shell = empty(root)
    for path in ("text", "same", "gone", "both", "notes.md"):
        shell.write(f"data/{path}", f"{path}\n")
    shell.write("data/large.bin", b"old" * 40_000)
    shell.commit("data", "first")
    shell("switch", "-c", "topic")
    shell.write("data/text", "theirs\n")
    shell.write("data/notes.md", "theirs\n")
    shell.write("data/large.bin", b"new" * 50_000)
    shell.write("data/sub/added", "added\n")
    (shell.here / "data/gone").unlink()
    shell.commit("data", "theirs")
    shell("switch", "main")
    shell.write("data/mine", "mine\n")
    shell.commit("data", "ours")
    return shell


def _conflicting(root: Path) -> Shell:
    shell = two_lines(root)
    shell.write("data/text", "ours\n")
    (shell.here / "data/large.bin").unlink()
    shell.commit("data", "ours, too")
    return shell


def _stopped(root: Path) -> Shell:
    shell = _conflicting(root)
    shell("merge", "topic", code=1)
    return shell


def _half_settled(root: Path) -> None:
    _stopped(root)("merge", "--theirs", "--", "data/text")


def _on_topic(root: Path) -> None:
    two_lines(root)("switch", "topic")


def _merged(root: Path) -> None:
    two_lines(root)("merge", "topic")


def _diverged(root: Path) -> None:
    shell = two_lines(root)
    shell("push")
    Shell(root)("clone", str(root / "remote" / "data"), "other")
    other = Shell(root / "other")
    other.write("text", "elsewhere\n")
    other.commit(".", "elsewhere")
    other("push")
    shell.write("data/more", "more\n")
    shell.commit("data", "local")
    shell.write("data/mine", "again\n")
    shell.commit("data", "local, too")


def _before_a_run(root: Path) -> None:
    shell = first_version(root)
    shell("branch", "start")
    shell.write("data/text.txt", "made\n")
    shell.write("data/large.bin", b"made" * 40_000)
    shell.write("out", "made\n")


def _run(workspace: Workspace, here: Path) -> None:
    prepared = prepare(workspace, here, [("data", "start")], ["data=data", "out=out"])
    record(workspace, prepared, ["make"], None, Silent())
    assert not record(workspace, prepared, ["make"], None, Silent()).committed


PREPARE: dict[str, Callable[[Path], object]] = {
    "run": _before_a_run,
    "merge": two_lines,
    "conflict": _conflicting,
    "settle": _stopped,
    "abort": _half_settled,
    "switch": two_lines,
    "switch-c": two_lines,
    "rename": _on_topic,
    "revert": _merged,
    "rebase": _diverged,
}
ACT: dict[str, Callable[[Workspace, Path], None]] = {
    "run": _run,
    "merge": _merge,
    "conflict": _stop,
    "settle": _settle,
    "abort": _abort,
    "switch": _switch,
    "switch-c": _switch_new,
    "rename": _rename,
    "revert": _revert,
    "rebase": _rebase,
}
