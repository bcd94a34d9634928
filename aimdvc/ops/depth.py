"""A fetch that brings only the newest versions: which of a remote's commits it asks for, and how deep.

A remote that offers no shallow history gives all of it, as for any Git client.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aimdvc.errors import UnknownRevision
from aimdvc.git.graph import WHOLE_DEPTH
from aimdvc.git.transport import RemoteRefs
from aimdvc.model.names import VERSION_TAG
from aimdvc.model.oid import GitId
from aimdvc.model.selector import parse_revision
from aimdvc.ops.revisions import what_there_is

SHALLOW = "shallow"
"""The capability of a remote that can send a part of a history (Git, gitprotocol-capabilities(5))."""
_HEX = re.compile(r"[0-9a-f]{4,40}")


@dataclass(frozen=True, slots=True)
class Depth:
    """How much of a history is to come: `commits` from each tip, that included; `tips` are revisions of the remote.

    `WHOLE` is all of it, of every ref.
    """

    commits: int
    tips: tuple[str, ...] = ("main",)


WHOLE = Depth(WHOLE_DEPTH)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a remote is asked for: tips as it advertised them, and how many commits from each."""

    wants: tuple[GitId, ...]
    commits: int


def ask(artifact: str, named: Mapping[str, GitId], known: RemoteRefs, depth: Depth) -> Asked | None:
    """Returns what to ask for; None when only the whole history can have it. `named` are its refs, without `refs/`.

    Raises UnknownRevision.
    """
    if depth.commits == WHOLE_DEPTH or SHALLOW not in known.capabilities:
        return None
    wants: list[GitId] = []
    commits = depth.commits
    for tip in depth.tips:
        revision = parse_revision(tip)
        found = _find(named, revision.base)
        if found is not None:
            wants.append(found)
        elif _HEX.fullmatch(revision.base) or "@{" in revision.base:
            return None
        elif named:
            raise UnknownRevision(artifact, tip, _what_there_is(named))
        commits = max(commits, depth.commits + len(revision.steps))
    return Asked(tuple(dict.fromkeys(wants)), commits)


def _find(named: Mapping[str, GitId], base: str) -> GitId | None:
    """Returns the tip that a revision begins with, in the order in which revisions are looked up here."""
    name = "main" if base in ("latest", "HEAD") else base
    for kind in ("tags", "aliases", "heads"):
        if f"{kind}/{name}" in named:
            return named[f"{kind}/{name}"]
    if _HEX.fullmatch(base) is None:
        return None
    found = {commit for commit in named.values() if commit.startswith(base)}
    return found.pop() if len(found) == 1 else None


def _what_there_is(named: Mapping[str, GitId]) -> str:
    numbers = [int(match[1]) for name in named if (match := VERSION_TAG.fullmatch(f"refs/{name}"))]
    return what_there_is(numbers, [name.removeprefix("aliases/") for name in named if name.startswith("aliases/")])


def followed_tips(named: Mapping[str, GitId], tracked: Iterable[str]) -> set[GitId]:
    """Returns the tips that a shallow history follows: of main, and of the branches that it tracks already."""
    return {named[ref] for ref in {"heads/main", *tracked} if ref in named}
