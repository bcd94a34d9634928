"""`lineage`: what a version was made from, or what was made from it, by what is here and what servers add.

Here: the trailers of the commits of the workspace's artifacts. A server is asked about the version itself, and about
those of artifacts with another server; what could not be asked is told with the result, and stops nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from aimdvc.errors import CorruptRepository, NotAuthorised, RemoteError, UnsafeUrl
from aimdvc.model.commits import Commit
from aimdvc.model.lineage import Making, parse_making
from aimdvc.model.oid import GitId
from aimdvc.ops.making import server_path
from aimdvc.ops.revisions import labels
from aimdvc.ops.told_lineage import Edge, Told, Trial, Version, ask
from aimdvc.ops.workspace import Workspace
from aimdvc.remote.session import Session
from aimdvc.remote.urls import origin_of, shown
from aimdvc.store.state import Head

UP, DOWN = "up", "down"
_MOST_QUESTIONS = 20


@dataclass(frozen=True, slots=True)
class NotAsked:
    """A server that could have told more, and why it did not."""

    origin: str
    why: str


@dataclass(slots=True)
class Lineage:
    """A graph: versions, the nearest first, and which of them were read to make which.

    An input among the edges that is no version is known by its commit alone, and by what a trailer calls it.
    """

    artifact: str
    commit: GitId
    direction: str
    versions: dict[GitId, Version] = field(default_factory=dict)
    edges: dict[tuple[GitId, GitId], Edge] = field(default_factory=dict)
    not_asked: list[NotAsked] = field(default_factory=list)
    is_whole: bool = True

    def unknown(self) -> Iterator[Edge]:
        """Yields the edges that lead to an input of which nothing more is known."""
        return (edge for edge in self.edges.values() if edge.input not in self.versions)


@dataclass(frozen=True, slots=True)
class Wish:
    """From where, which way and how many steps; `session` None asks no server."""

    commit: GitId
    direction: str
    depth: int
    session: Callable[[], Session] | None


def lineage(workspace: Workspace, head: Head, wish: Wish) -> Lineage:
    """Returns the lineage of a version of an artifact that is here. Raises CorruptRepository for a damaged history."""
    here = _Here(workspace)
    servers = _Servers(workspace, wish)
    found = Lineage(head.name, wish.commit, wish.direction)
    level: dict[GitId, str] = {wish.commit: head.name}
    for depth in range(wish.depth + 1):
        following: dict[GitId, str] = {}
        for commit, name in level.items():
            holder = head if commit == wish.commit else here.holder(commit, name)
            if holder is not None:
                servers.ask(holder, commit)
            version = _version(here, servers, holder, commit, depth)
            if version is not None:
                found.versions[commit] = version
        for edge in _edges(here, servers, level, found, wish.direction):
            other = edge.input if wish.direction == UP else edge.output
            if depth == wish.depth and other not in found.versions:
                found.is_whole = False
                continue
            found.edges.setdefault((edge.input, edge.output), edge)
            if other not in found.versions:
                following.setdefault(other, edge.name or "")
        level = following
        if not level:
            break
    found.not_asked = servers.not_asked
    found.is_whole = found.is_whole and servers.is_whole
    return found


def _version(here: "_Here", servers: "_Servers", holder: Head | None, commit: GitId, depth: int) -> Version | None:
    told = servers.versions.get(commit)
    if holder is None:
        return replace(told, depth=depth) if told is not None else None
    making = here.making(holder, commit)
    trial = Trial(making.trial) if making.trial is not None else None
    if told is not None and told.trial is not None and (trial is None or trial.id == told.trial.id):
        trial = told.trial
    version = here.label(holder, commit) or (told.version if told is not None else None)
    return Version(commit, holder.name, version, depth, making.code, making.command, trial, True)


def _edges(
    here: "_Here", servers: "_Servers", level: Mapping[GitId, str], found: Lineage, direction: str
) -> Iterator[Edge]:
    """Yields the edges of one step, each server's after what is here: a trailer's name for an input goes first."""
    for commit in level:
        version = found.versions.get(commit)
        if direction == DOWN:
            yield from here.users(commit)
        elif version is not None and version.is_here:
            yield from here.inputs(version.artifact, commit)
    for edge in servers.edges:
        if (edge.output if direction == UP else edge.input) in level:
            yield edge


class _Here:
    """The commits of the workspace's artifacts."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._heads = [head for head in workspace.state.heads() if workspace.repository_path(head.name).exists()]
        self._labels: dict[str, dict[GitId, str]] = {}
        self._users: dict[GitId, list[Edge]] | None = None

    def holder(self, commit: GitId, name: str) -> Head | None:
        """Returns the artifact that has a commit, of several the one that is called so."""
        found = [head for head in self._heads if self._commit(head, commit) is not None]
        called = [head for head in found if name in (head.name, server_path(self._workspace, head))]
        return next(iter(called or found), None)

    def making(self, head: Head, commit: GitId) -> Making:
        """Returns what a commit says that made it."""
        found = self._commit(head, commit)
        return parse_making(found.message) if found is not None else Making()

    def label(self, head: Head, commit: GitId) -> str | None:
        """Returns the number of a version, None where it has none."""
        if head.name not in self._labels:
            self._labels[head.name] = labels(self._workspace.history(head.name))
        return self._labels[head.name].get(commit)

    def inputs(self, name: str, commit: GitId) -> Iterator[Edge]:
        """Yields what a commit says that it was made from."""
        head = self._workspace.head(name)
        return (Edge(one.commit, commit, one.name) for one in self.making(head, commit).inputs)

    def users(self, commit: GitId) -> list[Edge]:
        """Returns what commits here say that they were made from this one. Reads all of them, the first time."""
        if self._users is None:
            self._users = {}
            for head in self._heads:
                for made in self._all(head):
                    for one in parse_making(made.message).inputs:
                        self._users.setdefault(one.commit, []).append(Edge(one.commit, made.id, one.name))
        return self._users.get(commit, [])

    def _all(self, head: Head) -> Iterable[Commit]:
        history = self._workspace.history(head.name)
        tips = {tip for ref in history.refs().values() if (tip := history.peel(ref)) is not None}
        return history.new_commits(tips, [])

    def _commit(self, head: Head, commit: GitId) -> Commit | None:
        history = self._workspace.history(head.name)
        try:
            return history.commit(commit) if history.has(commit) else None
        except CorruptRepository:  # A trailer may name what is no commit.
            return None


class _Servers:
    """What servers tell, each asked as little as will do."""

    def __init__(self, workspace: Workspace, wish: Wish) -> None:
        self._workspace = workspace
        self._wish = wish
        self._done: set[str] = set()
        self._questions = 0
        self.versions: dict[GitId, Version] = {}
        self.edges: list[Edge] = []
        self.not_asked: list[NotAsked] = []
        self.is_whole = True

    def ask(self, head: Head, commit: GitId) -> None:
        """Asks an artifact's server about a version, unless it has told of another one, or failed."""
        url = self._workspace.settings.remotes.get(head.origin[0]) or ""
        if self._wish.session is None or not url.lower().startswith(("http://", "https://")):
            return
        try:
            origin = origin_of(url)
        except UnsafeUrl as error:
            self.not_asked.append(NotAsked(shown(url), error.message))
            return
        if origin in self._done or self._questions >= _MOST_QUESTIONS:
            return
        self._questions += 1
        how = {"direction": self._wish.direction, "depth": str(self._wish.depth)}
        try:
            told = ask(self._wish.session(), origin, server_path(self._workspace, head), commit, **how)
        except (RemoteError, NotAuthorised) as error:
            self._done.add(origin)
            self.not_asked.append(NotAsked(origin, error.message))
            return
        if told is not None:
            self._done.add(origin)
            self._take(told)

    def _take(self, told: Told) -> None:
        self.versions.update(told.versions)
        self.edges.extend(told.edges)
        self.is_whole = self.is_whole and told.is_whole
