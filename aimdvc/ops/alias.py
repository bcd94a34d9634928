"""`alias`: movable names for versions, kept as refs with a reflog. `push` sends them, `fetch` brings them."""

from dataclasses import dataclass

from aimdvc.errors import UnknownRevision
from aimdvc.model.commits import RefUpdate
from aimdvc.model.names import check_alias_name
from aimdvc.model.oid import GitId
from aimdvc.ops.revisions import aliases, label, resolve
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace


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
    """Makes an alias name a version, wherever it stood before; its reflog keeps where. Safe to repeat."""
    head = settle(workspace, name)
    history = workspace.history(name)
    prefix = "refs/heads/"
    check_alias_name(alias, {ref[len(prefix) :] for ref in history.refs(prefix)})
    commit = resolve(history, name, revision or "HEAD", head.commit)
    ref = f"refs/aliases/{alias}"
    old = history.ref(ref)
    if old != commit:
        message = f"alias: {alias} names {label(history, commit)}"
        history.move_refs([RefUpdate(ref, old, commit)], message, workspace.actor())
    return AliasLine(name, alias, label(history, commit), commit, None)


def delete_alias(workspace: Workspace, name: str, alias: str) -> AliasLine:
    """Removes an alias; `push` removes it from the remote. Raises UnknownRevision when there is none."""
    history = workspace.history(workspace.head(name).name)
    ref = f"refs/aliases/{alias}"
    commit = history.ref(ref)
    if commit is None:
        raise UnknownRevision(name, alias)
    history.move_refs([RefUpdate(ref, commit, None)], f"alias: {alias} deleted", workspace.actor())
    return AliasLine(name, alias, label(history, commit), commit, None)
