"""Which refs a push may make and move, before any transaction: names, types, what never changes.

Refusals are worded for the pusher; where stock Git knows a wording, it is used, since Git adds its own hint.
"""

import re
from collections.abc import Mapping

from dulwich.refs import check_ref_format

from aimdvc.errors import InvalidName
from aimdvc.git.graph import Graph
from aimdvc.git.kinds import COMMIT
from aimdvc.model.commits import RefUpdate
from aimdvc.model.entries import path_bytes
from aimdvc.model.names import MAIN, check_alias_name
from aimdvc.server.lineage import told_in
from aimdvc.server.refs import VERSION_TAG, Move, Ref, unmoved_version
from aimdvc.server.repositories import unnumbered

_KEPT = ("refs/heads/", "refs/tags/", "refs/aliases/", "refs/notes/")
_CONFUSED = ("refs/heads/aliases/", "refs/heads/tags/", "refs/heads/heads/", "refs/heads/refs/")
_BELOW_VERSION = re.compile(VERSION_TAG.pattern + "/", re.IGNORECASE)
_MAX_NAME = 400


def check_move(graph: Graph, refs: Mapping[str, Ref], change: RefUpdate) -> Move | str:
    """Returns the checked move, or why it is refused."""
    refusal = _name_refusal(refs, change) or _protection(refs, change)
    if refusal is not None:
        return refusal
    if change.new is None:
        return Move(change, abandons=abandons(graph, change))
    *_, (peeled, kind, _) = graph.iter_peeled(change.new)
    wants_commit = change.ref.startswith(("refs/heads/", "refs/aliases/", "refs/notes/"))
    if (wants_commit or VERSION_TAG.fullmatch(change.ref)) and (kind != COMMIT or peeled != change.new):
        return "it is not a commit"
    if change.ref == MAIN:
        if change.old is not None and not graph.is_ancestor(change.old, change.new):
            return "non-fast-forward"
        line = tuple(unnumbered(graph, change.old, change.new))
        named, made = told_in(graph, line)
        return Move(change, line=line, named=named, made=made)
    return Move(change, peeled if peeled != change.new else None, abandons=abandons(graph, change))


def abandons(graph: Graph, change: RefUpdate) -> bool:
    """Returns whether a ref leaves commits behind that it reached.

    Errs on the safe side: what an older commit of another ref still reaches may be called abandoned.
    """
    if change.old is None:
        return False
    old, new = graph.peel(change.old), graph.peel(change.new) if change.new is not None else None
    return old is None or new is None or not graph.is_ancestor(old, new)


def _name_refusal(refs: Mapping[str, Ref], change: RefUpdate) -> str | None:
    ref = change.ref
    if change.new is None:
        return None
    raw = path_bytes(ref)
    if len(raw) > _MAX_NAME or not ref.isprintable() or not check_ref_format(raw):  # type: ignore[arg-type]
        return "funny refname"
    if ref.startswith(_CONFUSED):
        kind = ref.split("/")[2]
        return f"'{ref}' is a branch; to move {kind} push to refs/{kind}/"
    if ref != MAIN and f"{ref.casefold()}/".startswith(f"{MAIN}/"):
        return f"conflicts with {MAIN}"
    if _BELOW_VERSION.match(ref):
        return "versions are numbered by the server"
    if not ref.startswith(_KEPT):
        return "only refs/heads, refs/tags, refs/aliases and refs/notes are kept here"
    if ref.startswith("refs/aliases/") and change.old is None:
        branches = [name.removeprefix("refs/heads/") for name in refs if name.startswith("refs/heads/")]
        try:
            check_alias_name(ref.removeprefix("refs/aliases/"), branches)
        except InvalidName as error:
            return error.message
    if ref.startswith("refs/heads/") and f"refs/aliases/{ref.removeprefix('refs/heads/')}" in refs:
        return "an alias has this name"
    return None


def _protection(refs: Mapping[str, Ref], change: RefUpdate) -> str | None:
    ref = change.ref
    if VERSION_TAG.fullmatch(ref):
        return unmoved_version(refs, change)
    if ref == MAIN and change.new is None:
        return "main can't be deleted"
    return None
