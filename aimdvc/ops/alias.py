"""`alias`: movable names for versions, kept as refs with a reflog. `push` sends them, `fetch` brings them."""

from dataclasses import dataclass

from aimdvc.errors import UnknownRevision
from aimdvc.git.history import History
from aimdvc.model.commits import RefUpdate
from aimdvc.model.names import check_alias_name
from aimdvc.model.nearest import did_you_mean
from aimdvc.model.oid import GitId
from aimdvc.ops.revisions import aliases, label, resolve
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

BASES = "refs/aimdvc/bases/"
"""Refs of this repository alone: the remote's value of an alias at the time when the alias was moved here."""


@dataclass(frozen=True, slots=True)
class AliasLine:
    """One alias: the version it names, and when it last moved (seconds since the epoch, None without a reflog)."""

    artifact: str
    alias: str
    version: str
    commit: GitId
    moved_s: int | None


def list_aliases(workspace: Workspace, name: str) -> list[AliasLine]:
    """Returns an artifact's aliases, by name."""
    history = workspace.history(workspace.head(name).name)
    lines = []
    for alias, commit in sorted(aliases(history).items()):
        moves = history.reflog(f"refs/aliases/{alias}")
        lines.append(AliasLine(name, alias, label(history, commit), commit, moves[-1].who.time_s if moves else None))
    return lines


def set_alias(workspace: Workspace, name: str, revision: str | None, alias: str) -> AliasLine:
    """Makes an alias name a version, wherever it stood before; its reflog keeps where. Safe to repeat.

    Settles it, too, when it moved here and on the remote: the next push sends what was set now.
    """
    head = settle(workspace, name)
    history = workspace.history(name)
    prefix = "refs/heads/"
    check_alias_name(alias, {ref[len(prefix) :] for ref in history.refs(prefix)})
    commit = resolve(workspace, head, revision or "HEAD")
    named = label(history, commit)
    _move(workspace, head, alias, commit, f"alias: {alias} names {named}")
    return AliasLine(name, alias, named, commit, None)


def delete_alias(workspace: Workspace, name: str, alias: str) -> AliasLine:
    """Removes an alias; `push` removes it from the remote. Raises UnknownRevision when there is none."""
    head = workspace.head(name)
    history = workspace.history(name)
    commit = history.ref(f"refs/aliases/{alias}") or history.ref(_tracking(head, alias))
    if commit is None:
        raise UnknownRevision(name, alias, did_you_mean(alias, aliases(history)))
    _move(workspace, head, alias, None, f"alias: {alias} deleted")
    return AliasLine(name, alias, label(history, commit), commit, None)


def _move(workspace: Workspace, head: Head, alias: str, commit: GitId | None, message: str) -> None:
    """Moves the alias, and notes where the remote's stood as this was decided: push compares against that."""
    history = workspace.history(head.name)
    wanted = {f"refs/aliases/{alias}": commit, f"{BASES}{alias}": history.ref(_tracking(head, alias))}
    updates = [RefUpdate(ref, history.ref(ref), new) for ref, new in wanted.items() if history.ref(ref) != new]
    if updates:
        history.move_refs(updates, message, workspace.actor())


def _tracking(head: Head, alias: str) -> str:
    return f"refs/remotes/{head.origin[0]}/aliases/{alias}"


def alias_bases(history: History) -> dict[str, GitId]:
    """Returns, by alias, where the remote's stood when it was last set here; absent where the remote had none."""
    return {ref[len(BASES) :]: commit for ref, commit in history.refs(BASES).items()}
