"""What the hook pre-push asks remotes, for what pushed code pins that is not known to be there; and what it sends.

A module of its own, since it loads what speaks to the network: a push with nothing new has to take no time.
"""

from collections.abc import Iterable

from aimdvc.errors import AimdvcError, NotAuthorised, RemoteError, RemoteRefused, RemoteWentBack, UnknownRemote
from aimdvc.git.history import History
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Progress
from aimdvc.ops.bulk import Bulk, Failure
from aimdvc.ops.check import Finding
from aimdvc.ops.connect import Connector, connect_source
from aimdvc.ops.fetch import fetch_history
from aimdvc.ops.hook_pre_push import PushChecked, Unproven, Wanted, without_proven
from aimdvc.ops.push import Pushed, push
from aimdvc.ops.revisions import label
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import origin_of_source


def ask_remotes(
    workspace: Workspace, connector: Connector, unproven: Unproven, result: PushChecked, progress: Progress
) -> None:
    """Fetches the histories of artifacts, and adds to `result` what is not on their remotes even so."""
    for key, wanted in unproven.items():
        _ask(workspace, connector, key, wanted, result, progress)


def upload(workspace: Workspace, names: Iterable[str], connector: Connector, progress: Progress) -> Bulk[Pushed]:
    """Pushes the artifacts of a workspace among these."""
    here = [name for name in names if workspace.state.head(name) is not None]
    return push(workspace, connector, here, progress) if here else Bulk()


def _ask(
    workspace: Workspace,
    connector: Connector,
    key: tuple[str, str | None],
    wanted: Wanted,
    result: PushChecked,
    progress: Progress,
) -> None:
    name, source = key
    remote = origin_of_source(name, source)[0]
    try:
        fetch_history(workspace, name, connect_source(workspace, connector, name, source), progress)
        wanted = without_proven(workspace, key, wanted)
        why = f"is not on '{remote}'"
    except RemoteWentBack as error:
        why = f"can't be told to be on '{remote}': {error.message}"
    except UnknownRemote as error:
        why = f"is on no remote: {error.message}"
    except RemoteRefused as error:
        if not error.is_absent:
            result.failed.append(Failure(name, error))
            return
        why = f"is not on '{remote}', which doesn't have the artifact"
    except (RemoteError, NotAuthorised) as error:
        result.failed.append(Failure(name, error))
        return
    for commit, code in wanted.items():
        hint = _how(workspace, name, commit)
        called = _called(workspace, name, commit)
        message = f"{called}, pinned by code commit {code[:12]}, {why}"
        result.findings.append(Finding(name, "not-on-remote", message, hint))


def _called(workspace: Workspace, name: str, commit: GitId) -> str:
    history = workspace.history(name)
    called = label(history, commit) if history.has(commit) else ""
    return f"{called} ({commit[:12]})" if called.endswith("?") else called or f"commit {commit[:12]}"


def _how(workspace: Workspace, name: str, commit: GitId) -> str:
    """Returns the command that sends a commit: of the branch that has it."""
    history, head = workspace.history(name), workspace.state.head(name)
    if not history.has(commit) or head is None:
        return f"`aimdvc push {name}` where it was made sends it"
    branches = [ref for ref, tip in history.refs("refs/heads/").items() if _reaches(history, tip, commit)]
    if (head.branch or "refs/heads/main") in branches:
        return f"`aimdvc push {name}` sends it"
    if not branches:
        return f"`aimdvc branch {name}@NAME {commit[:12]}` and `aimdvc switch` make it a branch's: then push"
    return f"`aimdvc switch {name}@{branches[0].removeprefix('refs/heads/')}` and `aimdvc push {name}` send it"


def _reaches(history: History, tip: GitId, commit: GitId) -> bool:
    try:
        return history.is_ancestor(commit, tip)
    except AimdvcError:
        return False
