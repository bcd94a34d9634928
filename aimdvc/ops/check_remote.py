"""Whether a remote has all of what is pinned: each commit behind one of its refs, and every blob of it.

No blob travels: of each the remote is asked. Where the history isn't in the store, as after a clone of the code, its
git objects are brought. `check --remote` and the pre-push hook call it.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from aimdvc.errors import RemoteRefused, RemoteWentBack
from aimdvc.git.history import History
from aimdvc.git.transport import RemoteRefs
from aimdvc.model.lock import Pin
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Progress
from aimdvc.ops.bulk import Bulk, each
from aimdvc.ops.check import Finding
from aimdvc.ops.connect import Connection, Connector, remote_url
from aimdvc.ops.fetch import bring_commit, fetch_history, tracked_names
from aimdvc.ops.revisions import label
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import origin_of_source


@dataclass(frozen=True, slots=True)
class RemoteChecked:
    """What a remote has of one pin; complete where nothing was found."""

    artifact: str
    remote: str
    commit: GitId
    version: str
    findings: list[Finding]


def check_remote(
    workspace: Workspace, connector: Connector, pins: Mapping[str, Pin], remote: str | None, progress: Progress
) -> Bulk[RemoteChecked]:
    """Returns, by artifact, what the remote lacks of the pinned commits; `remote` None asks each artifact's own.

    An artifact fails with RemoteError, NotAuthorised, UnknownRemote, when nothing can be said of it.
    """

    def act(name: str) -> RemoteChecked:
        pin = pins[name]
        own, path = origin_of_source(name, pin.source)
        place = remote or own
        connection = connector.connect(workspace.disk, place, remote_url(workspace, place), path)
        findings = _check(workspace, name, pin, connection, progress)
        history = workspace.history(name)
        version = label(history, pin.commit) if history.has(pin.commit) else pin.commit[:12]
        return RemoteChecked(name, place, pin.commit, version, findings)

    return each(sorted(pins), act)


def _check(workspace: Workspace, name: str, pin: Pin, connection: Connection, progress: Progress) -> list[Finding]:
    push = f"`aimdvc push {name}` where it was made sends it"
    try:
        known = connection.transport.read_refs(for_push=False)
    except RemoteRefused as error:
        if not error.is_absent:
            raise
        return [Finding(name, "no-artifact", f"'{connection.remote}' doesn't have the artifact", push)]
    if not known.refs:
        return [Finding(name, "no-artifact", f"'{connection.remote}' doesn't have the artifact", push)]
    history = workspace.history(name)
    tips = set(tracked_names(known).values())
    if not all(history.has(tip) for tip in tips) and not (pin.commit in tips and history.has(pin.commit)):
        with suppress(RemoteWentBack):  # What it has now is what counts.
            fetch_history(workspace, name, connection, progress)
    if not history.has(pin.commit) and history.shallow:
        with suppress(RemoteWentBack):
            bring_commit(workspace, name, connection, pin.commit, progress)
    if not _is_reached(history, known, pin.commit):
        called = label(history, pin.commit) if history.has(pin.commit) else f"commit {pin.commit[:12]}"
        return [Finding(name, "not-on-remote", f"{called} is not on '{connection.remote}'", push)]
    entries = history.iter_entries(history.commit(pin.commit).tree)
    wanted = [(entry.path, entry.pointer) for entry in entries if entry.pointer is not None]
    pointers = {pointer.oid: pointer for _, pointer in wanted}
    present = connection.blobs.present(pointers.values(), progress) if pointers else set()
    paths = [path for path, pointer in wanted if pointer.oid not in present]
    if not paths:
        return []
    lacking = len(pointers.keys() - present)
    message = f"'{connection.remote}' lacks {lacking:,} of the {len(pointers):,} blobs of {label(history, pin.commit)}"
    return [Finding(name, "blobs-not-on-remote", message, push, paths)]


def _is_reached(history: History, known: RemoteRefs, commit: GitId) -> bool:
    """Returns whether a ref of the remote leads to the commit; of refs that did not come nothing is known."""
    tips = set(tracked_names(known).values())
    if not history.has(commit):
        return False
    if commit in tips:
        return True
    here = {peeled for tip in tips if history.has(tip) and (peeled := history.peel(tip)) is not None}
    return any(history.is_ancestor(commit, tip) for tip in sorted(here))
