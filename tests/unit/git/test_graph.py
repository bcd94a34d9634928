"""What one side has and the other lacks, against sets that are walked whole; random histories, with merges."""

from collections.abc import Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from aimdvc.git.commits import dump_commit
from aimdvc.git.graph import WHOLE_DEPTH, Ends, Graph
from aimdvc.git.kinds import BLOB, COMMIT, TREE
from aimdvc.git.packs import git_id_of
from aimdvc.git.trees import Node, dump_tree, parse_tree
from aimdvc.model.commits import CommitDraft, Signature
from aimdvc.model.entries import Mode
from aimdvc.model.oid import GitId

Parents = list[list[int]]


@st.composite
def histories(draw: st.DrawFn) -> Parents:
    """Draws the numbers of each commit's parents, which come before it."""
    count = draw(st.integers(1, 14))
    return [sorted(draw(st.sets(st.integers(0, number - 1), max_size=2))) if number else [] for number in range(count)]


class Store:
    """Commits over random parents, each with a file of its own and one that three share; read as git objects."""

    def __init__(self, parents: Parents, clocks: Sequence[int] | None = None) -> None:
        self.parents = parents
        self.objects: dict[GitId, tuple[int, bytes]] = {}
        self.ids: list[GitId] = []
        for number, above in enumerate(parents):
            below = {
                b"same": Node(int(Mode.FILE), self._put(BLOB, b"same")),
                b"other": Node(int(Mode.FILE), self._put(BLOB, b"%d" % (number % 2))),
            }
            nodes = {
                b"own": Node(int(Mode.FILE), self._put(BLOB, b"%d" % number)),
                b"directory": Node(int(Mode.TREE), self._put(TREE, dump_tree(below))),
                b"shared": Node(int(Mode.FILE), self._put(BLOB, b"shared %d" % (number // 3))),
            }
            who = Signature("A", "a@example.org", clocks[number] if clocks else number, 0)
            draft = CommitDraft(
                self._put(TREE, dump_tree(nodes)), tuple(self.ids[one] for one in above), who, who, f"{number}"
            )
            self.ids.append(self._put(COMMIT, dump_commit(draft)))
        self.reads = 0

    def _put(self, kind: int, content: bytes) -> GitId:
        git_id = git_id_of(kind, content)
        self.objects[git_id] = kind, content
        return git_id

    def read(self, git_id: GitId) -> tuple[int, bytes]:
        self.reads += 1
        return self.objects[git_id]

    def reach(self, tips: Iterable[int], ends: Sequence[int] = ()) -> set[int]:
        """Returns all commits that the tips reach, not beyond `ends`: walked whole."""
        seen: set[int] = set()
        pending = list(tips)
        while pending:
            number = pending.pop()
            if number not in seen:
                seen.add(number)
                pending += self.parents[number] if number not in ends else []
        return seen

    def content(self, commits: Iterable[int]) -> set[GitId]:
        """Returns all objects of these commits."""
        graph = Graph(self.read, "a test")
        whole: set[GitId] = set()
        for number in commits:
            commit = graph.commit(self.ids[number])
            whole.add(commit.id)
            pending = [commit.tree]
            while pending:
                whole.add(pending[-1])
                kind, raw = self.objects[pending.pop()]
                if kind == TREE:
                    pending += (node.git_id for node in parse_tree(raw).values())
        return whole


def picks(draw: st.DrawFn, parents: Parents, least: int = 0) -> set[int]:
    return draw(st.sets(st.integers(0, len(parents) - 1), min_size=least, max_size=3))


@given(data=st.data(), parents=histories())
def test_the_new_commits_are_those_that_only_the_tips_reach(data: st.DataObject, parents: Parents) -> None:
    # Several commits of one second are no rarity.
    store = Store(parents, sorted(data.draw(st.lists(st.integers(0, 3), min_size=len(parents), max_size=len(parents)))))
    tips, have = data.draw(st.composite(picks)(parents)), data.draw(st.composite(picks)(parents))
    found, is_closed = Graph(store.read, "a test").new_commits(_ids(store, tips), _ids(store, have))
    new = store.reach(tips) - store.reach(have)
    assert {commit.id for commit in found} == set(_ids(store, new))
    times = [commit.committer.time_s for commit in found]
    assert times == sorted(times, reverse=True)
    assert not is_closed or all(parents[number] for number in new)


@given(data=st.data(), parents=histories())
def test_what_is_missing_is_all_that_the_other_side_lacks(data: st.DataObject, parents: Parents) -> None:
    clocks = data.draw(st.lists(st.integers(0, 5), min_size=len(parents), max_size=len(parents)))
    store = Store(parents, clocks)
    tips, have = data.draw(st.composite(picks)(parents)), data.draw(st.composite(picks)(parents))
    found = list(Graph(store.read, "a test").iter_missing(_ids(store, tips), _ids(store, have)))
    assert len(found) == len(set(found))
    theirs = store.content(store.reach(have))
    assert theirs | set(found) >= store.content(store.reach(tips))
    assert set(found) <= store.content(store.reach(tips))


@given(data=st.data(), parents=histories(), depth=st.integers(1, 6) | st.just(WHOLE_DEPTH))
def test_a_depth_ends_where_that_many_commits_are_reached(data: st.DataObject, parents: Parents, depth: int) -> None:
    store = Store(parents)
    tips = data.draw(st.composite(picks)(parents, 1))
    distance = _distances(parents, tips)
    before = data.draw(st.sets(st.sampled_from(sorted(distance)), max_size=2))
    deepening = Graph(store.read, "a test").deepen(_ids(store, tips), depth, _ids(store, before))
    assert deepening.shallow == set(
        _ids(store, (one for one, far in distance.items() if far == depth and parents[one]))
    )
    opened = (one for one in before if distance[one] < depth or (distance[one] == depth and not parents[one]))
    assert deepening.unshallow == set(_ids(store, opened))


@given(data=st.data(), parents=histories(), first=st.integers(1, 3), more=st.integers(1, 5))
def test_deepening_brings_what_a_receiver_of_that_depth_lacks_and_no_commit_twice(
    data: st.DataObject, parents: Parents, first: int, more: int
) -> None:
    store = Store(parents)
    graph = Graph(store.read, "a test")
    tips = _ids(store, data.draw(st.composite(picks)(parents, 1)))
    begun = graph.deepen(tips, first, ())
    have = set(graph.iter_missing(tips, (), begun.ends(())))
    deeper = graph.deepen(tips, first + more, begun.shallow)
    sent = list(graph.iter_missing(tips, tips, deeper.ends(begun.shallow)))
    assert not {one for one in sent if store.objects[one][0] == COMMIT} & have
    wanted = graph.deepen(tips, first + more, ())
    assert have | set(sent) >= set(graph.iter_missing(tips, (), wanted.ends(())))


def test_the_work_goes_with_what_is_new_not_with_the_history() -> None:
    reads: list[int] = []
    for length in (50, 500):
        store = Store([[number - 1] if number else [] for number in range(length)])
        graph = Graph(store.read, "a test")
        store.reads = 0
        found = list(graph.iter_missing([store.ids[-1]], [store.ids[-2]]))
        assert len(found) == 5
        reads.append(store.reads)
    assert reads[0] == reads[1]


def test_an_end_hides_the_parents_and_nothing_else() -> None:
    store = Store([[], [0], [1]])
    graph = Graph(store.read, "a test", {store.ids[1]})
    assert graph.commit(store.ids[1]).parents == ()
    assert graph.parents_of([store.ids[1]]) == {store.ids[0]}
    assert graph.commit(store.ids[2]).parents == (store.ids[1],)
    found = set(graph.iter_missing([store.ids[2]], (), Ends()))
    assert found == store.content([1, 2])


def _ids(store: Store, numbers: Iterable[int]) -> list[GitId]:
    return [store.ids[number] for number in numbers]


def _distances(parents: Parents, tips: Iterable[int]) -> dict[int, int]:
    distance: dict[int, int] = {}
    level, far = set(tips), 1
    while level:
        distance |= dict.fromkeys(level, far)
        level = {above for one in level for above in parents[one]} - distance.keys()
        far += 1
    return distance


@given(data=st.data(), parents=histories())
def test_an_ancestor_is_what_a_walk_meets_whatever_the_clocks_say(data: st.DataObject, parents: Parents) -> None:
    clocks = data.draw(st.lists(st.integers(0, 5), min_size=len(parents), max_size=len(parents)))
    store = Store(parents, clocks)
    graph = Graph(store.read, "a test")
    for tip in range(len(parents)):
        reached = store.reach([tip])
        for one in range(len(parents)):
            assert graph.is_ancestor(store.ids[one], store.ids[tip]) == (one in reached)


@given(data=st.data(), parents=histories())
def test_the_exact_new_commits_are_so_whatever_the_clocks_say(data: st.DataObject, parents: Parents) -> None:
    clocks = data.draw(st.lists(st.integers(0, 5), min_size=len(parents), max_size=len(parents)))
    store = Store(parents, clocks)
    tips, have = data.draw(st.composite(picks)(parents)), data.draw(st.composite(picks)(parents))
    found, _ = Graph(store.read, "a test").new_commits(_ids(store, tips), _ids(store, have), is_exact=True)
    assert {commit.id for commit in found} == set(_ids(store, store.reach(tips) - store.reach(have)))


@given(parents=histories(), data=st.data())
def test_a_merge_base_is_a_best_common_commit_whatever_the_clocks_say(parents: Parents, data: st.DataObject) -> None:
    clocks = data.draw(st.lists(st.integers(0, 3), min_size=len(parents), max_size=len(parents)))
    store = Store(parents, clocks)
    graph = Graph(store.read, "a test")
    one, other = (data.draw(st.integers(0, len(parents) - 1)) for _ in range(2))
    common = store.reach([one]) & store.reach([other])
    best = {number for number in common if not any(number in store.reach([more]) for more in common - {number})}
    found = graph.merge_base(store.ids[one], store.ids[other])
    newest = max((clocks[number], store.ids[number]) for number in best) if best else (0, None)
    assert found == newest[1]
