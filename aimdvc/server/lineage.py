"""Lineage in SQL: what made each version, from the trailers of its commit, and the walk from one version to others.

Noted in the transaction that numbers a version; `aimdvc server reindex` does it for those from before. What trials say
that they read and made counts as well (trials.py). A version is found by its commit alone: where several artifacts have
it, what a trailer calls it decides. Nothing is found that a caller may not view.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, select
from sqlalchemy.dialects import postgresql, sqlite

from aimdvc.git.graph import Graph
from aimdvc.model.commits import trailer
from aimdvc.model.entries import path_text
from aimdvc.model.lineage import Making, find_trial, parse_making
from aimdvc.model.names import VERSION_TAG
from aimdvc.model.oid import GitId
from aimdvc.server.aimd_ids import ID_TRAILER, dashed, find_id
from aimdvc.server.rights import Caller
from aimdvc.server.schema import aimd_versions, lineage, made_from, makings, refs, trials
from aimdvc.server.tree import grouped, paths_of, visible_among

_MOST_EDGES = 10_000
_PAGE = 1000


def told_in(graph: Graph, commits: Iterable[GitId]) -> tuple[dict[GitId, str], dict[GitId, Making]]:
    """Returns the ids that commits themselves say they have, and what made them. Raises CorruptRepository."""
    named: dict[GitId, str] = {}
    made: dict[GitId, Making] = {}
    for commit in commits:
        message = graph.commit(commit).message
        name, making = find_id(trailer(message, ID_TRAILER)), parse_making(message)
        if name is not None:
            named[commit] = name
        if making.says_something:
            made[commit] = making
    return named, made


def note_makings(connection: Connection, made: Mapping[GitId, Making]) -> None:
    """Notes what made versions. Safe to repeat, for any artifact that has them: a commit says the same for ever."""
    rows = [
        {"commit": commit, "code": one.code, "trial": find_id(one.trial), "command": one.command}
        for commit, one in made.items()
    ]
    edges = [
        {"commit": commit, "input": read.commit, "name": read.name}
        for commit, one in made.items()
        for read in one.inputs
    ]
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for table, found in ((makings, rows), (made_from, edges)):
        if found:
            # Sorted, so that two transactions never wait for each other.
            connection.execute(
                insert(table).on_conflict_do_nothing(), sorted(found, key=lambda row: row["commit"] or "")
            )


class Edge(NamedTuple):
    """One version was read to make another. `name` is what a trailer calls the input, `trial` which trial says so."""

    input: GitId
    output: GitId
    name: str | None
    trial: str | None


@dataclass(slots=True)
class Found:
    """What a walk found: the artifact of each commit and how many steps away it is, and the edges walked.

    An edge may lead to an input that isn't found. `is_whole` is False where a walk ended at its bounds.
    """

    artifacts: dict[GitId, str]
    depths: dict[GitId, int]
    edges: dict[tuple[GitId, GitId], Edge] = field(default_factory=dict)
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a walk goes: steps, and versions."""

    depth: int
    versions: int


class Walk:
    """Walks lineage for one caller, within a transaction."""

    def __init__(self, connection: Connection, caller: Caller) -> None:
        self._connection = connection
        self._caller = caller
        self._seen: dict[str, bool] = {}

    def up(self, artifact: str, start: GitId, making: Making, bounds: Bounds) -> Found:
        """Returns what a version was made from, and that from: `making` is what its own commit says."""

        def step(level: Mapping[GitId, str]) -> Iterator[tuple[Edge, str | None]]:
            said = [Edge(one.commit, start, one.name, None) for one in making.inputs if start in level]
            edges = said + self._said(level)
            found = self._find(edges)
            yield from ((edge, found.get(edge.input)) for edge in edges)
            yield from self._by_trials(level, True)

        return self._walk(artifact, start, bounds, step, lambda edge: edge.input)

    def down(self, artifact: str, start: GitId, bounds: Bounds) -> Found:
        """Returns what was made from a version, and from that."""

        def step(level: Mapping[GitId, str]) -> Iterator[tuple[Edge, str | None]]:
            yield from self._users(level)
            yield from self._by_trials(level, False)

        return self._walk(artifact, start, bounds, step, lambda edge: edge.output)

    def _walk(
        self,
        artifact: str,
        start: GitId,
        bounds: Bounds,
        step: Callable[[Mapping[GitId, str]], Iterator[tuple[Edge, str | None]]],
        end: Callable[[Edge], GitId],
    ) -> Found:
        found = Found({start: artifact}, {start: 0})
        level = {start: artifact}
        depth = 0
        while level:
            depth += 1
            following: dict[GitId, str] = {}
            for count, (edge, other) in enumerate(step(level)):
                commit = end(edge)
                if max(count, len(found.edges)) >= _MOST_EDGES:
                    found.is_whole = False
                    break
                is_new = other is not None and commit not in found.artifacts
                if is_new and (depth > bounds.depth or len(found.artifacts) >= bounds.versions):
                    found.is_whole = False
                    continue
                found.edges.setdefault((edge.input, edge.output), edge)
                if is_new and other is not None:
                    following[commit] = found.artifacts[commit] = other
                    found.depths[commit] = depth
            level = following
        return found

    def _said(self, level: Mapping[GitId, str]) -> list[Edge]:
        """Returns what the commits of a level say that they were made from."""
        return [
            Edge(GitId(row.input), GitId(row.commit), row.name, None)
            for group in grouped(sorted(level))
            for row in self._connection.execute(
                _bounded(select(made_from).where(made_from.c.commit.in_(group)), made_from.c.commit, made_from.c.input)
            )
        ]

    def _find(self, edges: Collection[Edge]) -> dict[GitId, str]:
        """Returns the artifacts that have the inputs, of several the one that is called so."""
        places: dict[GitId, list[str]] = {}
        for group in grouped(sorted({edge.input for edge in edges})):
            query = select(aimd_versions.c.artifact, aimd_versions.c.commit).where(aimd_versions.c.commit.in_(group))
            for row in self._visible(query, ("artifact",)):
                places.setdefault(GitId(row.commit), []).append(row.artifact)
        several = {artifact for found in places.values() if len(found) > 1 for artifact in found}
        paths = paths_of(self._connection, several)
        called = {(edge.input, edge.name) for edge in edges}
        return {
            commit: min(found, key=lambda one: ((commit, paths.get(one)) not in called, paths.get(one, ""), one))
            for commit, found in places.items()
        }

    def _users(self, level: Mapping[GitId, str]) -> Iterator[tuple[Edge, str]]:
        """Yields the versions that say they were made from those of a level."""
        made = aimd_versions.alias("made")
        for group in grouped(sorted(level)):
            query = (
                select(made_from, made.c.artifact)
                .join(made, made.c.commit == made_from.c.commit)
                .where(made_from.c.input.in_(group))
                .order_by(made_from.c.commit, made.c.artifact)
            )
            for row in self._visible(query, ("artifact",)):
                yield Edge(GitId(row.input), GitId(row.commit), row.name, None), row.artifact

    def _by_trials(self, level: Mapping[GitId, str], is_up: bool) -> Iterator[tuple[Edge, str]]:
        """Yields what trials say that they read to make the versions of a level, or made from these."""
        made, used = aimd_versions.alias("made"), aimd_versions.alias("used")
        output, read = lineage.alias("output"), lineage.alias("read")
        here, there = (made, used) if is_up else (used, made)
        columns = (used.c.commit.label("input"), made.c.commit.label("output"), trials.c.id, trials.c.folder)
        for group in grouped(sorted(level)):
            query = (
                select(*columns, there.c.artifact, here.c.artifact.label("own"))
                .join_from(made, output, (output.c.version == made.c.id) & (output.c.relation == "output"))
                .join(trials, trials.c.id == output.c.trial)
                .join(read, (read.c.trial == trials.c.id) & (read.c.relation == "input"))
                .join(used, used.c.id == read.c.version)
                .where(here.c.commit.in_(group))
                .order_by(there.c.commit, there.c.artifact)
            )
            for row in self._visible(query, ("artifact", "own", "folder")):
                yield Edge(GitId(row.input), GitId(row.output), None, dashed(row.id)), row.artifact

    def _visible(self, query: Select[Any], columns: Sequence[str]) -> Iterator[Row[Any]]:
        """Yields the rows whose nodes in these columns are all the caller's to view.

        Asked for a page of rows at a time: to join what is visible in one query took SQLite minutes for 100,000 rows.
        """
        with self._connection.execute(query.execution_options(yield_per=_PAGE)) as result:
            for page in result.partitions():
                self._look({getattr(row, name) for row in page for name in columns})
                yield from (row for row in page if all(self._seen[getattr(row, name)] for name in columns))

    def _look(self, ids: set[str]) -> None:
        new = ids - self._seen.keys()
        seen = visible_among(self._connection, self._caller, new) if new else set()
        self._seen |= {node: node in seen for node in new}

    # What is known of what was found

    def makings(self, commits: Iterable[GitId]) -> dict[GitId, Making]:
        """Returns what versions say that made them, but for their inputs; nothing of those that say nothing."""
        return {
            GitId(row.commit): Making((), row.code, find_trial(row.trial), row.command)
            for group in grouped(sorted(commits))
            for row in self._connection.execute(select(makings).where(makings.c.commit.in_(group)))
        }

    def trials(self, names: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Returns name and folder's id of those of the trials that the caller may view, by id with dashes."""
        found: dict[str, tuple[str, str]] = {}
        for group in grouped(sorted({name.replace("-", "") for name in names})):
            query = select(trials.c.id, trials.c.name, trials.c.folder).where(trials.c.id.in_(group))
            found |= {dashed(row.id): (row.name, row.folder) for row in self._visible(query, ("folder",))}
        return found

    def ids(self, artifacts: Mapping[GitId, str]) -> dict[GitId, str]:
        """Returns the ids by which AIMD clients know versions, as far as they were noted."""
        return {
            GitId(row.commit): dashed(row.id)
            for group in grouped(sorted(artifacts))
            for row in self._connection.execute(select(aimd_versions).where(aimd_versions.c.commit.in_(group)))
            if artifacts[GitId(row.commit)] == row.artifact
        }

    def numbers(self, artifacts: Mapping[GitId, str]) -> dict[GitId, str]:
        """Returns the numbers that versions have, as `v3`."""
        found: dict[GitId, str] = {}
        start, end = b"refs/tags/v", b"refs/tags/w"
        for group in grouped(sorted(artifacts)):
            here = refs.c.artifact.in_(sorted({artifacts[GitId(commit)] for commit in group}))
            is_tag = (refs.c.name >= start) & (refs.c.name < end)
            for row in self._connection.execute(select(refs).where(here, is_tag, refs.c.target.in_(group))):
                name = path_text(row.name)
                if VERSION_TAG.fullmatch(name) and artifacts[GitId(row.target)] == row.artifact:
                    found[GitId(row.target)] = name.removeprefix("refs/tags/")
        return found


def _bounded(query: Select[Any], *order: ColumnElement[str]) -> Select[Any]:
    return query.order_by(*order).limit(_MOST_EDGES)
