"""What a server tells of lineage (docs/protocol.md, Lineage): one question, and its answer read with care.

A server may be anyone's: what is malformed in an answer is passed over.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from aimdvc.model.lineage import find_trial, one_line
from aimdvc.model.oid import GitId, is_git_id
from aimdvc.remote.session import Session

_ANSWER_BYTES = 16 << 20
_VERSIONS = 1000
_TEXT = 4096


class Trial(NamedTuple):
    """A trial: its id, its name and its folder on the server, None where the server doesn't show it."""

    id: str
    name: str | None = None
    folder: str | None = None


class Edge(NamedTuple):
    """One version was read to make another. `name` is what a trailer calls the input, `trial` which trial says so."""

    input: GitId
    output: GitId
    name: str | None = None
    trial: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A version in a lineage: `artifact` is its name here, else its path on the server; `depth` counts steps.

    `code`, `command` and `trial` made it, as far as that is known. `is_here` says whether its commit is.
    """

    commit: GitId
    artifact: str
    version: str | None
    depth: int
    code: str | None = None
    command: str | None = None
    trial: Trial | None = None
    is_here: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A server's answer. `is_whole` is False where it ended at its bounds."""

    versions: Mapping[GitId, Version]
    edges: tuple[Edge, ...]
    is_whole: bool


def ask(session: Session, origin: str, path: str, commit: GitId, **how: str) -> Told | None:
    """Returns what a server tells of the lineage of an artifact's version; None where it knows none, or no lineage.

    One round trip, tried once. Raises RemoteError, NotAuthorised.
    """
    query = urlencode({"version": commit, "limit": str(_VERSIONS), **how})
    url = f"{origin}/api/v1/lineage/{quote(path)}?{query}"
    reply = session.send("GET", url, {"Accept": "application/json"}, is_repeatable=False)
    if reply.status == 404:
        reply.message()
        return None
    if reply.status != 200:
        raise session.refusal(url, reply)
    if not reply.headers.get("content-type", "").startswith("application/json"):
        reply.close()
        return None
    answer = reply.read_json(_ANSWER_BYTES)
    versions = {one.commit: one for one in _versions(answer)}
    return Told(versions, tuple(_edges(answer)), answer.get("is_whole") is not False)


def _versions(answer: Mapping[str, object]) -> Iterator[Version]:
    for raw in _objects(answer.get("versions")):
        commit, artifact = _commit(raw, "commit"), _text(raw, "artifact")
        if commit is None or artifact is None:
            continue
        said = raw.get("trial")
        name = find_trial(_text(said, "id")) if isinstance(said, dict) else None
        trial = Trial(name, _text(said, "name"), _text(said, "folder")) if name is not None else None
        texts = (_text(raw, "code"), _text(raw, "command"))
        yield Version(commit, artifact, _text(raw, "version"), 0, *texts, trial)


def _edges(answer: Mapping[str, object]) -> Iterator[Edge]:
    for raw in _objects(answer.get("edges")):
        read, made = _commit(raw, "input"), _commit(raw, "output")
        if read is not None and made is not None:
            yield Edge(read, made, _text(raw, "name"), find_trial(_text(raw, "trial")))


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def _commit(raw: dict[str, Any], name: str) -> GitId | None:
    value = raw.get(name)
    return GitId(value) if isinstance(value, str) and is_git_id(value) else None


def _text(raw: Any, name: str) -> str | None:
    value = raw.get(name)
    return one_line(value[:_TEXT]) or None if isinstance(value, str) else None
