"""Puts content into an open artifact: files and directories into the blob store, references as they are.

Real when the artifact's record names it; before that, blobs that nothing names. Safe to repeat.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from aimdvc.errors import UnsafePath
from aimdvc.model.attributes import Attributes
from aimdvc.model.entries import Mode, path_text
from aimdvc.model.oid import Oid
from aimdvc.model.paths import check_entry_path
from aimdvc.model.progress import Progress
from aimdvc.model.references import Reference, check_reference
from aimdvc.model.settings import Link
from aimdvc.ops.stage import Stager, Vanished
from aimdvc.ops.workspace import Workspace
from aimdvc.store.records import RecordObject
from aimdvc.store.walk import Walked, walk

_ALL_BLOBS = Attributes.parse({"": b"* filter=lfs\n"})
"""Whatever a version's rules will be, an open artifact has its bytes as blobs."""

_BATCH = 20_000


def add_file(workspace: Workspace, record: str, path: Path, key: str, progress: Progress) -> None:
    """Stores a file's bytes under a key; a link to a file is read through.

    Raises FileNotFoundError, IsADirectoryError, UnsafePath, ChangedMeanwhile.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a directory, which `add_dir` takes", str(path))
    if not path.exists():
        raise _absent(path)
    progress.start(f"add {key}", path.stat().st_size, "bytes")
    _store(workspace, record, [(os.path.realpath(os.fsencode(path)), key)], progress)
    progress.finish()


def add_directory(workspace: Workspace, record: str, path: Path, key: str, progress: Progress) -> list[str]:
    """Stores all files below a directory under a key, and returns what was left out: nested `.git`, sockets and such.

    Links to files are read through, links to directories are left out. What was stored before an error stays. Raises
    FileNotFoundError, NotADirectoryError, UnsafePath, ChangedMeanwhile.
    """
    if not path.exists():
        raise _absent(path)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is no directory; `add_file` takes a file", str(path))
    found = Walked()
    # Once, not for each file: that took as long as reading and hashing small ones.
    root = os.path.realpath(os.fsencode(path))
    links: list[str] = []
    progress.start(f"add {key}", None, "bytes")
    _store(workspace, record, _iter_files(root, key, found, links), progress)
    progress.finish()
    return [*map(path_text, found.nested_git), *map(path_text, found.special), *links]


def add_reference(workspace: Workspace, record: str, reference: Reference) -> None:
    """Keeps that a key names a URI. Asks no network. Raises UnsafeUrl."""
    check_reference(reference)
    oid = Oid(reference.sha256) if reference.sha256 is not None else None
    size = reference.size if reference.size is not None else -1
    _keep(workspace, record, [RecordObject(reference.key, int(Mode.FILE), oid, size, reference.uri)])


def _iter_files(root: bytes, key: str, found: Walked, links: list[str]) -> Iterator[tuple[bytes, str]]:
    for inside, mode, *_ in walk(root, b"", None, found):
        full = os.path.join(root, inside)
        if mode == Mode.SYMLINK:
            if not _leads_to_file(full):
                links.append(path_text(inside))
                continue
            full = os.path.realpath(full)
        yield full, check_entry_path(f"{key}/{path_text(inside)}")


def _leads_to_file(path: bytes) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _store(workspace: Workspace, record: str, files: Iterable[tuple[bytes, str]], progress: Progress) -> None:
    pending = iter(files)
    # A link would make the user's own file read-only, and what they do to it a damage of the blob.
    link: Link = "copy" if workspace.local_settings.link == "copy" else "reflink"
    while batch := list(islice(pending, _BATCH)):
        with workspace.blobs.writer() as writer:
            stager = Stager(b"/", _ALL_BLOBS, writer, link)
            objects = [_staged(stager, path, key, progress) for path, key in batch]
        _keep(workspace, record, objects)


def _staged(stager: Stager, path: bytes, key: str, progress: Progress) -> RecordObject:
    try:
        row = stager.stage(key, path, progress.advance)
    except Vanished as error:
        raise _absent(Path(os.fsdecode(path))) from error
    return RecordObject(key, row.mode, row.oid, row.size)


def _keep(workspace: Workspace, record: str, objects: list[RecordObject]) -> None:
    with workspace.state.transaction():
        workspace.state.records.put_objects(record, objects)
        clash = workspace.state.records.find_clash(record)
        if clash is not None:
            raise UnsafePath(clash, "is an object, and another would lie inside of it", hint="choose another key")


def _absent(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
