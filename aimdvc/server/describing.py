"""What is said of each artifact, in tables that can be searched: read from its newest version when `main` moves.

`.aimd/metadata.json` is anyone's to write. What can't be read, or is too large, says nothing, and refuses no push; what
is found of it is bounded. Texts are kept as they are, and folded, so that no search depends on case.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, delete, insert

from aimdvc.errors import CorruptRepository
from aimdvc.git.graph import Graph
from aimdvc.git.trees import find_entry
from aimdvc.model.commits import RefUpdate
from aimdvc.model.entries import Mode
from aimdvc.model.metadata import Metadata, parse_metadata
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.model.own import METADATA
from aimdvc.server.schema import described, described_values

_FILE_BYTES = 256 << 10
_DESCRIPTION = 10_000
_LABELS = 100
_VALUES = 500
_DEPTH = 5
NAME_LENGTH = 200
VALUE_LENGTH = 300
"""Of a value so many characters count. PostgreSQL's index holds 2,700 bytes of a row."""


@dataclass(frozen=True, slots=True)
class Described:
    """What the metadata of a commit say. `values` are what can be searched for: name and value, folded."""

    commit: GitId
    type: str
    description: str
    labels: tuple[str, ...]
    values: frozenset[tuple[str, str]]


def describe(graph: Graph, commit: GitId) -> Described:
    """Returns what is said of a commit; nothing where that can't be read."""
    try:
        found = _read(graph, commit)
    except CorruptRepository:  # somebody else's, or damaged: it says nothing
        found = Metadata()
    labels = tuple(_text(label)[:NAME_LENGTH] for label in found.labels[:_LABELS])
    values = islice(_values(found.type, labels, found.metadata), _VALUES)
    return Described(
        commit, _text(found.type)[:NAME_LENGTH], _text(found.description)[:_DESCRIPTION], labels, frozenset(values)
    )


def described_by(graph: Graph, change: RefUpdate) -> Described | None:
    """Returns what a move of a ref says of the artifact: one of `main` what its new commit does, any other nothing."""
    return describe(graph, change.new) if change.ref == MAIN and change.new is not None else None


def note_described(connection: Connection, artifact: str, found: Described, version: int) -> None:
    """Keeps what is said of an artifact now, in the transaction that moves its `main`."""
    connection.execute(delete(described_values).where(described_values.c.node == artifact))
    connection.execute(delete(described).where(described.c.node == artifact))
    labels = json.dumps(found.labels)
    shown = {"commit": found.commit, "version": version, "type": found.type, "description": found.description}
    folded = "\n".join((found.description, found.type, *found.labels)).casefold()
    connection.execute(insert(described), {"node": artifact, **shown, "labels": labels, "folded": folded})
    if found.values:
        rows = [{"node": artifact, "name": name, "value": value} for name, value in sorted(found.values)]
        connection.execute(insert(described_values), rows)


def fold(text: str, length: int = VALUE_LENGTH) -> str:
    """Returns a text as it is compared."""
    return _text(text).casefold()[:length]


def _read(graph: Graph, commit: GitId) -> Metadata:
    entry = find_entry(graph.tree, graph.commit(commit).tree, METADATA)
    if entry is None or entry.mode not in (Mode.FILE, Mode.EXECUTABLE):
        return Metadata()
    content = graph.read(entry.git_id)[1]
    return parse_metadata(content) if len(content) <= _FILE_BYTES else Metadata()


def _values(kind: str, labels: tuple[str, ...], metadata: dict[str, object]) -> Iterator[tuple[str, str]]:
    if kind:
        yield "type", fold(kind)
    for label in labels:
        yield "label", fold(label)
    yield from _flat("metadata", metadata, _DEPTH)


def _flat(name: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
    """Yields what a value holds: of an object by the names of its members, of a list each by the list's name."""
    if isinstance(value, dict):
        if depth:
            for member, inner in value.items():
                yield from _flat(f"{name}.{member}", inner, depth - 1)
    elif isinstance(value, list):
        if depth:
            for inner in value:
                yield from _flat(name, inner, depth - 1)
    else:
        text = value if isinstance(value, str) else json.dumps(value)
        yield fold(name, NAME_LENGTH), fold(text)


def _text(text: str) -> str:
    """Returns a text that every database holds: without NUL, and without half of a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
