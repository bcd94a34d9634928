"""What the hook large-files asks: is a file that is added to Git one that should be an artifact's?

By its size, by what it begins with, and of images by how many come at once. Looks at the files of the work tree, and
of Git only at those that would be stopped. Changes nothing, so many of it may run at once.
"""

import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.git.code import head_commit
from aimdvc.git.codeindex import iter_staged, read_raw_index
from aimdvc.git.history import History
from aimdvc.git.trees import find_entry
from aimdvc.model.attributes import Attributes
from aimdvc.model.contentkinds import HEAD_BYTES, IMAGE, content_kind
from aimdvc.model.entries import path_text
from aimdvc.model.oid import GitId, is_git_id
from aimdvc.ops.project import Project

_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".webp", ".dcm", ".bmp")
_RULES = ".gitattributes"


class Limits(NamedTuple):
    """From where on a file is stopped, in KB of 1024 bytes; `kind_kb` for one of an artifact's kind of content."""

    max_kb: int = 500
    kind_kb: int = 10
    max_images: int = 20
    is_for_all: bool = False
    """Whether files count, too, that Git has already."""


@dataclass(frozen=True, slots=True)
class Large:
    """A file that is stopped, and why: `reason` follows the name. `path` is relative to the work tree."""

    path: str
    size: int
    reason: str
    command: str

    @property
    def line(self) -> str:
        """What is told of it."""
        size = f" ({_kb(self.size):,} KB)" if self.size else ""
        return f"{self.path}{size} {self.reason}: run `{self.command}`"


def staged_paths(project: Project, index_path: Path | None, limits: Limits) -> list[str]:
    """Returns what of the index could be stopped, by the sizes and names that it has; relative to the work tree."""
    found = []
    smallest = 1024 * min(limits.max_kb, limits.kind_kb)
    for entry in iter_staged(read_raw_index(project.git_dir, index_path)):
        if entry.stage == 0 and (entry.size > smallest or entry.path.lower().endswith(tuple(map(str.encode, _IMAGES)))):
            found.append(path_text(entry.path))
    return found


def find_large(project: Project, paths: Iterable[str], limits: Limits) -> list[Large]:
    """Returns those of the files that should be an artifact's. Links, submodules and what isn't there are none."""
    images: list[str] = []
    suspects: list[tuple[str, int, str]] = []
    for path in paths:
        size = _size(project, path)
        if size is None:
            continue
        kind = _kind(project, path)
        if _kb(size) > limits.max_kb:
            suspects.append((path, size, f"exceeds {limits.max_kb:,} KB"))
        elif kind == IMAGE:
            images.append(path)
        elif kind is not None and _kb(size) > limits.kind_kb:
            suspects.append((path, size, f"is a file of {kind}"))
    if not suspects and len(images) <= limits.max_images:
        return []
    with _Git(project, limits.is_for_all) as git:
        found = [
            Large(path, size, reason, _move_over(path)) for path, size, reason in suspects if git.is_to_be_told(path)
        ]
        added = [path for path in images if git.is_to_be_told(path)] if len(images) > limits.max_images else []
    if len(added) > limits.max_images:
        directory = os.path.commonpath([os.path.dirname(path) or "." for path in added]) or "."
        found.append(Large(directory, 0, f"gets {len(added):,} images at once", _move_over(directory, "-r ")))
    return found


def _move_over(path: str, recursive: str = "") -> str:
    """Returns the command that makes a file an artifact's: Git has to let go of it first."""
    quoted = shlex.quote(path)
    return f"git rm {recursive}-q --cached {quoted} && aimdvc add {quoted}"


def _kb(size: int) -> int:
    return -(-size // 1024)


def _size(project: Project, path: str) -> int | None:
    try:
        status = (project.work_tree / path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _kind(project: Project, path: str) -> str | None:
    place = project.work_tree / path
    with mapped(place):
        try:
            descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return None
        try:
            return content_kind(os.read(descriptor, HEAD_BYTES), path)
        finally:
            os.close(descriptor)


class _Git:
    """What the code repository says of a file: whether it is new there, and whether Git LFS takes it."""

    def __init__(self, project: Project, is_for_all: bool) -> None:
        self._project = project
        self._is_for_all = is_for_all
        self._history = History(project.common_dir, Disk())
        self._files: dict[str, bytes] = {}
        self._trees: dict[GitId, bytes] = {}

    def is_to_be_told(self, path: str) -> bool:
        """Returns whether a file counts: it is added, and no pointer of Git LFS is stored for it."""
        return (self._is_for_all or not self._is_known(path)) and not self._is_lfs(path)

    def _is_known(self, path: str) -> bool:
        return any(find_entry(self._read_tree, tree, path) is not None for tree in self._parents())

    def _parents(self) -> Iterator[GitId]:
        project = self._project
        head = head_commit(project.git_dir, project.common_dir)
        merged = project.git_dir / "MERGE_HEAD"
        words = merged.read_text("ascii", "replace").split() if merged.is_file() else []
        for commit in [*([head] if head is not None else []), *(GitId(word) for word in words if is_git_id(word))]:
            yield self._history.commit(commit).tree

    def _read_tree(self, tree: GitId) -> bytes:
        if tree not in self._trees:
            self._trees[tree] = self._history.read_tree(tree)
        return self._trees[tree]

    def _is_lfs(self, path: str) -> bool:
        files = dict(self._rules(path))
        return bool(files) and Attributes.parse(files).is_lfs(path)

    def _rules(self, path: str) -> Iterator[tuple[str, bytes]]:
        """Yields the attributes that are for a path, by their directory."""
        own = self._project.common_dir / "info" / "attributes"
        parts = path.split("/")[:-1]
        for depth in range(len(parts) + 1):
            directory = "/".join(parts[:depth])
            file = self._project.work_tree / directory / _RULES
            content = file.read_bytes() if file.is_file() and not file.is_symlink() else b""
            if directory == "" and own.is_file():
                content += b"\n" + own.read_bytes()
            if content:
                yield directory, content

    def __enter__(self) -> "_Git":
        return self

    def __exit__(self, *_: object) -> None:
        self._history.close()
