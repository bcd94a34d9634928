"""`fsck` and `du`: whether everything that history names is here and whole, and how much room it takes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from aimdvc.errors import AimdvcError, CorruptBlob, CorruptRepository, MissingBlob
from aimdvc.git.history import History
from aimdvc.git.trees import DEPTH_LIMIT, Node, RawEntry, iter_files, parse_tree, too_deep
from aimdvc.model.attributes import Attributes
from aimdvc.model.entries import Mode, path_text
from aimdvc.model.oid import EMPTY_BLOB, GitId, Oid
from aimdvc.model.pointer import find_pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.lockfile import read_pins
from aimdvc.ops.revisions import labels, version_numbers
from aimdvc.ops.roots import used_oids
from aimdvc.ops.workspace import Workspace
from aimdvc.store.blobs import BlobStore
from aimdvc.store.state import Head

_BATCH = 5000
_ATTRIBUTES = b".gitattributes"


@dataclass(slots=True)
class Damage:
    """One damaged thing: a blob by its oid, a git object, or a file; with the places that need it."""

    what: str
    reason: str
    needed_by: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Checked:
    """What `fsck` found. `not_fetched` counts blobs that aren't here and that a remote has; `warnings` harm nothing."""

    blobs: int = 0
    size: int = 0
    commits: int = 0
    not_fetched: int = 0
    damage: list[Damage] = field(default_factory=list)
    warnings: list[Damage] = field(default_factory=list)


def fsck(workspace: Workspace, is_quick: bool, progress: Progress) -> Checked:
    """Reads and hashes every blob and every git object that a ref reaches, and returns the damage.

    `is_quick` reads no blob. What history grows by is 20 bytes an object in memory.
    """
    result = Checked()
    damaged = _check_blobs(workspace, is_quick, result, progress)
    for head in workspace.state.heads():
        try:
            _check_history(workspace, head, damaged, result)
        except AimdvcError as error:
            result.damage.append(Damage(head.name, error.message))
    _check_index(workspace, damaged, result)
    _check_pins(workspace, result)
    result.damage.extend(damaged.values())
    return result


def _check_blobs(workspace: Workspace, is_quick: bool, result: Checked, progress: Progress) -> dict[Oid, Damage]:
    damaged: dict[Oid, Damage] = {}
    progress.start("fsck", None, "bytes")
    for pointer in workspace.blobs.iter_pointers():
        result.blobs += 1
        result.size += pointer.size
        if is_quick:
            continue
        try:
            workspace.blobs.verify(pointer.oid)
        except (CorruptBlob, MissingBlob) as error:
            damaged[pointer.oid] = Damage(pointer.oid, error.message)
        progress.advance(pointer.size)
    progress.finish()
    return damaged


def _check_history(workspace: Workspace, head: Head, damaged: dict[Oid, Damage], result: Checked) -> None:
    history = workspace.history(head.name)
    refs = history.refs()
    walk = _Walk(history, workspace.blobs, damaged)
    # First what a remote has: of that a blob may be missing, since it can be fetched.
    walk.run({commit for ref, commit in refs.items() if ref.startswith("refs/remotes/")})
    result.not_fetched += len(walk.take_missing())
    walk.run({*refs.values(), *([head.commit] if head.commit else [])})
    for git_id, oid in walk.take_missing().items():
        walk.bad[git_id] = oid
        damaged.setdefault(oid, Damage(oid, "is not in the store, and no remote is known to have it"))
    result.commits += len(walk.commits)
    broken = {git_id: Damage(f"git object {git_id}", reason) for git_id, reason in walk.broken.items()}
    for git_id, place in _places(head.name, walk) if walk.bad or broken else ():
        (broken.get(git_id) or damaged[walk.bad[git_id]]).needed_by.append(place)
    result.damage.extend(broken.values())
    _check_rules(history, head, walk, result)


class _Walk:
    """The git objects of one history, each read and hashed once; what they name is noted, not held."""

    def __init__(self, history: History, blobs: BlobStore, damaged: dict[Oid, Damage]) -> None:
        self.history = history
        self.commits: list[tuple[int, GitId, GitId]] = []
        self.broken: dict[GitId, str] = {}
        self.bad: dict[GitId, Oid] = {}
        self._blobs = blobs
        self._damaged = damaged
        self._seen: dict[bytes, bool] = {}
        self._batch: dict[GitId, Oid] = {}
        self._missing: dict[GitId, Oid] = {}

    def run(self, tips: Iterable[GitId]) -> None:
        """Walks all that the tips reach and that was not walked before."""
        pending = [tip for tip in sorted(tips) if not self.is_seen(tip)]
        while pending:
            git_id = pending.pop()
            try:
                commit_id = self.history.peel(git_id)
                if commit_id is None or not self._note(commit_id):
                    continue
                commit = self.history.commit(commit_id)
            except CorruptRepository as error:
                self._break(git_id, error)
                continue
            self.commits.append((commit.committer.time_s, commit.id, commit.tree))
            self._walk_tree(commit.tree)
            pending.extend(parent for parent in commit.parents if not self.is_seen(parent))

    def take_missing(self) -> dict[GitId, Oid]:
        """Returns the pointers, found since the last call, whose blobs aren't in the store."""
        self._look_up()
        found, self._missing = self._missing, {}
        return found

    def is_seen(self, git_id: GitId) -> bool:
        """Returns whether an object was walked."""
        return bytes.fromhex(git_id) in self._seen

    def is_pointer(self, git_id: GitId) -> bool:
        """Returns whether a blob that was walked is a pointer."""
        return self._seen.get(bytes.fromhex(git_id), False)

    def _note(self, git_id: GitId) -> bool:
        size = len(self._seen)
        self._seen.setdefault(bytes.fromhex(git_id), False)
        return len(self._seen) > size

    def _break(self, git_id: GitId, error: CorruptRepository) -> None:
        self._note(git_id)
        self.broken.setdefault(git_id, error.message)

    def _walk_tree(self, root: GitId) -> None:
        pending = [(root, 0)]
        while pending:
            tree, depth = pending.pop()
            if not self._note(tree):
                continue
            try:
                nodes = self._read_tree(tree, depth)
            except CorruptRepository as error:
                self._break(tree, error)
                continue
            for node in nodes.values():
                if node.mode == Mode.TREE:
                    pending.append((node.git_id, depth + 1))
                elif node.mode != Mode.GITLINK and self._note(node.git_id):
                    self._read_blob(node.git_id, node.mode)

    def _read_tree(self, tree: GitId, depth: int) -> dict[bytes, Node]:
        if depth > DEPTH_LIMIT:
            raise too_deep()
        return parse_tree(self.history.read_tree(tree))

    def _read_blob(self, git_id: GitId, mode: int) -> None:
        try:
            content = self.history.read_blob(git_id)
        except CorruptRepository as error:
            self._break(git_id, error)
            return
        pointer = find_pointer(content) if mode != Mode.SYMLINK else None
        if pointer is None:
            return
        self._seen[bytes.fromhex(git_id)] = True
        if pointer.oid in self._damaged:
            self.bad[git_id] = pointer.oid
        self._batch[git_id] = pointer.oid
        if len(self._batch) >= _BATCH:
            self._look_up()

    def _look_up(self) -> None:
        missing = self._blobs.missing(self._batch.values())
        self._missing.update((git_id, oid) for git_id, oid in self._batch.items() if oid in missing)
        self._batch.clear()


def _places(name: str, walk: _Walk) -> Iterator[tuple[GitId, str]]:
    """Yields each bad object with each version and path that needs it, oldest version first."""
    named = _labels(walk.history)
    wanted = walk.bad.keys() | walk.broken.keys()
    below: dict[GitId, list[tuple[GitId, str]]] = {}
    # Commits of one second are in order by their numbers.
    numbers = {commit: int(version.strip("v?")) for commit, version in named.items()}
    for _, commit, tree in sorted(walk.commits, key=lambda found: (found[0], numbers.get(found[1], 0))):
        for git_id, path in _bad_below(walk, tree, wanted, below):
            yield git_id, f"{name}@{named.get(commit, commit[:12])}:{path}"
    for ref, git_id in walk.history.refs().items():
        if git_id in walk.broken:
            yield git_id, f"{name}: {ref}"


def _labels(history: History) -> dict[GitId, str]:
    try:
        return labels(history)
    except CorruptRepository:
        return {commit: f"v{number}" for commit, number in version_numbers(history).items()}


def _bad_below(
    walk: _Walk, tree: GitId, wanted: set[GitId], below: dict[GitId, list[tuple[GitId, str]]]
) -> list[tuple[GitId, str]]:
    """Returns the wanted objects at or below a tree, with their paths; `below` keeps what was found for each tree."""
    found = below.get(tree)
    if found is not None:
        return found
    found = below[tree] = []
    if tree in wanted:
        found.append((tree, ""))
    elif walk.is_seen(tree):
        for name, node in parse_tree(walk.history.read_tree(tree)).items():
            if node.mode == Mode.TREE:
                inner = _bad_below(walk, node.git_id, wanted, below)
                found += [(git_id, f"{path_text(name)}/{path}") for git_id, path in inner]
            elif node.git_id in wanted:
                found.append((node.git_id, path_text(name)))
    return found


def _check_rules(history: History, head: Head, walk: _Walk, result: Checked) -> None:
    """Warns of the files of HEAD that are pointers where the rules don't say so, and the other way round.

    Stock Git shows such a file as modified for ever, or stages the raw bytes.
    """
    if head.commit is None or walk.broken:
        return
    tree = history.commit(head.commit).tree
    rules = Attributes.parse(
        {
            path_text(raw.path[: -len(_ATTRIBUTES)].rstrip(b"/")): history.read_blob(raw.git_id)
            for raw in iter_files(history.read_tree, tree)
            if raw.path.rpartition(b"/")[2] == _ATTRIBUTES and _is_regular(raw)
        }
    )
    wrong = [
        f"{head.name}:{path}"
        for raw in iter_files(history.read_tree, tree)
        if _is_regular(raw) and raw.git_id != EMPTY_BLOB
        if rules.is_lfs(path := path_text(raw.path)) != walk.is_pointer(raw.git_id)
    ]
    if wrong:
        result.warnings.append(Damage(head.name, "files are pointers, or not, against .gitattributes", wrong))


def _is_regular(raw: RawEntry) -> bool:
    return raw.mode not in (Mode.SYMLINK, Mode.GITLINK)


def _check_index(workspace: Workspace, damaged: dict[Oid, Damage], result: Checked) -> None:
    for head in workspace.state.heads():
        staged = {row.oid: row.path for row in workspace.state.staged(head) if row.oid is not None}
        for oid in workspace.blobs.missing(staged):
            result.damage.append(Damage(oid, "staged, but not in the store", [f"{head.name}:{staged[oid]}"]))
        for oid in staged.keys() & damaged.keys():
            damaged[oid].needed_by.append(f"{head.name}:{staged[oid]} (staged)")


def _check_pins(workspace: Workspace, result: Checked) -> None:
    have = {head.name for head in workspace.state.heads()}
    for name, pin in read_pins(workspace).items():
        if name in have and not workspace.history(name).has(pin.commit):
            result.damage.append(Damage(f"aimdvc.lock: {name}", f"pins commit {pin.commit}, which is not here"))


@dataclass(frozen=True, slots=True)
class Usage:
    """Room that one artifact takes: `size` of all its versions' blobs in bytes, `checked_out` of HEAD's alone."""

    artifact: str
    versions: int
    blobs: int
    size: int
    checked_out: int


@dataclass(frozen=True, slots=True)
class StoreUsage:
    """Room on disk, in bytes: `on_disk` is the whole blob store, each blob counted once; `trash` is beside it.

    `spare` is the part of the store that no index, HEAD or pin of now names: what `prune` could take at most.
    """

    artifacts: list[Usage]
    on_disk: int
    spare: int
    trash: int


def du(workspace: Workspace) -> StoreUsage:
    """Returns how much room the artifacts and the store take."""
    used = used_oids(workspace)
    spare = sum(pointer.size for pointer in workspace.blobs.iter_pointers() if bytes.fromhex(pointer.oid) not in used)
    trash = sum(batch.size for batch in workspace.blobs.trash.batches())
    return StoreUsage(list(_usages(workspace)), workspace.blobs.size_on_disk(), spare, trash)


def _usages(workspace: Workspace) -> Iterator[Usage]:
    for head in workspace.state.heads():
        history = workspace.history(head.name)
        sizes: dict[Oid, int] = {}
        commits = 0
        tip = history.ref("refs/heads/main")
        for commit in history.iter_log(tip) if tip else ():
            commits += 1
            parent = history.commit(commit.parents[0]).tree if commit.parents else None
            for _, new in history.tree_changes(parent, commit.tree):
                if new is not None and new.pointer is not None:
                    sizes[new.pointer.oid] = new.pointer.size
        current = sum(row.size for row in workspace.state.rows(head) if row.mode)
        yield Usage(head.name, commits, len(sizes), sum(sizes.values()), current)
