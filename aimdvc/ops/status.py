"""`status`: how workspace, index, HEAD, lock and remote stand to each other. Changes nothing but the stat cache."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aimdvc.git.history import History
from aimdvc.model.entries import path_text
from aimdvc.model.lock import Pin
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.model.own import is_told
from aimdvc.model.patterns import WHOLE, Part
from aimdvc.ops.alias import alias_bases
from aimdvc.ops.codehead import CodeState, is_unpinned, read_code_head
from aimdvc.ops.inplace import EditedBlob, find_edited
from aimdvc.ops.lockfile import LockState, lock_state, read_pins
from aimdvc.ops.lockmerge import require_not_deleted
from aimdvc.ops.merging import open_conflicts
from aimdvc.ops.revisions import aliases, label, labels, tracking_ref
from aimdvc.ops.scan import changed_suspects, scan
from aimdvc.ops.settle import settle
from aimdvc.ops.went_back import is_noted
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Place


@dataclass(frozen=True, slots=True)
class PathChange:
    """One changed path: `kind` is added, modified, deleted or untracked; of a conflict both modified, and so on."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class AliasDifference:
    """An alias that isn't the same here and on the remote as last fetched: the versions, None where it is not.

    `is_settled` says that it was moved here with the remote's in view, so that a push may send it.
    """

    alias: str
    here: str | None
    there: str | None
    is_settled: bool


@dataclass(frozen=True, slots=True)
class MergeInProgress:
    """A merge that stopped: `kind` is merge, pull or revert; `conflicts` are the paths that are not settled."""

    kind: str
    title: str
    conflicts: list[PathChange]


@dataclass(frozen=True, slots=True)
class PinStatus:
    """What aimdvc.lock pins of an artifact, on disk or in the code's HEAD."""

    commit: GitId
    version: str


@dataclass(slots=True)
class ArtifactStatus:
    """How one artifact stands.

    `pin` is what aimdvc.lock on disk says, `code_pin` what that of the code's HEAD does; None where it pins nothing, or
    isn't known. `remote_version` is the newest on the remote as last fetched, "" before the first fetch.
    `ahead` and `behind` count commits against the remote's same branch (its main, when detached) as last fetched.
    `part` is what of it is checked out, and `absent` counts the files that are not.
    `has_remote_gone_back` says that the remote, when last asked, had lost versions; it was not followed.
    `edited` are blobs that were edited in place, through changed files that are hard links to them.
    """

    artifact: str
    path: str
    is_directory: bool
    version: str
    branch: str | None
    commit: GitId | None
    lock: str = LockState.SAME.value
    staged: list[PathChange] = field(default_factory=list)
    unstaged: list[PathChange] = field(default_factory=list)
    untracked: list[str] = field(default_factory=list)
    ahead: int = 0
    behind: int = 0
    aliases: list[str] = field(default_factory=list)
    remote: str = "origin"
    alias_differences: list[AliasDifference] = field(default_factory=list)
    has_remote_gone_back: bool = False
    merging: MergeInProgress | None = None
    part: Part = WHOLE
    absent: int = 0
    edited: list[EditedBlob] = field(default_factory=list)
    pin: PinStatus | None = None
    code_pin: PinStatus | None = None
    remote_version: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing would be lost or committed."""
        return not (self.staged or self.unstaged or self.untracked or self.merging)


@dataclass(frozen=True, slots=True)
class Status:
    """All artifacts of a workspace; `missing` are pinned in aimdvc.lock but not here yet.

    `code_lock` says how aimdvc.lock stands to that of the code's HEAD.
    """

    artifacts: list[ArtifactStatus]
    missing: list[str]
    code_lock: CodeState = CodeState.NONE


def status(workspace: Workspace, names: Iterable[str] = ()) -> Status:
    """Returns how the named artifacts stand, or all."""
    require_not_deleted(workspace)
    pins = read_pins(workspace)
    code = read_code_head(workspace, pins)
    wanted = list(names) or [head.name for head in workspace.state.heads()]
    found = []
    for name in wanted:
        head = settle(workspace, name)
        state = LockState.UNPINNED if is_unpinned(head, pins, code) else lock_state(head, pins.get(name))
        one = _status(workspace, head, state.value)
        named = labels(workspace.history(name))
        one.pin, one.code_pin = _pinned(named, pins.get(name)), _pinned(named, code.pins.get(name))
        found.append(one)
    have = {head.name for head in workspace.state.heads()}
    return Status(found, sorted(pins.keys() - have) if not names else [], code.state)


def _pinned(named: Mapping[GitId, str], pin: Pin | None) -> PinStatus | None:
    return PinStatus(pin.commit, named.get(pin.commit, pin.commit[:12])) if pin is not None else None


def _status(workspace: Workspace, head: Head, lock: str) -> ArtifactStatus:
    history = workspace.history(head.name)
    result = ArtifactStatus(
        head.name, head.path, not head.is_file, label(history, head.commit), head.branch, head.commit, lock
    )
    for row in workspace.state.staged(head):
        if row.place is Place.HIDDEN and row.head_mode == 0 and not is_told(row.path):
            continue
        kind = "deleted" if row.mode == 0 else "modified" if row.head_mode else "added"
        result.staged.append(PathChange(kind, row.path))
    found = scan(workspace, head)
    changed = changed_suspects(workspace, head, found)
    result.edited = list(find_edited(workspace, head, changed))
    unstaged = [PathChange("modified", path_text(path)) for path in changed]
    unstaged += [PathChange("deleted", path_text(path)) for path in found.deleted]
    result.unstaged = sorted(unstaged, key=lambda change: change.path)
    result.untracked = sorted(path_text(path) for path in found.untracked)
    merging = workspace.state.merges.get(head.id)
    if merging is not None:
        left = [PathChange(conflict.kind, conflict.path) for conflict in open_conflicts(workspace, head)]
        result.merging = MergeInProgress(merging.kind, merging.title, left)
    result.part = workspace.state.parts.get(head.id)
    result.absent = workspace.state.parts.count_absent(head.id)
    _compare_with_remote(history, head, result)
    return result


def _compare_with_remote(history: History, head: Head, result: ArtifactStatus) -> None:
    ours = aliases(history)
    result.aliases = sorted(name for name, commit in ours.items() if commit == head.commit)
    result.remote = head.origin[0]
    result.has_remote_gone_back = is_noted(history, result.remote)
    prefix = f"refs/remotes/{result.remote}/"
    if history.ref(f"{prefix}heads/main") is None:
        return
    tracked = {ref[len(f"{prefix}aliases/") :]: commit for ref, commit in history.refs(f"{prefix}aliases/").items()}
    bases = alias_bases(history)
    for alias in sorted(ours.keys() | tracked.keys()):
        here, there = ours.get(alias), tracked.get(alias)
        if here != there:
            is_settled = bases.get(alias) == there
            named = (label(history, here) or None, label(history, there) or None)
            result.alias_differences.append(AliasDifference(alias, *named, is_settled))
    theirs = history.ref(tracking_ref(head, head.branch or MAIN))
    result.remote_version = label(history, history.ref(f"{prefix}heads/main"))
    if head.commit is not None and theirs is not None and theirs != head.commit:
        result.ahead = count_beyond(history, head.commit, theirs)
        result.behind = count_beyond(history, theirs, head.commit)


def count_beyond(history: History, tip: GitId, base: GitId) -> int:
    """Returns how many commits `tip` has that `base` hasn't."""
    return len(history.new_commits([tip], [base]))
