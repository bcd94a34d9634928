"""The Git history of one artifact: a bare repository, ordinary enough for stock Git to read.

Objects are read through git/objects.py; refs and writing are ours (design, section 7). Close it.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from aimdvc.errors import CorruptRepository
from aimdvc.fs.disk import Disk
from aimdvc.git.commits import parse_commit, tag_target
from aimdvc.git.kinds import BLOB, COMMIT, KIND_NAMES, TAG, TREE
from aimdvc.git.layout import check_format
from aimdvc.git.objects import Objects
from aimdvc.git.packs import git_id_of
from aimdvc.git.reflogs import ReflogLine
from aimdvc.git.refs import Refs
from aimdvc.git.trees import (
    RawEntry,
    compare_trees,
    edit_tree,
    find_entry,
    iter_files,
    iter_new_objects,
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
_TAG_LIMIT = 20


class History:
    """The open repository of one artifact."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self.disk = disk
        self._objects = Objects(path)
        self._refs = Refs(path, disk)
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

    def reflog(self, name: str) -> list[ReflogLine]:
        """Returns the moves of a ref, oldest first."""
        return self._refs.reflog(name)

    def logged(self) -> list[str]:
        """Returns what has a reflog, deleted refs too."""
        return self._refs.logged()

    # Objects

    def has(self, git_id: GitId) -> bool:
        """Returns whether a git object is here."""
        return self._objects.has(git_id)

    def read_object(self, git_id: GitId) -> tuple[int, bytes]:
        """Returns a git object's type and content. Raises CorruptRepository when it is missing or damaged."""
        return self._objects.read(git_id)

    def read_blob(self, git_id: GitId) -> bytes:
        """Returns a git blob's content."""
        return self._read(git_id, BLOB)

    def blob_size(self, git_id: GitId) -> int:
        """Returns a git blob's size in bytes."""
        return len(self._read(git_id, BLOB))

    def _read(self, git_id: GitId, kind: int) -> bytes:
        found, content = self.read_object(git_id)
        if found != kind:
            raise CorruptRepository(str(self.path), f"git object {git_id} is no {KIND_NAMES[kind].decode()}")
        return content

    def read_tree(self, git_id: GitId) -> bytes:
        """Returns a tree's raw content."""
        return b"" if git_id == EMPTY_TREE else self._read(git_id, TREE)

    # Commits

    def commit(self, git_id: GitId) -> Commit:
        """Returns a commit; an annotated tag leads to what it names. Raises CorruptRepository."""
        *_, (last, kind, content) = self._iter_peeled(git_id)
        if kind != COMMIT:
            raise CorruptRepository(str(self.path), f"git object {last} is no commit")
        return parse_commit(last, content)

    def peel(self, git_id: GitId) -> GitId | None:
        """Returns the commit that a ref's value means, through annotated tags; None when it is a tree or a blob."""
        *_, (last, kind, _) = self._iter_peeled(git_id)
        return last if kind == COMMIT else None

    def is_whole_tip(self, git_id: GitId) -> bool:
        """Returns whether a ref may stand here: what it names is here and, of a commit, the tree. Looks no deeper."""
        try:
            if not self.has(git_id):
                return False
            *_, (last, kind, content) = self._iter_peeled(git_id)
            tree = parse_commit(last, content).tree if kind == COMMIT else EMPTY_TREE
            return tree == EMPTY_TREE or self.has(tree)
        except CorruptRepository:
            return False

    def _iter_peeled(self, git_id: GitId) -> Iterator[tuple[GitId, int, bytes]]:
        """Yields an object and, while that is an annotated tag, what it names: id, type, content."""
        for _ in range(_TAG_LIMIT):
            kind, content = self.read_object(git_id)
            yield git_id, kind, content
            if kind != TAG:
                return
            git_id = tag_target(git_id, content)
        raise CorruptRepository(str(self.path), f"git object {git_id} ends a chain of more than {_TAG_LIMIT} tags")

    def iter_log(self, start: GitId, first_parent: bool = False, without: Iterable[GitId] = ()) -> Iterator[Commit]:
        """Yields commits from `start` back, newest first; not those `without` reaches."""
        excluded = self._reachable(without)
        if first_parent:
            current: GitId | None = start
            while current is not None and current not in excluded:
                commit = self.commit(current)
                yield commit
                current = commit.parents[0] if commit.parents else None
            return
        count = 0
        first = self.commit(start)
        heap = [(-first.committer.time_s, count, first)]
        seen = {first.id} | excluded
        if first.id in excluded:
            return
        while heap:
            commit = heapq.heappop(heap)[2]
            yield commit
            for parent in commit.parents:
                if parent not in seen:
                    seen.add(parent)
                    count += 1
                    found = self.commit(parent)
                    heapq.heappush(heap, (-found.committer.time_s, count, found))

    def _reachable(self, tips: Iterable[GitId]) -> set[GitId]:
        seen: set[GitId] = set()
        pending = [commit for tip in tips if (commit := self.peel(tip)) is not None]
        while pending:
            git_id = pending.pop()
            if git_id in seen:
                continue
            seen.add(git_id)
            pending.extend(self.commit(git_id).parents)
        return seen

    def is_ancestor(self, ancestor: GitId, tip: GitId) -> bool:
        """Returns whether `tip` reaches `ancestor`; a commit reaches itself."""
        return any(commit.id == ancestor for commit in self.iter_log(tip))

    def merge_base(self, one: GitId, other: GitId) -> GitId | None:
        """Returns the newest commit that both reach and that no other such commit reaches, or None."""
        reached = self._reachable([one])
        common = {commit.id: commit for commit in self.iter_log(other) if commit.id in reached}
        # With a commit both reach its parents: the best ones are nobody's parent there, whatever the clocks say.
        inner = {parent for commit in common.values() for parent in commit.parents}
        tips = [commit for git_id, commit in common.items() if git_id not in inner]
        return max(tips, key=lambda commit: (commit.committer.time_s, commit.id)).id if tips else None

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
        content = self._read(git_id, BLOB)
        pointer = find_pointer(content) if len(content) < POINTER_LIMIT else None
        if len(cache) >= _CACHE_LIMIT:
            cache.clear()
        cache[git_id] = pointer
        return pointer

    def iter_missing_objects(self, tips: Iterable[GitId], have: Sequence[GitId]) -> Iterator[GitId]:
        """Yields the ids of all git objects that `tips` reach and `have` don't, each once, commits first.

        Annotated tags among the tips are yielded, too, and a blob that a tag names.
        """
        seen: set[GitId] = set(have)
        for tip in tips:
            chain = [(git_id, kind) for git_id, kind, _ in self._iter_peeled(tip)]
            last, kind = chain.pop()
            for git_id, _ in [*chain, *([(last, kind)] if kind == BLOB else [])]:
                if git_id not in seen:
                    seen.add(git_id)
                    yield git_id
            if kind == COMMIT:
                yield from self._missing_below(last, have, seen)

    def _missing_below(self, tip: GitId, have: Sequence[GitId], seen: set[GitId]) -> Iterator[GitId]:
        for commit in self.iter_log(tip, without=have):
            if commit.id not in seen:
                seen.add(commit.id)
                yield commit.id
                before = self.commit(commit.parents[0]).tree if commit.parents else None
                yield from iter_new_objects(self.read_tree, before, commit.tree, seen)

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
