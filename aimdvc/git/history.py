"""The Git history of one artifact: a bare repository, ordinary enough for stock Git to read.

Objects are read through git/objects.py; refs and writing are ours (design, section 7). Close it.
"""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from aimdvc.errors import CorruptRepository, ShallowHistory
from aimdvc.fs.disk import Disk
from aimdvc.git.commits import parse_commit
from aimdvc.git.graph import NO_ENDS, Deepening, Ends, Graph
from aimdvc.git.kinds import BLOB, COMMIT, TREE
from aimdvc.git.layout import check_format
from aimdvc.git.objects import Objects
from aimdvc.git.packs import git_id_of
from aimdvc.git.reflogs import ReflogLine
from aimdvc.git.refs import Refs
from aimdvc.git.shallow import read_shallow, write_shallow
from aimdvc.git.trees import (
    RawEntry,
    compare_trees,
    edit_tree,
    find_entry,
    iter_files,
)
from aimdvc.git.writer import HistoryWriter
from aimdvc.model.commits import Commit, RefUpdate, Signature
from aimdvc.model.entries import Entry, Mode, path_bytes, path_text
from aimdvc.model.oid import EMPTY_TREE, GitId
from aimdvc.model.pointer import POINTER_LIMIT, Pointer, find_pointer

_CONFIG = b"""[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tlogAllRefUpdates = always
\tfsyncObjectFiles = true
\tprotectNTFS = true
\tprotectHFS = true
[gc]
\tauto = 0
\tpruneExpire = never
\treflogExpire = never
\treflogExpireUnreachable = never
"""

_CACHE_LIMIT = 200_000
LOOSE_REFS = 500
"""Loose refs from which on they are packed: reading so many takes 20 ms."""


class History:
    """The open repository of one artifact."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self.disk = disk
        self._objects = Objects(path)
        self._refs = Refs(path, disk)
        self._graph = Graph(self._objects.read, str(path), read_shallow(path))
        self._pointers: dict[GitId, Pointer | None] = {}

    @classmethod
    def create(cls, path: Path, disk: Disk) -> "History":
        """Makes an empty bare repository. Safe to repeat, also after a crash."""
        for directory in ("objects/pack", "objects/info", "refs/heads", "refs/tags", "info"):
            disk.make_directory(path / directory)
        for name, content in (("config", _CONFIG), ("HEAD", b"ref: refs/heads/main\n")):
            if not (path / name).exists():
                disk.replace_file(path / name, content)
        return cls(path, disk)

    @classmethod
    def open(cls, path: Path, disk: Disk) -> "History":
        """Opens a repository; one that was never finished making is finished. Raises UnsupportedFormat."""
        if not ((path / "HEAD").exists() and (path / "config").exists()):
            return cls.create(path, disk)
        check_format(path)
        return cls(path, disk)

    def close(self) -> None:
        """Closes the packs; a history that is used on looks at them anew."""
        self._objects.close()

    def __enter__(self) -> "History":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Refs

    def refs(self, prefix: str = "refs/") -> dict[str, GitId]:
        """Returns the refs whose names begin with `prefix`."""
        return self._refs.all(prefix)

    def ref(self, name: str) -> GitId | None:
        """Returns where a ref stands, or None."""
        return self._refs.get(name)

    def symbolic_head(self) -> str | None:
        """Returns the branch that the repository's HEAD names."""
        return self._refs.symbolic_head()

    def move_refs(self, updates: Sequence[RefUpdate], message: str, who: Signature) -> None:
        """Moves all of the refs by compare-and-set, or none; durable, with reflogs. Raises RefMoved."""
        self._refs.move(updates, message, who)

    def pack_refs(self) -> int:
        """Moves loose refs into one file; returns how many. Safe to repeat, also after a crash. Raises Busy."""
        return self._refs.pack()

    def has_many_loose_refs(self) -> bool:
        """Returns whether packing the refs is worth it."""
        return self._refs.count_loose() > LOOSE_REFS

    def reflog(self, name: str) -> list[ReflogLine]:
        """Returns the moves of a ref, oldest first."""
        return self._refs.reflog(name)

    def logged(self) -> list[str]:
        """Returns what has a reflog, deleted refs too."""
        return self._refs.logged()

    # Where it ends

    @property
    def shallow(self) -> Collection[GitId]:
        """The commits whose parents are not here; none in a history that is whole."""
        return self._graph.shallow

    def end_at(self, shallow: Collection[GitId]) -> None:
        """Notes at which commits the history ends; durable when it returns."""
        write_shallow(self.path, self.disk, shallow)
        self._graph.shallow = frozenset(shallow)

    def reread_ends(self) -> None:
        """Takes over what another process, git or ours, noted meanwhile."""
        self._graph.shallow = read_shallow(self.path)

    def parents_of(self, commits: Iterable[GitId]) -> set[GitId]:
        """Returns the parents of commits as these name them, also where they are not here."""
        return self._graph.parents_of(commits)

    def deepen(self, tips: Iterable[GitId], depth: int, before: Collection[GitId]) -> Deepening:
        """Returns what sending `depth` commits of each tip makes of a history that ends at `before`."""
        commits = [commit for tip in tips if (commit := self.peel(tip)) is not None]
        return self._graph.deepen(commits, depth, before)

    # Objects

    def has(self, git_id: GitId) -> bool:
        """Returns whether a git object is here."""
        return self._objects.has(git_id)

    def read_object(self, git_id: GitId) -> tuple[int, bytes]:
        """Returns a git object's type and content. Raises CorruptRepository when it is missing or damaged."""
        return self._objects.read(git_id)

    def read_blob(self, git_id: GitId) -> bytes:
        """Returns a git blob's content."""
        return self._graph.content(git_id, BLOB)

    def blob_size(self, git_id: GitId) -> int:
        """Returns a git blob's size in bytes."""
        return len(self._graph.content(git_id, BLOB))

    def read_tree(self, git_id: GitId) -> bytes:
        """Returns a tree's raw content."""
        return self._graph.tree(git_id)

    # Commits

    def commit(self, git_id: GitId) -> Commit:
        """Returns a commit; an annotated tag leads to what it names. Raises CorruptRepository.

        Where a shallow history ends, a commit has no parents.
        """
        return self._graph.commit(git_id)

    def peel(self, git_id: GitId) -> GitId | None:
        """Returns the commit that a ref's value means, through annotated tags; None when it is a tree or a blob."""
        return self._graph.peel(git_id)

    def is_whole_tip(self, git_id: GitId) -> bool:
        """Returns whether a ref may stand here: what it names is here and, of a commit, the tree. Looks no deeper."""
        try:
            if not self.has(git_id):
                return False
            *_, (last, kind, content) = self._graph.iter_peeled(git_id)
            tree = parse_commit(last, content).tree if kind == COMMIT else EMPTY_TREE
            return tree == EMPTY_TREE or self.has(tree)
        except CorruptRepository:
            return False

    def iter_log(self, start: GitId) -> Iterator[Commit]:
        """Yields commits from `start` back, newest first."""
        first = self.commit(start)
        heap = [(-first.committer.time_s, 0, first)]
        seen = {first.id}
        while heap:
            commit = heapq.heappop(heap)[2]
            yield commit
            for parent in commit.parents:
                if parent not in seen:
                    seen.add(parent)
                    found = self.commit(parent)
                    heapq.heappush(heap, (-found.committer.time_s, len(seen), found))

    def iter_line(self, start: GitId) -> Iterator[Commit]:
        """Yields commits from `start` back, by first parents."""
        current: GitId | None = start
        while current is not None:
            commit = self.commit(current)
            yield commit
            current = commit.parents[0] if commit.parents else None

    def new_commits(self, tips: Iterable[GitId], have: Iterable[GitId], is_exact: bool = False) -> list[Commit]:
        """Returns the commits that `tips` reach and `have` don't, newest first, as `Graph.new_commits`."""
        wanted, known = (
            {commit for git_id in some if (commit := self.peel(git_id)) is not None} for some in (tips, have)
        )
        return self._graph.new_commits(wanted, known, is_exact=is_exact)[0]

    def is_ancestor(self, ancestor: GitId, tip: GitId) -> bool:
        """Returns whether `tip` reaches `ancestor`; a commit reaches itself."""
        return self._graph.is_ancestor(self.commit(ancestor).id, self.commit(tip).id)

    def merge_base(self, one: GitId, other: GitId) -> GitId | None:
        """Returns the newest commit that both reach and that no other such commit reaches, or None."""
        return self._graph.merge_base(self.commit(one).id, self.commit(other).id)

    def expand(self, prefix: str) -> list[GitId]:
        """Returns the commits whose ids begin with these hex digits."""
        found = []
        for git_id in self._objects.iter_prefix(prefix):
            if self.read_object(git_id)[0] == COMMIT:
                found.append(git_id)
        return sorted(set(found))

    # Trees

    def iter_entries(self, tree: GitId | None) -> Iterator[Entry]:
        """Yields a tree's files, links and gitlinks in the order of the tree, pointers resolved."""
        if tree is not None and tree != EMPTY_TREE:
            for raw in iter_files(self.read_tree, tree):
                yield self._entry(raw)

    def tree_changes(self, old: GitId | None, new: GitId | None) -> Iterator[tuple[Entry | None, Entry | None]]:
        """Yields the entries that differ, work proportional to what does."""
        for before, after in compare_trees(self.read_tree, old, new):
            yield (self._entry(before) if before else None), (self._entry(after) if after else None)

    def entry(self, tree: GitId | None, path: str) -> Entry | None:
        """Returns the entry at a path, or None; a directory is none."""
        node = find_entry(self.read_tree, tree, path) if tree else None
        if node is None or node.mode == Mode.TREE:
            return None
        return self._entry(RawEntry(path_bytes(path), node.mode, node.git_id))

    def entry_of(self, path: str, mode: int, git_id: GitId) -> Entry:
        """Returns the entry that a git object is at a path."""
        return self._entry(RawEntry(path_bytes(path), mode, git_id))

    def _entry(self, raw: RawEntry) -> Entry:
        pointer = self._pointer(raw.git_id) if raw.mode in (Mode.FILE, Mode.EXECUTABLE) else None
        return Entry(path_text(raw.path), raw.mode, raw.git_id, pointer)

    def _pointer(self, git_id: GitId) -> Pointer | None:
        cache = self._pointers
        if git_id in cache:
            return cache[git_id]
        content = self._graph.content(git_id, BLOB)
        pointer = find_pointer(content) if len(content) < POINTER_LIMIT else None
        if len(cache) >= _CACHE_LIMIT:
            cache.clear()
        cache[git_id] = pointer
        return pointer

    def iter_missing_objects(
        self, tips: Iterable[GitId], have: Collection[GitId], ends: Ends = NO_ENDS
    ) -> Iterator[GitId]:
        """Yields the ids of all git objects that `tips` reach and `have` don't, as `Graph.iter_missing`.

        Raises ShallowHistory for what would need commits that are not here.
        """
        for git_id in self._graph.iter_missing(tips, have, ends):
            if git_id in self.shallow and git_id not in ends.sent:
                raise ShallowHistory(str(self.path))
            yield git_id

    def tree_id(self, base: GitId | None, edits: Mapping[str, tuple[int, GitId] | None]) -> GitId:
        """Returns the id of the tree that edits make of `base`; writes nothing."""
        made: dict[GitId, bytes] = {}

        def name(content: bytes) -> GitId:
            git_id = git_id_of(TREE, content)
            made[git_id] = content
            return git_id

        return edit_tree(lambda tree: made[tree] if tree in made else self.read_tree(tree), name, base, edits)

    def writer(self) -> "HistoryWriter":
        """Returns a writer, to use as a context manager: all it wrote is durable when that ends."""
        return HistoryWriter(self.path, self.read_tree, self.disk)
