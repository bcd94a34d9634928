"""Which process did something, written so that another one can tell later whether it still runs; where a program is.

An id alone doesn't: ids come again. Written are the machine with its process namespace, as in the names of temporary
files (leftovers.py), the id, and when the process began.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from aimdvc.fs.leftovers import is_running, owner

_STARTED = 19
"""The field of /proc/PID/stat, counted behind the name in parentheses: proc_pid_stat(5), field 22."""


def this_process() -> str:
    """Returns what stands for this process."""
    pid = os.getpid()
    return f"{owner(pid)}.{_started(pid)}"


def is_gone(process: str) -> bool:
    """Returns whether a process has surely ended; that of another machine, or namespace, can't be told."""
    machine, _, rest = process.partition(".")
    pid, _, started = rest.partition(".")
    if not pid.isdecimal() or owner(int(pid)) != f"{machine}.{pid}":
        return False
    return not is_running(int(pid)) or _started(int(pid)) != started


def _started(pid: int) -> str:
    """Returns when a process began, in ticks since the machine did; "" where the system doesn't tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return fields[_STARTED] if len(fields) > _STARTED else ""


def find_program(name: str, environment: Mapping[str, str]) -> str | None:
    """Returns where a program is, by the PATH of an environment; None where it isn't.

    No entry counts that depends on the current directory: a program that came with the code is not to be run.
    """
    places = environment.get("PATH", os.defpath).split(os.pathsep)
    return shutil.which(name, path=os.pathsep.join(filter(os.path.isabs, places)))
