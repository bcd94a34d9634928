"""What the hook pre-push asks: is every version that pushed code pins on the artifact's remote?

What the remote-tracking refs of the artifact reach is there, and takes no network. Only for the rest the remote is
asked, by a fetch. A lock that the code's remote has already was looked at when it was pushed: of it only what is here,
and so can be pushed from here, is told. The rules, and why: docs/decisions/0029.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from aimdvc.errors import AimdvcError, NotAuthorised, RemoteError, RemoteRefused, RemoteWentBack, UnknownRemote
from aimdvc.git.codepush import PushedLock, read_pushed_locks
from aimdvc.git.history import History
from aimdvc.model.lock import Pin
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Progress
from aimdvc.ops.bulk import Bulk, Failure
from aimdvc.ops.check import Finding, check_lock
from aimdvc.ops.connect import Connector, connect_source
from aimdvc.ops.fetch import fetch_history
from aimdvc.ops.project import Project
from aimdvc.ops.push import Pushed, push
from aimdvc.ops.revisions import label
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import origin_of_source


@dataclass(frozen=True, slots=True)
class CodePush:
    """What is pushed of the code: `tips` go there, `have` are there."""

    tips: Collection[GitId]
    have: Collection[GitId]


@dataclass(slots=True)
class PushChecked:
    """What a push of the code lacks on the artifacts' remotes; `failed` could not be asked, `pushed` was sent."""

    findings: list[Finding] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    pushed: Bulk[Pushed] = field(default_factory=Bulk)


_Wanted = dict[GitId, GitId]
"""The commits of one artifact at one source, each with the first commit of the code that pins it."""


def check_push(
    project: Project, workspace: Workspace, code: CodePush, connector: Connector | None, progress: Progress
) -> PushChecked | None:
    """Returns what pushed code pins that is not on its remote, None where a remote has to be asked and `connector`
    is None: so nothing of the network is loaded where nothing has to be asked.
    """
    result = PushChecked()
    locks = read_pushed_locks(project.common_dir, code.tips, code.have, project.lock(workspace.root))
    unproven = {}
    for key, wanted in _pinned(workspace, locks, result).items():
        left = _unproven(workspace, key, wanted)
        if left:
            unproven[key] = left
    if not unproven:
        return result
    if connector is None:
        return None
    for key, wanted in unproven.items():
        _ask(workspace, connector, key, wanted, result, progress)
    return result


def upload(workspace: Workspace, names: Iterable[str], connector: Connector, progress: Progress) -> Bulk[Pushed]:
    """Pushes the artifacts of a workspace among these."""
    here = [name for name in names if workspace.state.head(name) is not None]
    return push(workspace, connector, here, progress) if here else Bulk()


def _pinned(
    workspace: Workspace, locks: Iterable[PushedLock], result: PushChecked
) -> dict[tuple[str, str | None], _Wanted]:
    """Returns the commits that the locks pin, by artifact and source. A lock that can't be read is a finding."""
    known: set[tuple[str, GitId]] = set()
    found: dict[tuple[str, str | None], _Wanted] = {}
    for lock in locks:
        pins, wrong = check_lock(lock.content)
        for finding in wrong if lock.is_new else []:
            if finding.kind == "unreadable":
                message = f"of code commit {lock.commit[:12]} can't be read: {finding.message}"
                hint = "mend it in a rebase, or `git push --no-verify`"
                result.findings.append(Finding("", "unreadable", message, hint))
        for name, pin in pins.items():
            if not lock.is_new:
                known.add((name, pin.commit))
            elif (name, pin.commit) not in known or _has(workspace, name, pin):
                found.setdefault((name, pin.source), {}).setdefault(pin.commit, lock.commit)
    return found


def _has(workspace: Workspace, name: str, pin: Pin) -> bool:
    return workspace.repository_path(name).exists() and workspace.history(name).has(pin.commit)


def _unproven(workspace: Workspace, key: tuple[str, str | None], wanted: Mapping[GitId, GitId]) -> _Wanted:
    """Returns those of the commits that no remote-tracking ref of the artifact reaches."""
    name, source = key
    if not workspace.repository_path(name).exists():
        return dict(wanted)
    history = workspace.history(name)
    tips = history.refs(f"refs/remotes/{origin_of_source(name, source)[0]}/").values()
    there = set(tips)
    asked = [commit for commit in wanted if commit not in there and history.has(commit)]
    beyond: set[GitId] = set()
    for is_exact in (False, True):
        # Where clocks went backwards the first, which is quick, may find too many.
        asked = [commit for commit in asked if not is_exact or commit in beyond]
        beyond = {commit.id for commit in history.new_commits(asked, there, is_exact)} if asked else set()
    return {
        commit: code
        for commit, code in wanted.items()
        if commit not in there and (commit in beyond or not history.has(commit))
    }


def _ask(
    workspace: Workspace,
    connector: Connector,
    key: tuple[str, str | None],
    wanted: _Wanted,
    result: PushChecked,
    progress: Progress,
) -> None:
    name, source = key
    remote = origin_of_source(name, source)[0]
    try:
        fetch_history(workspace, name, connect_source(workspace, connector, name, source), progress)
        wanted = _unproven(workspace, key, wanted)
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
