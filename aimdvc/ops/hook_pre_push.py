"""What the hook pre-push asks: is every version that pushed code pins on the artifact's remote?

What the remote-tracking refs of the artifact reach is there, and takes no network: nothing of it is loaded here. Only
for the rest the remote is asked (ops/hook_pre_push_remote.py). A lock that the code's remote has already was looked at
when it was pushed: of it only what is here, and so can be pushed from here, is told. The rules: docs/decisions/0029.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from aimdvc.git.codepush import PushedLock, read_pushed_locks
from aimdvc.model.lock import Pin
from aimdvc.model.oid import GitId
from aimdvc.ops.bulk import Failure
from aimdvc.ops.check import Finding, check_lock
from aimdvc.ops.project import Project
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import origin_of_source


@dataclass(frozen=True, slots=True)
class CodePush:
    """What is pushed of the code: `tips` go there, `have` are there."""

    tips: Collection[GitId]
    have: Collection[GitId]


@dataclass(slots=True)
class PushChecked:
    """What a push of the code lacks on the artifacts' remotes; `failed` could not be asked, or sent."""

    findings: list[Finding] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


Wanted = dict[GitId, GitId]
"""The commits of one artifact at one source, each with the first commit of the code that pins it."""
Unproven = dict[tuple[str, str | None], Wanted]
"""What has to be asked for, by artifact and source."""


def check_push(project: Project, workspace: Workspace, code: CodePush) -> tuple[PushChecked, Unproven]:
    """Returns what is wrong with the locks of pushed code, and what they pin that isn't known to be on its remote."""
    result = PushChecked()
    locks = read_pushed_locks(project.common_dir, code.tips, code.have, project.lock(workspace.root))
    unproven = {}
    for key, wanted in _pinned(workspace, locks, result).items():
        left = without_proven(workspace, key, wanted)
        if left:
            unproven[key] = left
    return result, unproven


def _pinned(workspace: Workspace, locks: Iterable[PushedLock], result: PushChecked) -> Unproven:
    """Returns the commits that the locks pin, by artifact and source. A lock that can't be read is a finding."""
    known: set[tuple[str, GitId]] = set()
    found: Unproven = {}
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


def without_proven(workspace: Workspace, key: tuple[str, str | None], wanted: Mapping[GitId, GitId]) -> Wanted:
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
