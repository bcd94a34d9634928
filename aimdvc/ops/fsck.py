"""`fsck`: whether everything that history names is here and whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from aimdvc.errors import AimdvcError, CorruptBlob, CorruptRepository, MissingBlob, StorageError, WrongSize
from aimdvc.git.history import History
from aimdvc.git.mend import find_damaged_files, find_damaged_own_files
from aimdvc.git.trees import DEPTH_LIMIT, Node, RawEntry, iter_files, parse_tree, too_deep
from aimdvc.model.attributes import Attributes
from aimdvc.model.entries import Mode, path_text
from aimdvc.model.oid import EMPTY_BLOB, GitId, Oid
from aimdvc.model.own import REFERENCES
from aimdvc.model.pointer import Pointer, find_pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.lockfile import read_pins
from aimdvc.ops.references import MALFORMED, clashes
from aimdvc.ops.revisions import labels, version_numbers
from aimdvc.ops.workspace import Workspace
from aimdvc.store.blobs import BlobStore
from aimdvc.store.mend import damaged_packs
from aimdvc.store.state import Head

_BATCH = 5000
_ATTRIBUTES = b".gitattributes"


Kind = Literal["blob", "git-object", "pointer", "file", "artifact", "pin"]


@dataclass(slots=True)
class Damage:
    """One damaged thing: a blob by its oid, a git object, or a file; with the places and artifacts that need it.

    `size` is a blob's in bytes, as its pointers have it; None when no version names it.
    """

    what: str
    reason: str
    needed_by: list[str] = field(default_factory=list)
    kind: Kind = "blob"
    artifacts: list[str] = field(default_factory=list)
    size: int | None = None


class Part(NamedTuple):
    """The n-th of so many parts of all blobs, counted from 1: what one run of `fsck` reads."""

    number: int
    of: int

    def holds(self, oid: Oid) -> bool:
        """Returns whether a blob is in this part."""
        return int(oid[:8], 16) % self.of == self.number - 1


ALL = Part(1, 1)


@dataclass(slots=True)
class Checked:
    """What `fsck` found. `not_fetched` counts blobs that aren't here and that a remote has; `warnings` harm nothing.

    `blobs` and `size` count all; `read` counts the blobs whose bytes were read.
    """

    blobs: int = 0
    read: int = 0
    size: int = 0
    commits: int = 0
    not_fetched: int = 0
    damage: list[Damage] = field(default_factory=list)
    warnings: list[Damage] = field(default_factory=list)


def fsck(
    workspace: Workspace, is_quick: bool, progress: Progress, part: Part = ALL, known: Iterable[Damage] = ()
) -> Checked:
    """Reads and hashes every blob and every git object that a ref reaches, and returns the damage. Changes nothing.

    `is_quick` reads no blob, `part` those that fall into it; `known` are blobs that were found damaged before. What
    history grows by is 20 bytes an object in memory.
    """
    result = Checked()
    faults = [(database, database.faults()) for database in (workspace.state, workspace.blobs.catalog)]
    for database, found in faults:
        result.damage.extend(Damage(str(database.path), fault, kind="file") for fault in found)
    damaged = _check_blobs(workspace, None if is_quick else part, result, progress)
    damaged |= {Oid(one.what): Damage(one.what, one.reason) for one in known}
    if faults[0][1]:
        # What it says of artifacts is not to be trusted, nor readable at all, maybe.
        result.damage.extend(damaged.values())
        return result
    for head in workspace.state.heads():
        try:
            _check_files(workspace, head, result)
            _check_history(workspace, head, damaged, result)
        except AimdvcError as error:
            # A file that is damaged was told by its name already.
            if not any(error.message.startswith(f"'{damage.what}'") for damage in result.damage):
                result.damage.append(Damage(head.name, error.message, kind="artifact", artifacts=[head.name]))
    _check_index(workspace, damaged, result)
    _check_pins(workspace, result)
    result.damage.extend(damaged.values())
    return result


def _check_blobs(workspace: Workspace, part: Part | None, result: Checked, progress: Progress) -> dict[Oid, Damage]:
    damaged: dict[Oid, Damage] = {}
    result.damage += [Damage(str(path), reason, kind="file") for path, reason in damaged_packs(workspace.blobs)]
    progress.start("fsck", None, "bytes")
    for pointer in workspace.blobs.iter_pointers():
        result.blobs += 1
        result.size += pointer.size
        if part is None or not part.holds(pointer.oid):
            continue
        result.read += 1
        try:
            workspace.blobs.verify(pointer.oid)
        except (CorruptBlob, MissingBlob, StorageError) as error:
            damaged[pointer.oid] = Damage(pointer.oid, error.message)
        progress.advance(pointer.size)
    progress.finish()
    return damaged


def _check_files(workspace: Workspace, head: Head, result: Checked) -> None:
    for path, reason in find_damaged_own_files(workspace.repository_path(head.name)):
        result.damage.append(Damage(str(path), reason, kind="file", artifacts=[head.name]))
    for path, reason in find_damaged_files(workspace.history(head.name)):
        result.damage.append(Damage(str(path), reason, kind="file", artifacts=[head.name]))


def _check_history(workspace: Workspace, head: Head, damaged: dict[Oid, Damage], result: Checked) -> None:
    history = workspace.history(head.name)
    refs = history.refs()
    walk = _Walk(history, workspace.blobs, damaged)
    # First what a remote has: of that a blob may be missing, since it can be fetched.
    walk.run({commit for ref, commit in refs.items() if ref.startswith("refs/remotes/")})
    result.not_fetched += len(walk.take_missing())
    walk.run({*refs.values(), *([head.commit] if head.commit else [])})
    for git_id, pointer in walk.take_missing().items():
        walk.bad[git_id] = pointer
        damaged.setdefault(pointer.oid, Damage(pointer.oid, "is not in the store, and no remote is known to have it"))
    result.commits += len(walk.commits)
    for pointer in walk.bad.values():
        damage = damaged[pointer.oid]
        damage.size = pointer.size
        if head.name not in damage.artifacts:
            damage.artifacts.append(head.name)
    for git_id, place in _places(head.name, walk) if walk.bad or walk.broken else ():
        damage = walk.broken[git_id] if git_id in walk.broken else damaged[walk.bad[git_id].oid]
        damage.needed_by.append(place)
    for damage in walk.broken.values():
        damage.artifacts.append(head.name)
    result.damage.extend(walk.broken.values())
    _check_rules(history, head, walk, result)


class _Walk:
    """The git objects of one history, each read and hashed once; what they name is noted, not held."""

    def __init__(self, history: History, blobs: BlobStore, damaged: dict[Oid, Damage]) -> None:
        self.history = history
        self.commits: list[tuple[int, GitId, GitId]] = []
        self.broken: dict[GitId, Damage] = {}
        self.bad: dict[GitId, Pointer] = {}
        self._blobs = blobs
        self._damaged = damaged
        self._seen: dict[bytes, bool] = {}
        self._batch: dict[GitId, Pointer] = {}
        self._missing: dict[GitId, Pointer] = {}

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

    def take_missing(self) -> dict[GitId, Pointer]:
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
        self.broken.setdefault(git_id, Damage(f"git object {git_id}", error.message, kind="git-object"))

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
            self.bad[git_id] = pointer
        self._batch[git_id] = pointer
        if len(self._batch) >= _BATCH:
            self._look_up()

    def _look_up(self) -> None:
        sizes = self._blobs.sizes(pointer.oid for pointer in self._batch.values())
        for git_id, pointer in self._batch.items():
            size = sizes.get(pointer.oid)
            if size is None:
                self._missing[git_id] = pointer
            elif size != pointer.size and pointer.oid not in self._damaged:
                self._judge(git_id, pointer, size)
        self._batch.clear()

    def _judge(self, git_id: GitId, pointer: Pointer, size: int) -> None:
        """Finds out whether it's the blob or the pointer that is wrong, when they differ in size."""
        try:
            self._blobs.verify(pointer.oid)
        except (CorruptBlob, MissingBlob) as error:
            self._damaged[pointer.oid] = Damage(pointer.oid, error.message)
            self.bad[git_id] = pointer
        else:
            reason = WrongSize(pointer.oid, pointer.size, size).message
            self.broken.setdefault(git_id, Damage(f"git object {git_id}", reason, kind="pointer"))


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
    try:
        meeting = [f"{head.name}:{path}" for path in clashes(history, tree)]
    except MALFORMED as error:
        why = f"the references are kept and can't be read: {error.message}"
        result.warnings.append(Damage(head.name, why, [f"{head.name}:{REFERENCES}"]))
        return
    if meeting:
        result.warnings.append(Damage(head.name, "paths are a file and a reference at once", meeting))


def _is_regular(raw: RawEntry) -> bool:
    return raw.mode not in (Mode.SYMLINK, Mode.GITLINK)


def _check_index(workspace: Workspace, damaged: dict[Oid, Damage], result: Checked) -> None:
    for head in workspace.state.heads():
        staged = {row.oid: row for row in workspace.state.staged(head) if row.oid is not None}
        for oid in workspace.blobs.missing(staged) - damaged.keys():
            damaged[oid] = Damage(oid, "staged, but not in the store")
        for oid in staged.keys() & damaged.keys():
            damage = damaged[oid]
            damage.needed_by.append(f"{head.name}:{staged[oid].path} (staged)")
            damage.size = staged[oid].size
            if head.name not in damage.artifacts:
                damage.artifacts.append(head.name)


def _is_gone(workspace: Workspace, name: str, commit: GitId) -> bool:
    try:
        return not workspace.history(name).has(commit)
    except CorruptRepository:
        return False  # It is damaged, and told as that.


def _check_pins(workspace: Workspace, result: Checked) -> None:
    have = {head.name for head in workspace.state.heads()}
    for name, pin in read_pins(workspace).items():
        if name in have and _is_gone(workspace, name, pin.commit):
            reason = f"pins commit {pin.commit}, which is not here"
            result.damage.append(Damage(f"aimdvc.lock: {name}", reason, kind="pin", artifacts=[name]))
