"""`import`: files that something else has kept, with their history, become an artifact.

A source says what each commit of the code had at a path; here those become versions, oldest first, each with author,
date and message of its commit, and a trailer that names it. Blobs first, then git objects, then the branch; only then
does the source let go of the files, and the workspace takes them. Cut anywhere, running it again makes the same
versions and goes on. Knows nothing of who kept the files: that is each source's (importing_git.py).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from aimdvc.errors import Refused, UnsafePath
from aimdvc.git.writer import HistoryWriter
from aimdvc.model.attributes import AIMD_ATTRIBUTES, DEFAULT_ATTRIBUTES, Attributes
from aimdvc.model.commits import Commit, CommitDraft, RefUpdate
from aimdvc.model.entries import Mode
from aimdvc.model.lineage import Making, trailers_of
from aimdvc.model.lock import Pin
from aimdvc.model.names import MAIN, check_artifact_name
from aimdvc.model.oid import GitId
from aimdvc.model.own import AIMD_DIRECTORY_ATTRIBUTES, ATTRIBUTES
from aimdvc.model.paths import check_entry_path
from aimdvc.model.pointer import POINTER_LIMIT, encode_pointer, find_pointer
from aimdvc.ops.adopt import adopt
from aimdvc.ops.blobs import Means
from aimdvc.ops.checkout import follow_pin
from aimdvc.ops.create import base_name, check_free, check_place
from aimdvc.ops.lockfile import require_readable, sync_lock
from aimdvc.ops.maintain import tidy
from aimdvc.ops.stage import INLINE_LIMIT, SMALL, too_large_for_git
from aimdvc.ops.workspace import Workspace
from aimdvc.store.blobwriter import BlobWriter

Content = tuple[int, Iterable[bytes]]
"""A size in bytes, and the bytes, once."""


class SourceFile(NamedTuple):
    """A file as a commit of the code had it: its mode, and the name that its source knows the content by."""

    mode: int
    key: str


class Snapshot(NamedTuple):
    """A commit of the code, and what it changed since the snapshot before: None for what went away."""

    commit: Commit
    changes: Mapping[str, SourceFile | None]


class Source(Protocol):
    """What has kept the files of one path until now."""

    @property
    def notes(self) -> list[str]:
        """What the user is to be told of it."""
        ...

    def require_ready(self) -> None:
        """Raises Refused, UsageError or MissingBlob where something is not committed, or a content is not here."""
        ...

    def snapshots(self) -> Iterator[Snapshot]:
        """Yields every commit that changed something at the path, oldest first; paths are relative to it."""
        ...

    def reading(self) -> AbstractContextManager[Callable[[SourceFile], Content]]:
        """Gives what returns the content of a file, checked against what it is known by, while the `with` lasts."""
        ...

    def let_go(self) -> None:
        """Stops keeping the files; their bytes on disk stay, stubs of contents aside. Safe to repeat."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """`path` in the workspace becomes the artifact `name`, that of the path where it is None."""

    path: str
    name: str | None = None


@dataclass(slots=True)
class Imported:
    """What was made: `versions` oldest first, of so many files now; `size` is bytes read into the store."""

    artifact: str
    path: str
    versions: list[GitId] = field(default_factory=list)
    code: list[GitId] = field(default_factory=list)
    files: int = 0
    size: int = 0
    notes: list[str] = field(default_factory=list)


def import_path(workspace: Workspace, source: Source, wish: Wish, means: Means) -> Imported:
    """Makes an artifact of what a source has kept, and takes the files over. Returns what was made.

    Raises what `Source.require_ready` does, UnsafePath, UsageError for a name that is taken: nothing was changed.
    """
    require_readable(workspace)
    name = check_artifact_name(wish.name or base_name(workspace, wish.path))
    check_place(workspace, wish.path)
    _require_free(workspace, name)
    source.require_ready()
    found = Imported(name, wish.path)
    tip = _make_versions(workspace, source, found, means)
    if workspace.history(name).ref(MAIN) not in (None, tip):
        check_free(workspace, name)
    update = RefUpdate(MAIN, workspace.history(name).ref(MAIN), tip)
    if update.old != tip:
        workspace.history(name).move_refs([update], f"import: {wish.path}", workspace.actor())
    source.let_go()
    pin = Pin(tip, wish.path, None)
    follow_pin(workspace, adopt(workspace, name, pin), pin, force=False, means=means)
    sync_lock(workspace, moved={name})
    tidy(workspace, [name])
    found.notes += source.notes
    return found


def _require_free(workspace: Workspace, name: str) -> None:
    """Raises UsageError for a name that is taken, but by what an import that was cut has made already."""
    is_begun = workspace.repository_path(name).exists() and workspace.state.head(name) is None
    tip = workspace.history(name).ref(MAIN) if is_begun else None
    if tip is None or "\nAimd-Code: " not in workspace.history(name).commit(tip).message:
        check_free(workspace, name)


def _make_versions(workspace: Workspace, source: Source, found: Imported, means: Means) -> GitId:
    tip: GitId | None = None
    history = workspace.history(found.artifact)
    means.progress.start(f"import {found.artifact}", None, "bytes")
    with source.reading() as read, workspace.blobs.writer() as blobs:
        made = _Versions(read, blobs, means.progress.advance)
        for snapshot in source.snapshots():
            with history.writer() as writer:
                base = history.commit(tip).tree if tip is not None else None
                tree = writer.tree(base, made.edits(snapshot, writer))
                if tree == base:
                    continue
                author, committer = snapshot.commit.author, snapshot.commit.committer
                parents = (tip,) if tip is not None else ()
                tip = writer.commit(CommitDraft(tree, parents, author, committer, _message(snapshot.commit)))
            found.versions.append(tip)
            found.code.append(snapshot.commit.id)
        found.files, found.size = len(made.files), made.size
    means.progress.finish()
    if tip is None:
        raise Refused(f"no commit of the code has anything at '{found.path}'", hint="commit it there first")
    return tip


def _message(commit: Commit) -> str:
    trailers = "".join(f"{key}: {value}\n" for key, value in trailers_of(Making(code=commit.id)))
    return f"{commit.message.rstrip()}\n\n{trailers}"


class _Versions:
    """What the versions hold so far; each content is read once."""

    def __init__(
        self, read: Callable[[SourceFile], Content], blobs: BlobWriter, advance: Callable[[int], None]
    ) -> None:
        self._read = read
        self._blobs = blobs
        self._advance = advance
        self._known: dict[tuple[str, bool], GitId] = {}
        self._rules: dict[str, bytes] = {}
        self._attributes = Attributes.parse({"": DEFAULT_ATTRIBUTES})
        self._is_begun = False
        self.files: dict[str, SourceFile] = {}
        self.size = 0

    def edits(self, snapshot: Snapshot, writer: HistoryWriter) -> dict[str, tuple[int, GitId] | None]:
        """Returns what a snapshot changes in the tree of the version before, with contents stored."""
        changes = dict(snapshot.changes)
        for path, file in changes.items():
            check_entry_path(path)
            if file is None:
                self.files.pop(path, None)
            else:
                self.files[path] = file
        if not self._is_begun or any(path.rpartition("/")[2] == ATTRIBUTES for path in changes):
            # Other rules may represent every file otherwise.
            changes = {**changes, **self.files}
            self._reread_rules()
        edits: dict[str, tuple[int, GitId] | None] = {path: None for path, file in changes.items() if file is None}
        edits |= {path: (file.mode, self._store(path, file, writer)) for path, file in changes.items() if file}
        if ATTRIBUTES not in self.files:
            edits[ATTRIBUTES] = (int(Mode.FILE), writer.blob(DEFAULT_ATTRIBUTES))
        if not self._is_begun:
            edits[AIMD_DIRECTORY_ATTRIBUTES] = (int(Mode.FILE), writer.blob(AIMD_ATTRIBUTES))
        self._is_begun = True
        return edits

    def _reread_rules(self) -> None:
        rules = {"": DEFAULT_ATTRIBUTES}
        for path, file in self.files.items():
            directory, _, name = path.rpartition("/")
            if name == ATTRIBUTES and file.mode != Mode.SYMLINK:
                rules[directory] = b"".join(self._read(file)[1])
        self._attributes = Attributes.parse(rules)

    def _store(self, path: str, file: SourceFile, writer: HistoryWriter) -> GitId:
        is_pointer = file.mode != Mode.SYMLINK and self._attributes.is_lfs(path)
        known = self._known.get((file.key, is_pointer))
        if known is None:
            known = self._known[file.key, is_pointer] = self._store_content(path, file, is_pointer, writer)
        return known

    def _store_content(self, path: str, file: SourceFile, is_pointer: bool, writer: HistoryWriter) -> GitId:
        size, chunks = self._read(file)
        self.size += size
        if not is_pointer and size > INLINE_LIMIT:
            raise too_large_for_git(path, size)
        if is_pointer and size >= SMALL:
            return writer.blob(encode_pointer(self._blobs.add_chunks(self._told(chunks))))
        content = b"".join(chunks)
        self._advance(size)
        if len(content) < POINTER_LIMIT and file.mode != Mode.SYMLINK and find_pointer(content) is not None:
            raise UnsafePath(
                path, "is a Git LFS pointer, not the content it stands for", hint="`aimdvc import lfs` follows it"
            )
        if is_pointer and content:
            return writer.blob(encode_pointer(self._blobs.add_bytes(content)))
        return writer.blob(content)

    def _told(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield chunk
            self._advance(len(chunk))
