"""Revisions of an artifact: from `v3~1` or `production` to a commit, and from a commit to what people call it."""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import partial

from aimdvc.errors import AmbiguousRevision, UnknownPath, UnknownRevision
from aimdvc.git.history import History
from aimdvc.git.trees import iter_names
from aimdvc.model.names import VERSION_TAG
from aimdvc.model.nearest import did_you_mean, nearest_path
from aimdvc.model.oid import GitId
from aimdvc.model.selector import parse_revision
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

_TRACKED_MAIN = re.compile(r"refs/remotes/[^/]+/heads/main")
_PROVISIONAL = re.compile(r"v[1-9][0-9]{0,17}\?")
_MOVES = re.compile(r"(.+)@\{([0-9]+)\}")
_HEX = re.compile(r"[0-9a-f]{4,40}")


def resolve(workspace: Workspace, head: Head, revision: str) -> GitId:
    """Returns the commit that a revision means: vN, an alias, a branch or a commit, in that order, then `~N`/`^`.

    `HEAD` is the commit checked out, `HEAD@{N}` where it stood N moves ago, as `main@{N}` where a branch did. Raises
    UnknownRevision, AmbiguousRevision.
    """
    parsed = parse_revision(revision)
    moved = _MOVES.fullmatch(parsed.base)
    if moved is not None and moved[1] == "HEAD":
        start: GitId | None = _head_stood(workspace, head, int(moved[2]))
    else:
        start = head.commit if parsed.base in ("HEAD", "") else None
    return _resolve(workspace.history(head.name), head.name, revision, start)


def resolve_anew(history: History, artifact: str, revision: str) -> GitId:
    """Returns what `resolve` does for an artifact that isn't checked out yet, and so has no `HEAD`."""
    return _resolve(history, artifact, revision, None)


def _resolve(history: History, artifact: str, revision: str, start: GitId | None) -> GitId:
    parsed = parse_revision(revision)
    commit = start or _resolve_base(history, artifact, parsed.base)
    for step in parsed.steps:
        parents = history.commit(commit).parents
        if step == 0:
            continue
        if len(parents) < step:
            raise UnknownRevision(artifact, revision, _beyond(history, artifact))
        commit = parents[step - 1]
    return commit


def _resolve_base(history: History, artifact: str, base: str) -> GitId:
    moved = _MOVES.fullmatch(base)
    if moved is not None:
        return _stood(history, artifact, moved[1], int(moved[2]))
    named = "main" if base == "latest" else base
    refs = [f"refs/tags/{named}", f"refs/aliases/{named}", f"refs/heads/{named}", f"refs/remotes/{named}"]
    refs += _tracking_refs(named)
    for ref in refs:
        found = history.ref(ref)
        commit = history.peel(found) if found is not None else None
        if commit is not None:
            return commit
    if _PROVISIONAL.fullmatch(base):
        for commit, label in provisional_labels(history).items():
            if label == base:
                return commit
    if _HEX.fullmatch(base):
        candidates = history.expand(base)
        if len(candidates) > 1:
            raise AmbiguousRevision(base, candidates)
        if candidates:
            return candidates[0]
    if f"{base}?" in provisional_labels(history).values():
        raise UnknownRevision(artifact, base, hint=f"it has no number yet: write {artifact}@{base}?, or push it")
    if ".." in base:
        one, _, other = base.partition("..")
        two = f"{artifact}@{one or 'HEAD'} {artifact}@{other.strip('.') or 'HEAD'}"
        raise UnknownRevision(artifact, base, f"two versions are two arguments: `aimdvc diff {two}`")
    raise UnknownRevision(artifact, base, did_you_mean(base, _known(history)) or _beyond(history, artifact))


def _known(history: History) -> list[str]:
    """Returns what may be typed for a commit, other than its digits."""
    branches = [ref.removeprefix("refs/heads/") for ref in history.refs("refs/heads/")]
    tags = [ref.removeprefix("refs/tags/") for ref in history.refs("refs/tags/")]
    return [*aliases(history), *branches, *tags, *provisional_labels(history).values()]


def what_there_is(numbers: Collection[int], aliases: Iterable[str]) -> str:
    """Returns a hint that tells the versions and the aliases there are."""
    versions = f"v{min(numbers)} to v{max(numbers)}" if numbers else "no versions"
    names = ", ".join(sorted(aliases))
    return f"there are {versions}" + (f", and the aliases {names}" if names else "")


def unknown_path(history: History, artifact: str, tree: GitId, path: str) -> UnknownPath:
    """Returns the error for a path that a version doesn't have."""
    near = nearest_path(path, partial(iter_names, history.read_tree, tree))
    hint = f"did you mean '{near}'?" if near is not None else f"`aimdvc ls {artifact}` lists what is"
    if path in _known(history):
        hint = f"for a version write '{artifact}@{path}'"
    return UnknownPath(path, f"that version of '{artifact}'", hint=hint)


def _beyond(history: History, artifact: str) -> str | None:
    """Returns the hint for a revision that may lie before the end of a shallow history."""
    if not history.shallow:
        return None
    return f"the history here is shallow: `aimdvc fetch --unshallow {artifact}` brings the rest"


def _head_stood(workspace: Workspace, head: Head, moves: int) -> GitId:
    """Returns where HEAD stood before its last moves in this workspace. Raises UnknownRevision."""
    found = workspace.state.moves.newest(head.id, max(moves, 1))
    stood = [head.commit, *(move.old for move in found)]
    commit = stood[moves] if moves < len(stood) else None
    if commit is None:
        raise UnknownRevision(head.name, f"HEAD@{{{moves}}}", hint=f"`aimdvc reflog {head.name}` lists")
    return commit


def _stood(history: History, artifact: str, named: str, moves: int) -> GitId:
    """Returns where a branch or an alias stood before its last moves. Raises UnknownRevision."""
    for ref in (f"refs/aliases/{named}", f"refs/heads/{named}", *_tracking_refs(named)):
        lines = history.reflog(ref)
        if lines:
            stood = [line.new for line in reversed(lines)] + [lines[0].old]
            commit = stood[moves] if moves < len(stood) else None
            if commit is None:
                raise UnknownRevision(
                    artifact, f"{named}@{{{moves}}}", hint=f"`aimdvc reflog {artifact}@{named}` lists"
                )
            return commit
    raise UnknownRevision(artifact, f"{named}@{{{moves}}}", hint="only branches and aliases have moves")


def _tracking_refs(named: str) -> list[str]:
    remote, slash, branch = named.partition("/")
    return [f"refs/remotes/{remote}/heads/{branch}"] if slash else []


def version_numbers(history: History) -> dict[GitId, int]:
    """Returns the number of every published commit. A fetch peels tags: to do it here costs 0.15 s a 1,000 versions."""
    numbers: dict[GitId, int] = {}
    for ref, commit in history.refs("refs/tags/").items():
        match = VERSION_TAG.fullmatch(ref)
        if match:
            numbers[commit] = int(match[1])
    return numbers


def provisional_labels(history: History, numbers: Mapping[GitId, int] | None = None) -> dict[GitId, str]:
    """Returns `v4?` for each unpublished commit on main's first-parent line: the number it would get now.

    What a remote's main reaches is published; where the remote gave it no number, it has no label.
    """
    tip = history.ref("refs/heads/main")
    if tip is None:
        return {}
    known = version_numbers(history) if numbers is None else numbers
    published = {commit for ref, commit in history.refs("refs/remotes/").items() if _TRACKED_MAIN.fullmatch(ref)}
    ends = known.keys() | published
    unpublished: list[GitId] = []
    for commit in history.iter_line(tip):
        if commit.id in ends:
            break
        unpublished.append(commit.id)
    # What a remote has beyond the newest number, having given none, is published all the same; reached by walking,
    # where the walk above can't have met it.
    if unpublished and not published <= known.keys():
        beyond = {commit.id for commit in history.new_commits([tip], published)}
        unpublished = [commit for commit in unpublished if commit in beyond]
    highest = max(known.values(), default=0)
    return {commit: f"v{highest + offset}?" for offset, commit in enumerate(reversed(unpublished), 1)}


def labels(history: History) -> dict[GitId, str]:
    """Returns what each version is called: `v3`, or `v4?` while unpublished."""
    numbers = version_numbers(history)
    return provisional_labels(history, numbers) | {commit: f"v{number}" for commit, number in numbers.items()}


def aliases(history: History) -> dict[str, GitId]:
    """Returns the aliases and the commits they name."""
    prefix = "refs/aliases/"
    peeled = {ref[len(prefix) :]: history.peel(git_id) for ref, git_id in history.refs(prefix).items()}
    return {alias: commit for alias, commit in peeled.items() if commit is not None}


def tracking_ref(head: Head, branch: str) -> str:
    """Returns where a fetch keeps what the artifact's remote has of a branch, which has the same name there."""
    return f"refs/remotes/{head.origin[0]}/{branch.removeprefix('refs/')}"


def described(history: History, revision: str) -> str:
    """Returns what a revision is, in words, as the message of a merge has it: `branch 'x'`, `version 'v3'`."""
    kinds = (
        ("tags", "version"),
        ("aliases", "alias"),
        ("heads", "branch"),
        ("remotes", "remote-tracking branch"),
    )
    remote, _, branch = revision.partition("/")
    names = {"remotes": f"{remote}/heads/{branch}"}
    for folder, kind in kinds:
        if history.ref(f"refs/{folder}/{names.get(folder, revision)}") is not None:
            return f"{kind} '{revision}'"
    return f"commit '{revision}'"


def short_branch(ref: str | None) -> str | None:
    """Returns a branch's name without `refs/heads/`; None for a detached HEAD."""
    return ref.removeprefix("refs/heads/") if ref is not None else None


def label(history: History, commit: GitId | None) -> str:
    """Returns what one commit is called: its version, else its first twelve digits; "" for none."""
    if commit is None:
        return ""
    return labels(history).get(commit, commit[:12])
