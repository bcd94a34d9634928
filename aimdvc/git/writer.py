"""Writes git objects of an artifact's history, durable all together when the writer's `with` ends."""

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.fs.system import set_mode
from aimdvc.git.commits import dump_commit
from aimdvc.git.kinds import BLOB, COMMIT, KIND_NAMES, TREE
from aimdvc.git.packs import PackWriter, clean_repository, git_id_of
from aimdvc.git.trees import edit_tree
from aimdvc.model.commits import CommitDraft
from aimdvc.model.oid import GitId

LOOSE_LIMIT = 40
"""Objects; a write of more becomes one pack. Loose ones are cheaper to find, a pack is cheaper to make durable."""


class HistoryWriter:
    """Git objects on their way into a repository: few become loose objects, many one pack."""

    def __init__(self, repository: Path, read_tree: Callable[[GitId], bytes], disk: Disk) -> None:
        """`read_tree` returns a tree that the repository has."""
        self._repository = repository
        self._stored_tree = read_tree
        self._disk = disk
        self._directory = repository / "objects"
        self._few: dict[GitId, tuple[int, bytes]] = {}
        self._pack: PackWriter | None = None
        self._trees: dict[GitId, bytes] = {}

    def blob(self, content: bytes) -> GitId:
        """Writes a blob."""
        return self._add(BLOB, content)

    def tree(self, base: GitId | None, edits: Mapping[str, tuple[int, GitId] | None]) -> GitId:
        """Writes the tree that edits make of `base`, by path: mode and git id, or None to remove."""
        return edit_tree(self._read_tree, self._write_tree, base, edits)

    def commit(self, draft: CommitDraft) -> GitId:
        """Writes a commit."""
        return self._add(COMMIT, dump_commit(draft))

    def _read_tree(self, tree: GitId) -> bytes:
        return self._trees[tree] if tree in self._trees else self._stored_tree(tree)

    def _write_tree(self, content: bytes) -> GitId:
        git_id = self._add(TREE, content)
        self._trees[git_id] = content
        return git_id

    def _add(self, kind: int, content: bytes) -> GitId:
        git_id = git_id_of(kind, content)
        if self._pack is not None:
            self._pack.add(kind, content, git_id)
            return git_id
        self._few[git_id] = (kind, content)
        if len(self._few) > LOOSE_LIMIT:
            self._disk.make_directory(self._directory / "pack")
            clean_repository(self._repository)
            self._pack = PackWriter(self._disk, self._directory / "pack")
            for known, (its_kind, its_content) in self._few.items():
                self._pack.add(its_kind, its_content, known)
            self._few.clear()
        return git_id

    def __enter__(self) -> "HistoryWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            if self._pack is not None:
                self._pack.discard()
            return
        if self._pack is not None:
            try:
                self._pack.publish(self._directory / "pack")
            except BaseException:  # Whatever stopped it, an interrupt too: what isn't published is thrown away.
                self._pack.discard()
                raise
        else:
            self._write_loose()

    def _write_loose(self) -> None:
        directories = set()
        for git_id, (kind, content) in self._few.items():
            target = self._directory / git_id[:2] / git_id[2:]
            if target.exists():
                continue
            self._disk.make_directory(target.parent)
            raw = zlib.compress(b"%s %d\0" % (KIND_NAMES[kind], len(content)) + content, 1)
            with self._disk.create_temp(target.parent, "tmp_obj_") as temp:
                temp.write(raw)
                temp.sync()
                with mapped(temp.path):
                    set_mode(temp.fd, temp.path, 0o444)
                temp.close()
                self._disk.rename(temp.path, target)
            directories.add(target.parent)
        for directory in directories:
            self._disk.sync_directory(directory)
