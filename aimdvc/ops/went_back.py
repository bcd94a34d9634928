"""Whether a remote went back: what it had published is gone from it, as after a restore from an older backup.

Told apart from an ordinary force-push by the versions, since a `vN` never moves and never goes: a force-push moves a
branch and leaves the tags; a backup takes both back. Called by fetch and push before they change anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aimdvc.errors import RemoteWentBack
from aimdvc.git.history import History
from aimdvc.model.commits import RefUpdate
from aimdvc.model.names import VERSION_TAG
from aimdvc.model.oid import GitId
from aimdvc.ops.workspace import Workspace

_NOTES = "refs/aimdvc/went-back/"
"""A ref of this repository alone for each remote that was found so; status reads it."""

_MAIN = "heads/main"


@dataclass(frozen=True, slots=True)
class Setback:
    """What we saw on a remote and it lost, by name without `refs/`: its main, versions, and aliases."""

    main: GitId | None
    versions: Mapping[str, GitId]
    aliases: frozenset[str]


def find_setback(history: History, remote: str, theirs: Mapping[str, GitId]) -> Setback | None:
    """Returns what the remote lost since it was last seen; None when it only moved on, or a branch was force-pushed."""
    prefix = f"refs/remotes/{remote}/"
    seen = {ref[len(prefix) :]: git_id for ref, git_id in history.refs(prefix).items()}
    versions = {name: git_id for name, git_id in seen.items() if is_version(name) and theirs.get(name) != git_id}
    main, now = seen.get(_MAIN), theirs.get(_MAIN)
    if not versions and (main is None or not _is_behind(history, now, main) or _is_numbered(history, main, theirs)):
        return None
    aliases = {
        name
        for name, git_id in seen.items()
        if name.startswith("aliases/") and theirs.get(name) != git_id
        if name not in theirs or not _reaches(history, now, git_id)
    }
    return Setback(main, versions, frozenset(aliases))


def went_back(workspace: Workspace, artifact: str, remote: str, url: str, setback: Setback) -> RemoteWentBack:
    """Returns the error that a setback is, and notes it for `status`."""
    history = workspace.history(artifact)
    note = f"{_NOTES}{remote}"
    anchor = setback.main or next(iter(setback.versions.values()))
    if history.ref(note) != anchor:
        update = RefUpdate(note, history.ref(note), anchor)
        history.move_refs([update], f"{remote} went back", workspace.actor())
    lost = sorted((name[len("tags/") :] for name in setback.versions), key=lambda version: (len(version), version))
    return RemoteWentBack(artifact, url, lost)


def is_noted(history: History, remote: str) -> bool:
    """Returns whether the remote had gone back when it was last asked."""
    return history.ref(f"{_NOTES}{remote}") is not None


def forget(history: History, remote: str) -> list[RefUpdate]:
    """Returns the update that ends the note: what the remote has is followed from here on."""
    note = f"{_NOTES}{remote}"
    found = history.ref(note)
    return [RefUpdate(note, found, None)] if found is not None else []


def is_version(name: str) -> bool:
    """Returns whether a ref, named without `refs/`, is the tag of a version."""
    return VERSION_TAG.fullmatch(f"refs/{name}") is not None


def _is_behind(history: History, now: GitId | None, seen: GitId) -> bool:
    return now is None or (now != seen and _reaches(history, seen, now))


def _reaches(history: History, tip: GitId | None, commit: GitId) -> bool:
    # What isn't here is new: nothing that we have reaches it.
    return tip is not None and history.has(tip) and history.has(commit) and history.is_ancestor(commit, tip)


def _is_numbered(history: History, main: GitId, theirs: Mapping[str, GitId]) -> bool:
    return any(is_version(name) and history.has(one) and history.peel(one) == main for name, one in theirs.items())
