"""Moves a file or directory of a workspace, durably and never through a link. Called by `mv` alone."""

import os
import stat
from pathlib import Path

from aimdvc.errors import ChangedMeanwhile, UnsafePath
from aimdvc.fs.directories import Place, rename_in, stat_in, unlink_in
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.model.entries import path_bytes
from aimdvc.store.materialise import opened
from aimdvc.store.state import Stat, stat_of


def move(place: Place, source: str, target: str, seen: Stat | None, disk: Disk) -> None:
    """Renames a file or directory below the place, durably, never through a link. Their parents exist.

    `seen` is the stat of the file at the target that may be replaced, None for nothing. Raises ChangedMeanwhile when
    something else is there, UnsafePath, StorageError.
    """
    with opened(place) as here, opened(place) as there, mapped(os.path.join(place.full, target)):
        parent, _, name = path_bytes(source).rpartition(b"/")
        new_parent, _, new_name = path_bytes(target).rpartition(b"/")
        try:
            directory, new_directory = here.open(parent), there.open(new_parent)
        except NotADirectoryError as error:
            raise UnsafePath(target, "a link or a file is in the way of its directory") from error
        disk.before("rename", os.path.join(place.full, target))
        status = stat_in(directory, name)
        try:
            found = stat_in(new_directory, new_name)
        except FileNotFoundError:
            found = None
        is_itself = found is not None and is_same_entry(status, found)
        if not is_itself and (stat_of(found) if found else None) != seen:
            raise ChangedMeanwhile(target)
        if found is not None and not is_itself and os.path.samestat(status, found):
            unlink_in(directory, name)  # Between two names of one file rename does nothing (rename(2)).
        else:
            rename_in(directory, name, new_directory, new_name)
    for changed in dict.fromkeys((target, source)):
        disk.sync_directory(Path(place.full, os.path.dirname(changed)))


def is_same_entry(one: os.stat_result, other: os.stat_result) -> bool:
    """Returns whether two names lead to one entry, as on file systems that fold case; hard links are two."""
    return os.path.samestat(one, other) and (stat.S_ISDIR(one.st_mode) or one.st_nlink == 1)
