"""The hooks after a checkout, a merge or a rebase of the code: whom they may ask, and what they say.

A remote that merely came with the code is never asked: only a server that the user has a key for or names in
AIMDVC_HOST, or a folder that this store has fetched from.
"""

import importlib
from collections.abc import Sequence

from aimdvc.cli.context import Cli
from aimdvc.cli.hooked import Hooked, is_quiet
from aimdvc.cli.output import plural, shown_path
from aimdvc.errors import MissingBlob, Refused
from aimdvc.model.lock import Pin
from aimdvc.model.oid import GitId, is_git_id
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.blobs import Means
from aimdvc.ops.bulk import Failure
from aimdvc.ops.checkout import CheckedOut
from aimdvc.ops.hook_checkout import LockFollowed, follow_lock, pins_before
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

_PATIENCE_S = "20"


def follow(hooked: Hooked, before: str | None) -> int:
    """Has the artifacts of all workspaces follow their locks; `before` is the code commit that was checked out."""
    if is_quiet(hooked.variables):
        return 0
    cli = hooked.cli
    cli.environment.setdefault("AIMDVC_TIMEOUT", _PATIENCE_S)
    commit = GitId(before) if before is not None and is_git_id(before) and before.strip("0") else None
    results, lines, code = [], [], 0
    with hooked.workspaces() as workspaces:
        for workspace in workspaces:
            pins = pins_before(hooked.project, workspace, commit)
            done = follow_lock(workspace, pins, _Asking(cli).history, Means(_Asking(cli).blobs, cli.progress))
            lines += [hooked.place(workspace) + line for line in _lines(workspace, done)]
            results.append({"workspace": hooked.project.inside(workspace.root), **_plain(done)})
            code = Refused.exit_code if done.kept else code
    cli.out.result({"workspaces": results}, lines)
    return code


class _Asking:
    """Asks those remotes that may be asked."""

    def __init__(self, cli: Cli) -> None:
        self._cli = cli

    def history(self, workspace: Workspace, name: str, pin: Pin) -> None:
        """Fetches the history of an artifact of the workspace."""
        network = importlib.import_module("aimdvc.cli.network")
        if not network.is_used(self._cli, workspace, name, pin.source):
            return
        fetching = importlib.import_module("aimdvc.ops.fetch")
        with network.connector(self._cli) as connector:
            bulk = fetching.fetch(workspace, connector, [name], fetching.FetchOptions(), self._cli.progress)
        for failure in bulk.failed:
            raise failure.error

    def blobs(self, workspace: Workspace, head: Head, pointers: Sequence[Pointer], progress: Progress) -> None:
        """Fetches blobs into the store. Raises MissingBlob where the remote may not be asked."""
        network = importlib.import_module("aimdvc.cli.network")
        if not network.is_used(self._cli, workspace, head.name, head.source):
            raise MissingBlob(pointers[0].oid)
        with network.connector(self._cli) as connector:
            network.blob_fetcher(connector)(workspace, head, pointers, progress)


def _lines(workspace: Workspace, done: LockFollowed) -> list[str]:
    lines = [_moved(one) for one in done.moved]
    lines += [f"{one.artifact}: stays where it is: {_reason(one)}" for one in done.kept]
    for one in done.distant:
        lines.append(f"{one.artifact}: what the code pins isn't here: `aimdvc pull {one.artifact}` brings it")
    lines += [f"{name}: pinned by this code, not here: `aimdvc pull {name}` brings it" for name in done.missing]
    for name in done.left:
        path = shown_path(workspace.head(name).path)
        lines.append(f"{name}: not pinned by this code; its files stay at '{path}': `aimdvc checkout` deletes them")
    return lines


def _moved(done: CheckedOut) -> str:
    return f"{done.artifact} at {done.version}: {plural(done.written, 'file')} written, {done.deleted:,} deleted"


def _reason(failure: Failure) -> str:
    error = failure.error
    return error.message + (f"; {error.hint}" if error.hint else "")


def _plain(done: LockFollowed) -> dict[str, object]:
    return {
        "moved": done.moved,
        "kept": [{"artifact": one.artifact, "message": one.error.message} for one in done.kept],
        "distant": [{"artifact": one.artifact, "message": one.error.message} for one in done.distant],
        "missing": done.missing,
        "left": done.left,
    }
