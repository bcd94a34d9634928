"""Files that Git tracks, and those that Git LFS keeps beside it, as a source of `import`."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aimdvc.errors import CorruptBlob, MissingBlob, Refused, StorageError, UnsafePath, UsageError
from aimdvc.fs.system import open_any
from aimdvc.git.catfile import CatFile
from aimdvc.git.cleanliness import changed_below
from aimdvc.git.code import is_tracked
from aimdvc.git.linehistory import Step, find_submodule, is_shallow, iter_steps, node_at_head
from aimdvc.git.program import Git
from aimdvc.model.entries import Mode, path_bytes
from aimdvc.model.gitconfig import parse
from aimdvc.model.oid import GitId
from aimdvc.model.pointer import POINTER_LIMIT, Pointer, find_pointer
from aimdvc.ops.codeplace import CodePlace, code_place
from aimdvc.ops.importing import Content, Snapshot, SourceFile
from aimdvc.ops.scan import git_blob_id
from aimdvc.ops.workspace import Workspace

_CHUNK = 1 << 20


@dataclass
class GitSource:
    """What Git tracks at a path of the workspace; with `has_lfs` pointers stand for what Git LFS keeps."""

    workspace: Workspace
    path: str
    environment: Mapping[str, str]
    has_lfs: bool = False
    is_whole: bool = True
    notes: list[str] = field(default_factory=list)

    def require_ready(self) -> None:
        """Raises UsageError where Git tracks nothing, UnsafePath, Refused for what isn't committed, MissingBlob."""
        place = self._place
        node = node_at_head(place.git_dir, place.common_dir, self._inside)
        if node is None:
            hint = "commit it in Git first" if is_tracked(place.git_dir, self._inside) else f"`aimdvc add {self.path}`"
            raise UsageError(f"the code's HEAD has nothing at '{self.path}'", hint=f"{hint} makes it an artifact")
        if node.mode not in (Mode.TREE, Mode.FILE, Mode.EXECUTABLE):
            raise UnsafePath(self.path, "is a symbolic link or a submodule, and an artifact's path may not be")
        submodule = find_submodule(place.git_dir, place.common_dir, self._inside)
        if submodule is not None:
            raise UnsafePath(submodule, "is a submodule, which no artifact holds", hint="`git mv` it elsewhere first")
        if is_tracked(place.git_dir, self._inside):
            changed = changed_below(place.git_dir, place.common_dir, self._work_tree, path_bytes(self._inside))
            if changed:
                raise Refused(
                    f"'{os.fsdecode(changed[0])}' has changes that are not committed in Git"
                    + (f", and {len(changed) - 1:,} more" if len(changed) > 1 else ""),
                    hint="commit or stash them, then run it again; nothing was changed",
                )
        if self.has_lfs:
            self._require_objects()
        if is_shallow(place.common_dir) and self.is_whole:
            self.notes.append("the clone of the code is shallow: older versions were not imported")

    def snapshots(self) -> Iterator[Snapshot]:
        """Yields the commits that changed something at the path, as Git has it: not as filters write it to disk."""
        for step in self._steps():
            changes = {
                path: SourceFile(node.mode, node.git_id) if node is not None else None
                for path, node in step.changes.items()
            }
            yield Snapshot(step.commit, changes)

    @contextmanager
    def reading(self) -> Iterator[Callable[[SourceFile], Content]]:
        """Gives what reads a file from Git, or from Git LFS where it is a pointer."""
        with CatFile(self._place.common_dir, self.environment) as objects:
            yield lambda file: self._read(objects, file)

    def let_go(self) -> None:
        """Takes the files out of Git's index, and pointers that stand in for contents out of the work tree."""
        if not is_tracked(self._place.git_dir, self._inside):
            return
        for stub in list(self._stubs()):
            self.workspace.disk.unlink(stub)
        git = Git(self._work_tree, self.environment)
        git.do("rm", "-r", "--cached", "--quiet", "--", f":(top,literal){self._inside}")
        if is_tracked(self._place.git_dir, self._inside):
            raise StorageError(self.path, "is tracked by Git still", hint=f"run `git rm -r --cached {self.path}`")

    @property
    def _place(self) -> CodePlace:
        return code_place(self.workspace)

    @property
    def _work_tree(self) -> Path:
        work_tree = self.workspace.places.work_tree
        assert work_tree is not None, "code_place has looked"
        return work_tree

    @property
    def _inside(self) -> str:
        return os.path.relpath(self.workspace.root / self.path, self._work_tree).replace(os.sep, "/")

    def _steps(self) -> Iterator[Step]:
        return iter_steps(self._place.git_dir, self._place.common_dir, self._inside, self.is_whole)

    def _read(self, objects: CatFile, file: SourceFile) -> Content:
        size, chunks = objects.open(GitId(file.key))
        if not self.has_lfs or size >= POINTER_LIMIT or file.mode == Mode.SYMLINK:
            return size, chunks
        content = b"".join(chunks)
        pointer = find_pointer(content)
        return (pointer.size, self._lfs_chunks(pointer)) if pointer is not None else (size, (content,))

    def _lfs_chunks(self, pointer: Pointer) -> Iterator[bytes]:
        path = self._lfs_file(pointer)
        try:
            descriptor = open_any(str(path))
        except FileNotFoundError as error:
            raise _missing(pointer, 1) from error
        digest, size = hashlib.sha256(), 0
        try:
            while chunk := os.read(descriptor, _CHUNK):
                digest.update(chunk)
                size += len(chunk)
                yield chunk
        finally:
            os.close(descriptor)
        if digest.hexdigest() != pointer.oid or size != pointer.size:
            damaged = CorruptBlob(pointer.oid, f"Git LFS has {size} other bytes at '{path}'")
            damaged.hint = "move that file away, then `git lfs fetch --all` brings it anew"
            raise damaged

    def _require_objects(self) -> None:
        """Raises MissingBlob, naming how many, unless Git LFS has every content here."""
        missing: dict[str, Pointer] = {}
        with CatFile(self._place.common_dir, self.environment) as objects:
            seen: set[GitId] = set()
            for step in self._steps():
                for node in step.changes.values():
                    if node is None or node.git_id in seen or node.mode == Mode.SYMLINK:
                        continue
                    seen.add(node.git_id)
                    pointer = self._pointer(objects, node.git_id)
                    if pointer is not None and pointer.size and not self._lfs_file(pointer).is_file():
                        missing[pointer.oid] = pointer
        if missing:
            raise _missing(next(iter(missing.values())), len(missing))

    def _pointer(self, objects: CatFile, git_id: GitId) -> Pointer | None:
        size, chunks = objects.open(git_id)
        if size < POINTER_LIMIT:
            return find_pointer(b"".join(chunks))
        for _ in chunks:
            pass
        return None

    def _lfs_file(self, pointer: Pointer) -> Path:
        return self._lfs_storage / "objects" / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid

    @property
    def _lfs_storage(self) -> Path:
        """Where Git LFS keeps contents: `lfs.storage`, relative to the Git directory (git-lfs-config(5))."""
        common = self._place.common_dir
        config = common / "config"
        stored = parse(config.read_bytes(), str(config)).get("lfs", None, "storage") if config.exists() else None
        return common / (stored or "lfs")

    def _stubs(self) -> Iterator[Path]:
        """Yields the files of the work tree that are pointers still: their contents were never brought."""
        if not self.has_lfs:
            return
        base = self.workspace.root / self.path
        last: dict[str, GitId] = {}
        for step in self._steps():
            for path, node in step.changes.items():
                if node is None:
                    last.pop(path, None)
                elif node.mode != Mode.SYMLINK:
                    last[path] = node.git_id
        for path in last:
            place = base / path if base.is_dir() else base
            is_small = place.is_file() and not place.is_symlink() and place.stat().st_size < POINTER_LIMIT
            content = place.read_bytes() if is_small else b""
            # One that was written since is the user's: what Git has of it is another.
            if find_pointer(content) is not None and git_blob_id(content) == last[path]:
                yield place


def _missing(pointer: Pointer, count: int) -> MissingBlob:
    error = MissingBlob(pointer.oid, "`git lfs fetch --all` brings what is missing; nothing was changed")
    error.args = (f"Git LFS has {count:,} of the contents not here, such as {pointer.oid}",)
    return error
