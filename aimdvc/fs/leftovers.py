"""What killed processes left behind: a temporary file's name tells the process, and goes when that is gone."""

import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path


def remove_leftovers(
    directory: Path, prefixes: Collection[str] = ("tmp-", ".tmp-"), min_age_s: float | None = None
) -> None:
    """Removes what is named by a prefix and the id of a process that doesn't run here: `tmp-4711-…`.

    Where other machines write, too, their processes can't be seen: there `min_age_s` tells how old it must be.
    """
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), None)
        pid, dash, _ = name[len(prefix or "") :].partition("-")
        if prefix is None or not dash or not pid.isdecimal() or _is_running(int(pid)):
            continue
        path = directory / name
        if min_age_s is None or _age_s(path) >= min_age_s:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return 0


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
