"""`push --delete`: a branch leaves the remote, by compare-and-set. The server has the last word; main and vN stay."""

from dataclasses import dataclass

from aimdvc.errors import RefMoved, Refused, UnknownRevision
from aimdvc.model.commits import RefUpdate
from aimdvc.model.names import MAIN, VERSION_TAG
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Progress
from aimdvc.ops.branch import HEADS
from aimdvc.ops.connect import Connector, connect_artifact
from aimdvc.ops.push import refs_for_push
from aimdvc.ops.revisions import label, tracking_ref
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A branch that the remote has no more: where it stood. The branch of that name here, if any, stays."""

    artifact: str
    branch: str
    url: str
    version: str
    commit: GitId


def unpublish(workspace: Workspace, connector: Connector, name: str, branch: str, progress: Progress) -> Unpublished:
    """Deletes the artifact's branch on its remote, and what is known of it here. Safe to repeat.

    Raises Refused for main and versions, UnknownRevision for a branch that the remote doesn't have, RefMoved for one
    that has moved since it was last fetched: what nobody here has seen is not deleted. RemoteRefused, NotAuthorised.
    """
    head = settle(workspace, name)
    history = workspace.history(name)
    ref = HEADS + branch
    if ref == MAIN or VERSION_TAG.fullmatch(f"refs/tags/{branch}"):
        raise Refused(f"'{branch}' of '{name}' stays on the remote: main and its versions are never deleted")
    connection = connect_artifact(workspace, connector, head)
    known = refs_for_push(connection)
    if ref == known.head:
        raise Refused(f"'{branch}' of '{connection.url}' stays: it is main there")
    tracking = tracking_ref(head, ref)
    seen, there = history.ref(tracking), known.refs.get(ref)
    if there is None and seen is None:
        raise UnknownRevision(name, branch, hint=f"`aimdvc branch -r {name}` lists the branches of the remotes")
    if there is not None:
        if there != seen:
            raise RefMoved(branch, "it has commits that were not fetched", hint=f"run `aimdvc fetch {name}`, and look")
        connection.transport.push(history, [RefUpdate(ref, there, None)], known, progress)
    # Cut before this, the branch is known here and not there: the next run, or a fetch, ends it.
    if seen is not None:
        history.move_refs([RefUpdate(tracking, seen, None)], f"push: deleted {branch}", workspace.actor())
    commit = there or seen
    assert commit is not None, "one of them was there"
    return Unpublished(name, branch, connection.url, label(history, commit), commit)
