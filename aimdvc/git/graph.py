"""Commits and what they reach, over any reader of git objects: the client's histories and the server's repositories.

Which objects one side has and the other lacks is answered here, for pushes, fetches and the packs that a server sends;
the work goes with what is missing, not with the length of the history.
"""

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from aimdvc.errors import CorruptRepository
from aimdvc.git.commits import parse_commit, tag_target
from aimdvc.git.kinds import BLOB, COMMIT, KIND_NAMES, TAG, TREE
from aimdvc.git.trees import iter_new_objects
from aimdvc.model.commits import Commit
from aimdvc.model.oid import EMPTY_TREE, GitId

WHOLE_DEPTH = 0x7FFFFFFF
"""The depth that Git takes for all of a history (Git, shallow.h, INFINITE_DEPTH)."""
_TAG_LIMIT = 20


class Ends(NamedTuple):
    """Where histories end early, before their first commit.

    `sent` are commits whose parents don't go along; `held` those that the receiver has without their parents.
    """

    sent: Collection[GitId] = ()
    held: Collection[GitId] = ()


class Deepening(NamedTuple):
    """What a depth makes of a history: commits at which it ends from now on, and those at which it does no longer."""

    shallow: frozenset[GitId]
    unshallow: frozenset[GitId]

    def ends(self, before: Collection[GitId]) -> Ends:
        """Returns where what is sent ends, for a receiver whose history ended at `before`."""
        return Ends(self.shallow | (frozenset(before) - self.unshallow), before)


NO_ENDS = Ends()


class Graph:
    """The commits, trees and tags that `read` gives; `place` is what errors name.

    `shallow` are commits that are read as if they had no parents: these are not here.
    """

    def __init__(
        self, read: Callable[[GitId], tuple[int, bytes]], place: str, shallow: Collection[GitId] = frozenset()
    ) -> None:
        self.read = read
        self.shallow = shallow
        self._place = place

    def content(self, git_id: GitId, kind: int) -> bytes:
        """Returns the content of an object of this type. Raises CorruptRepository for one of another."""
        found, content = self.read(git_id)
        if found != kind:
            raise CorruptRepository(self._place, f"git object {git_id} is no {KIND_NAMES[kind].decode()}")
        return content

    def tree(self, git_id: GitId) -> bytes:
        """Returns a tree's raw content."""
        return b"" if git_id == EMPTY_TREE else self.content(git_id, TREE)

    def commit(self, git_id: GitId) -> Commit:
        """Returns a commit; an annotated tag leads to what it names. Raises CorruptRepository."""
        kind, content = self.read(git_id)
        if kind == TAG:
            *_, (git_id, kind, content) = self.iter_peeled(git_id)
        if kind != COMMIT:
            raise CorruptRepository(self._place, f"git object {git_id} is no commit")
        commit = parse_commit(git_id, content)
        return commit._replace(parents=()) if git_id in self.shallow else commit

    def parents_of(self, commits: Iterable[GitId]) -> set[GitId]:
        """Returns the parents of commits as these name them, also where they are not here."""
        found = (parse_commit(commit, self.content(commit, COMMIT)) for commit in commits)
        return {parent for commit in found for parent in commit.parents}

    def peel(self, git_id: GitId) -> GitId | None:
        """Returns the commit that a ref's value means, through annotated tags; None when it is a tree or a blob."""
        *_, (last, kind, _) = self.iter_peeled(git_id)
        return last if kind == COMMIT else None

    def iter_peeled(self, git_id: GitId) -> Iterator[tuple[GitId, int, bytes]]:
        """Yields an object and, while that is an annotated tag, what it names: id, type, content."""
        for _ in range(_TAG_LIMIT):
            kind, content = self.read(git_id)
            yield git_id, kind, content
            if kind != TAG:
                return
            git_id = tag_target(git_id, content)
        raise CorruptRepository(self._place, f"git object {git_id} ends a chain of more than {_TAG_LIMIT} tags")

    def deepen(self, tips: Iterable[GitId], depth: int, before: Collection[GitId]) -> Deepening:
        """Returns what `depth` commits from each tip, that included, make of a history that ends at `before`."""
        level = set(tips)
        seen = set(level)
        inner: set[GitId] = set()
        while level and depth > 1:
            inner |= level
            level = {parent for commit in level for parent in self.commit(commit).parents} - seen
            seen |= level
            depth -= 1
        last = {commit for commit in level if self.commit(commit).parents}
        inner |= level - last
        return Deepening(frozenset(last), frozenset(inner & set(before)))

    def is_ancestor(self, ancestor: GitId, tip: GitId) -> bool:
        """Returns whether `tip` reaches `ancestor`; a commit reaches itself.

        Exact, whatever the clocks say: what `ancestor` itself reaches can't lead back to it, and is not walked.
        """
        seen, below = {tip}, {ancestor}
        queued: dict[GitId, Commit] = {}
        heap: list[tuple[int, GitId]] = []
        for git_id in seen | below:
            self._queue(git_id, queued, heap)
        left = len(seen - below)
        while left:
            commit = queued.pop(heapq.heappop(heap)[1])
            if commit.id in below:
                for parent in commit.parents:
                    if parent not in below:
                        below.add(parent)
                        if parent in queued:
                            left -= 1
                        else:
                            self._queue(parent, queued, heap)
                continue
            left -= 1
            for parent in commit.parents:
                if parent == ancestor:
                    return True
                if parent not in seen and parent not in below:
                    seen.add(parent)
                    self._queue(parent, queued, heap)
                    left += 1
        return ancestor == tip

    def _queue(self, git_id: GitId, queued: dict[GitId, Commit], heap: list[tuple[int, GitId]]) -> None:
        """Notes a commit to be walked, the newest first."""
        queued[git_id] = commit = self.commit(git_id)
        heapq.heappush(heap, (-commit.committer.time_s, git_id))

    def reached(self, wanted: Iterable[GitId], tips: Iterable[GitId]) -> set[GitId]:
        """Returns those of the commits that some tip reaches, or is; walks no further than to the last of them."""
        left = set(wanted)
        found: set[GitId] = set()
        seen = set(tips)
        queued: dict[GitId, Commit] = {}
        heap: list[tuple[int, GitId]] = []
        for git_id in seen:
            self._queue(git_id, queued, heap)
        while queued and left:
            commit = queued.pop(heapq.heappop(heap)[1])
            if commit.id in left:
                left.remove(commit.id)
                found.add(commit.id)
            for parent in commit.parents:
                if parent not in seen:
                    seen.add(parent)
                    self._queue(parent, queued, heap)
        return found

    def merge_base(self, one: GitId, other: GitId) -> GitId | None:
        """Returns the newest commit that both reach and that no other such commit reaches, or None."""
        sides = {one: 1}
        sides[other] = sides.get(other, 0) | 2
        queued: dict[GitId, Commit] = {}
        heap: list[tuple[int, GitId]] = []
        for git_id in sides:
            self._queue(git_id, queued, heap)
        found: list[Commit] = []
        # 4 says that a commit lies below one that was found: it is common, too, and no better.
        while any(sides[git_id] < 4 for git_id in queued):
            commit = queued.pop(heapq.heappop(heap)[1])
            side = sides[commit.id]
            if side == 3:
                found.append(commit)
                side = 7
            for parent in commit.parents:
                known = sides.get(parent, 0)
                if known | side != known:
                    sides[parent] = known | side
                    if parent not in queued:
                        self._queue(parent, queued, heap)
        best = [
            commit
            for commit in found
            if not any(self.is_ancestor(commit.id, more.id) for more in found if more.id != commit.id)
        ]
        return max(best, key=lambda commit: (commit.committer.time_s, commit.id)).id if best else None

    def new_commits(
        self, tips: Iterable[GitId], have: Iterable[GitId], ends: Ends = NO_ENDS, is_exact: bool = False
    ) -> tuple[list[Commit], bool]:
        """Returns the commits that `tips` reach and `have` don't, newest first; and whether all lead to such of `have`.

        What `have` reach is walked down to the oldest of them: where clocks went backwards some that `have` reach may
        be among them, unless it is to be exact, which walks all.
        """
        boring = set(have)
        seen = set(tips) - boring
        found: dict[GitId, Commit] = {}
        queued: dict[GitId, Commit] = {}
        heap: list[tuple[int, GitId]] = []
        for git_id in seen | boring:
            self._queue(git_id, queued, heap)
        left = len(seen)
        oldest_s: int | None = None
        is_closed = True
        while left or (queued and (is_exact or (oldest_s is not None and -heap[0][0] >= oldest_s))):
            commit = queued.pop(heapq.heappop(heap)[1])
            if commit.id not in boring:
                left -= 1
                found[commit.id] = commit
                oldest_s = commit.committer.time_s if oldest_s is None else min(oldest_s, commit.committer.time_s)
                parents: Sequence[GitId] = () if commit.id in ends.sent else commit.parents
                is_closed = is_closed and bool(parents)
                for parent in parents:
                    if parent not in seen and parent not in boring:
                        seen.add(parent)
                        self._queue(parent, queued, heap)
                        left += 1
            elif commit.id not in ends.held:
                for parent in commit.parents:
                    if parent not in boring:
                        boring.add(parent)
                        if parent not in queued:
                            self._queue(parent, queued, heap)
                        else:
                            left -= 1
        return [commit for commit in found.values() if commit.id not in boring], is_closed

    def iter_missing(self, tips: Iterable[GitId], have: Collection[GitId], ends: Ends = NO_ENDS) -> Iterator[GitId]:
        """Yields the ids of all git objects that `tips` reach and `have`, which are here, don't; each once.

        Annotated tags among the tips come first, and a blob or tree that a tip names; then commits, parents first. Of
        each tree comes what the first parent's lacks, which the receiver has in whole by then: so a tree that came is
        whole, too, also when a directory is again what it was some commits before.
        """
        seen: set[GitId] = set(have)
        commits: list[GitId] = []
        for tip in tips:
            chain = [(git_id, kind) for git_id, kind, _ in self.iter_peeled(tip)]
            last, kind = chain.pop()
            if kind == COMMIT:
                commits.append(last)
            elif kind == TREE:
                yield from iter_new_objects(self.tree, None, last, seen)
            for git_id, _ in [*chain, *([(last, kind)] if kind == BLOB else [])]:
                if git_id not in seen:
                    seen.add(git_id)
                    yield git_id
        # Where the receiver's history ended and goes on now: it has those commits, and lacks what is before them.
        opened = set(ends.held) - set(ends.sent)
        known = {peeled for git_id in have if (peeled := self.peel(git_id)) is not None}
        for commit in _parents_first(self.new_commits([*commits, *self.parents_of(opened)], known, ends)[0]):
            yield commit.id
            is_last = commit.id in ends.sent or not commit.parents
            before = None if is_last else self.commit(commit.parents[0]).tree
            yield from iter_new_objects(self.tree, before, commit.tree, seen)


def _parents_first(newest_first: Sequence[Commit]) -> Iterator[Commit]:
    """Yields commits so that each comes after its parents, whatever the clocks say."""
    left = {commit.id: commit for commit in newest_first}
    for last in reversed(newest_first):
        pending = [last.id]
        while pending:
            commit = left.get(pending[-1])
            above = [parent for parent in commit.parents if parent in left] if commit is not None else []
            if above:
                pending += above
                continue
            pending.pop()
            if commit is not None:
                yield left.pop(commit.id)
