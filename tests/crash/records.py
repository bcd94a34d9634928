"""Rules, metadata, references, refs and resets for the cut-point tests: what changes no content that is stored."""

from collections.abc import Callable
from pathlib import Path

from aimdvc.model.progress import Silent
from aimdvc.model.references import Reference
from aimdvc.ops.alias import delete_alias, set_alias
from aimdvc.ops.branch import create_branch, delete_branch
from aimdvc.ops.config import set_config
from aimdvc.ops.fetch import FetchOptions, fetch
from aimdvc.ops.following import checkout_lock
from aimdvc.ops.maintain import maintain
from aimdvc.ops.meta import set_metadata
from aimdvc.ops.references import add_reference, list_references, remove_reference
from aimdvc.ops.reffetch import Wanted, fetch_references
from aimdvc.ops.remotes import add_remote, list_remotes, remove_remote
from aimdvc.ops.restore import reset, restore
from aimdvc.ops.sources import Sources
from aimdvc.ops.targets import targets_of
from aimdvc.ops.track import track
from aimdvc.ops.workspace import Workspace
from tests.crash.ground import changed, connector, finish, first_version, means, no_session, two_versions
from tests.shell import Shell, git

_ELSEWHERE = b"elsewhere" * 30_000


def _started(root: Path) -> Shell:
    """Two versions; the branch `start` is at the first."""
    shell = changed(root)
    shell("branch", "start")
    shell.commit("data", "second")
    return shell


def _edited(root: Path) -> Shell:
    shell = _started(root)
    shell.write("data/text.txt", "staged\n")
    shell.write("data/new", "staged, too\n")
    shell("add", "data")
    shell.write("data/large.bin", b"lost" * 50_000)
    (shell.here / "data/same").unlink()
    return shell


def _restore(workspace: Workspace, here: Path) -> None:
    restore(workspace, targets_of(workspace, here, ("data",)), None, means())


def _restore_source(workspace: Workspace, here: Path) -> None:
    restore(workspace, targets_of(workspace, here, ("data",)), "start", means())


def _reset(workspace: Workspace, here: Path) -> None:
    reset(workspace, "data", "start", False, means())


def _reset_hard(workspace: Workspace, here: Path) -> None:
    reset(workspace, "data", "start", True, means())


def _checked_out_by_git(root: Path) -> None:
    """The code repository went back to its first commit, and with it the lock."""
    shell = changed(root)
    lock = shell.here / "aimdvc.lock"
    first = lock.read_bytes()
    shell.commit("data", "second")
    lock.write_bytes(first)


def _follow(workspace: Workspace, here: Path) -> None:
    checkout_lock(workspace, False, means())


def _with_rules(root: Path) -> None:
    shell = first_version(root)
    shell.write("data/notes.md", "notes\n")
    shell.write("data/table.csv", "1,2\n")
    shell.commit("data", "second")


def _with_own_rules(root: Path) -> None:
    shell = first_version(root)
    shell.write("data/.gitattributes", "*.csv filter=lfs diff=lfs merge=lfs -text\n")
    shell.write("data/table.csv", "1,2\n")
    shell.commit("data", "second")


def _track(workspace: Workspace, here: Path) -> None:
    track(workspace, "data", "*.md", True)


def _untrack(workspace: Workspace, here: Path) -> None:
    track(workspace, "data", "*.csv", False)


def _meta(workspace: Workspace, here: Path) -> None:
    set_metadata(workspace, "data", "labels", "raw, checked")


def _with_references(root: Path) -> None:
    shell = first_version(root)
    (root / "elsewhere.bin").write_bytes(_ELSEWHERE)
    shell("ref", "add", "s3://bucket/raw.csv", "data:raw/one.csv", "--size", "7")
    shell("commit", "-m", "with a reference")
    shell("ref", "add", (root / "elsewhere.bin").as_uri(), "data:raw/two.bin", "--size", str(len(_ELSEWHERE)))


def _ref_add(workspace: Workspace, here: Path) -> None:
    add_reference(workspace, "data", Reference("raw/one.csv", "s3://bucket/other.csv", 8))


def _ref_rm(workspace: Workspace, here: Path) -> None:
    if "raw/one.csv" in list_references(workspace, "data", None):
        remove_reference(workspace, "data", "raw/one.csv")


def _ref_fetch(workspace: Workspace, here: Path) -> None:
    found = list_references(workspace, "data", None)["raw/two.bin"]
    target = here / "fetched/two.bin"
    sources = Sources(no_session, [here.parent])
    finish(fetch_references(workspace, [Wanted(found, target, True)], sources, Silent()))


def _alias_set(workspace: Workspace, here: Path) -> None:
    set_alias(workspace, "data", "start", "best")


def _alias_delete(workspace: Workspace, here: Path) -> None:
    if "best" in _aliases(workspace):
        delete_alias(workspace, "data", "best")


def _aliases(workspace: Workspace) -> set[str]:
    return {ref.rpartition("/")[2] for ref in workspace.history("data").refs("refs/aliases/")}


def _aliased(root: Path) -> Shell:
    """Branches and aliases, of which some are packed, some are files, and some are both with two values."""
    shell = _started(root)
    shell("alias", "set", "data@start", "best")
    shell("branch", "sub/old", "data@start")
    shell("branch", "moved", "data@start")
    shell("maintenance")
    shell("alias", "set", "data@HEAD", "best")
    shell("switch", "moved")
    shell("reset", "--hard", "data@main")
    shell("switch", "main")
    for number in range(4):
        shell("branch", f"more/{number}")
    return shell


def _branch(workspace: Workspace, here: Path) -> None:
    if "refs/heads/sub/new" not in workspace.history("data").refs():
        create_branch(workspace, "data", "sub/new", "start")


def _branch_delete(workspace: Workspace, here: Path) -> None:
    for branch in ("moved", "sub/old"):
        if f"refs/heads/{branch}" in workspace.history("data").refs():
            delete_branch(workspace, "data", branch, False)


def _pack_refs(workspace: Workspace, here: Path) -> None:
    maintain(workspace)


def _of_many_versions(root: Path) -> None:
    two_versions(root)
    shell = Shell(root / "work")
    shell("push")
    remote = root / "remote/data.git"
    tip = git(remote, "rev-parse", "main").strip()
    lines = [f"{tip} refs/tags/v{number}\n" for number in range(1000, 1250)]
    lines += git(remote, "for-each-ref", "--format=%(objectname) %(refname)").splitlines(True)
    (remote / "packed-refs").write_text("".join(lines))


def _fetch(workspace: Workspace, here: Path) -> None:
    finish(fetch(workspace, connector(), [], FetchOptions(), Silent()))


def _remote_add(workspace: Workspace, here: Path) -> None:
    if "second" not in list_remotes(workspace):
        add_remote(workspace, here, "second", "https://aimd.example.org/team")


def _remote_rm(workspace: Workspace, here: Path) -> None:
    if "origin" in list_remotes(workspace):
        remove_remote(workspace, "origin")


def _config(workspace: Workspace, here: Path) -> None:
    set_config(workspace, here, "core.link", "copy")


PREPARE: dict[str, Callable[[Path], object]] = {
    "restore": _edited,
    "restore --source": _edited,
    "reset": _edited,
    "reset --hard": _edited,
    "follow": _checked_out_by_git,
    "track": _with_rules,
    "untrack": _with_own_rules,
    "meta": two_versions,
    "ref-add": _with_references,
    "ref-rm": _with_references,
    "ref-fetch": _with_references,
    "alias": _started,
    "alias-delete": _aliased,
    "branch": _aliased,
    "branch-delete": _aliased,
    "pack-refs": _aliased,
    "fetch": _of_many_versions,
    "remote-add": two_versions,
    "remote-rm": two_versions,
    "config": two_versions,
}
ACT: dict[str, Callable[[Workspace, Path], None]] = {
    "restore": _restore,
    "restore --source": _restore_source,
    "reset": _reset,
    "reset --hard": _reset_hard,
    "follow": _follow,
    "track": _track,
    "untrack": _untrack,
    "meta": _meta,
    "ref-add": _ref_add,
    "ref-rm": _ref_rm,
    "ref-fetch": _ref_fetch,
    "alias": _alias_set,
    "alias-delete": _alias_delete,
    "branch": _branch,
    "branch-delete": _branch_delete,
    "pack-refs": _pack_refs,
    "fetch": _fetch,
    "remote-add": _remote_add,
    "remote-rm": _remote_rm,
    "config": _config,
}
"""Of these what is recorded counts, too: every ref, the references, the metadata, the rules, and the settings."""


def recorded(shell: Shell) -> list[object]:
    """Returns what a workspace says of its artifact `data` beside its files and versions."""
    with Workspace.open(shell.here) as workspace:
        refs = workspace.history("data").refs()
        tip = workspace.head("data").commit
    told = [shell(*asked).out for asked in (("ref", "list", "data"), ("meta", "get", "data"), ("track", "-n", "data"))]
    settings = [path.read_bytes() for path in sorted(shell.here.glob(".aimdvc/*config"))]
    return [refs, tip, told, settings]
