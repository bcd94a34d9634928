"""Brings the histories of what commits of the code pin, where the store lacks them: git objects, and no blob.

After a clone of the code nothing is in the store; `diff --code --fetch` compares versions all the same.
"""

from collections.abc import Sequence
from contextlib import suppress

from aimdvc.errors import RemoteWentBack
from aimdvc.model.progress import Progress
from aimdvc.ops.codediff import differing_pins, two_locks
from aimdvc.ops.connect import Connector, connect_source
from aimdvc.ops.fetch import bring_commit, fetch_history
from aimdvc.ops.workspace import Workspace


def bring_histories(workspace: Workspace, connector: Connector, revisions: Sequence[str], progress: Progress) -> None:
    """Brings what `diff_code` of these revisions lacks. Safe to repeat; asks no remote when nothing is lacking.

    A commit that the remote doesn't have stays lacking. Raises RemoteError, NotAuthorised, UnknownRemote.
    """
    for name, pins in differing_pins(two_locks(workspace, revisions)):
        for pin in pins:
            if pin is None or workspace.history(name).has(pin.commit):
                continue
            connection = connect_source(workspace, connector, name, pin.source)
            with suppress(RemoteWentBack):  # What it has now may do.
                fetch_history(workspace, name, connection, progress)
                bring_commit(workspace, name, connection, pin.commit, progress)
