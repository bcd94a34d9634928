"""What a file system keeps of what aimdvc counts on: tried on a directory, for `aimdvc selftest`.

Each probe works in a new, empty directory, and tells what it found. A lying disk, one that says "durable" too early,
can't be found this way.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Literal

from aimdvc.errors import StorageError
from aimdvc.fs import system
from aimdvc.fs.directories import name_open_file
from aimdvc.fs.disk import Disk, reflink
from aimdvc.fs.probe import filesystem_type, is_network_filesystem

Outcome = Literal["ok", "note", "failed"]

_MIB = 1 << 20
_RENAMES = 300
_STAMPS = 40


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing tried. `note` is worth knowing and breaks nothing; `failed` breaks a promise."""

    name: str
    outcome: Outcome
    detail: str


def probe(directory: Path, disk: Disk) -> Iterator[Probe]:
    """Tries everything in an empty directory, and yields what was found; leaves files behind."""
    kind = filesystem_type(directory) or "unknown"
    is_network = is_network_filesystem(directory)
    yield Probe("file system", "note" if is_network else "ok", kind + (", over a network" if is_network else ""))
    for name, try_it in _PROBES.items():
        place = directory / name.replace(" ", "-")
        place.mkdir()
        try:
            outcome, detail = try_it(place, disk)
        except (OSError, StorageError) as error:
            reason = error.message if isinstance(error, StorageError) else (error.strerror or str(error)).lower()
            outcome, detail = _ON_ERROR.get(name, "failed"), reason
        yield Probe(name, outcome, detail)


def _fsync(place: Path, disk: Disk) -> tuple[Outcome, str]:
    times = []
    for number in range(10):
        start = time.monotonic()
        disk.replace_file(place / "file", b"%d" % number * 4096)
        times.append(time.monotonic() - start)
    return "ok", f"a file written durably takes {sorted(times)[5] * 1000:.1f} ms"


def _syncfs(place: Path, disk: Disk) -> tuple[Outcome, str]:
    disk.sync_filesystem(place)
    return "ok", "the whole file system at once, for many small files"


def _rename(place: Path, disk: Disk) -> tuple[Outcome, str]:
    """A reader in another process must find the old file or the new one, whole, at any time."""
    target = place / "file"
    target.write_bytes(b"0" * 4096)
    reader = system.go_on_apart(partial(_read_until_gone, target))
    for number in range(_RENAMES):
        temporary = place / "new"
        temporary.write_bytes(b"%d" % (number % 10) * 4096)
        temporary.replace(target)
    (place / "stop").touch()
    is_whole = system.wait_for(reader) == 0
    return ("ok", f"{_RENAMES} renames, each seen whole") if is_whole else ("failed", "a reader saw a file missing")


def _read_until_gone(target: Path) -> int:
    while not (target.parent / "stop").exists():
        try:
            content = target.read_bytes()
        except OSError:
            return 1
        if len(content) != 4096 or content != content[:1] * 4096:
            return 1
    return 0


def _flock(place: Path, disk: Disk) -> tuple[Outcome, str]:
    path = place / "lock"
    with path.open("w") as file:
        system.lock(file.fileno())
        is_kept = system.wait_for(system.go_on_apart(partial(_try_lock, path))) == 0
    if is_kept:
        return "ok", "keeps processes apart"
    return "note", "does nothing: processes don't wait for one another, and some work is done twice"


def _try_lock(path: Path) -> int:
    """Returns 0 when the lock is held by another."""
    return 1 if system.lock(os.open(path, system.WRITE)) else 0


def _reflink(place: Path, disk: Disk) -> tuple[Outcome, str]:
    with (place / "one").open("wb+") as one, (place / "two").open("wb+") as two:
        one.write(b"1" * _MIB)
        one.flush()
        if reflink(one.fileno(), two.fileno()):
            return "ok", "large files share their blocks with the store"
    return "note", "none: large files are copied, and take their room twice (`core.link hardlink` avoids it)"


def _hard_link(place: Path, disk: Disk) -> tuple[Outcome, str]:
    (place / "one").write_bytes(b"1")
    disk.link(place / "one", place / "two")
    with (place / "one").open("rb") as file:
        name_open_file(file.fileno(), place / "three")
    same = (place / "two").samefile(place / "three")
    return ("ok", "`core.link hardlink` works") if same else ("note", "its links are copies")


def _names(place: Path, disk: Disk) -> tuple[Outcome, str]:
    """Names that differ by case alone, or by how an accent is written, must not be one."""
    (place / "name").touch()
    (place / "caf\u00e9").touch()
    folded = []
    if (place / "NAME").exists():
        folded.append("case")
    if (place / "cafe\u0301").exists():
        folded.append("accents")
    if folded:
        return "note", f"names that differ by {' or '.join(folded)} only are one file here"
    return "ok", "kept as they are"


def _bytes(place: Path, disk: Disk) -> tuple[Outcome, str]:
    raw = os.path.join(os.fsencode(place), b"\xff: ?")
    with open(raw, "wb"):
        pass
    found = os.listdir(os.fsencode(place)) == [b"\xff: ?"]
    return ("ok", "any bytes") if found else ("note", "names that are no UTF-8 are changed")


def _modes(place: Path, disk: Disk) -> tuple[Outcome, str]:
    path = place / "file"
    path.touch()
    for mode in (0o755, 0o444, 0o644):
        path.chmod(mode)
        if path.stat().st_mode & 0o777 != mode:
            return "note", "executable bits and read-only are not kept"
    return "ok", "kept"


def _symlink(place: Path, disk: Disk) -> tuple[Outcome, str]:
    (place / "link").symlink_to("nowhere")
    return "ok", "kept"


def _stamps(place: Path, disk: Disk) -> tuple[Outcome, str]:
    """How fine the times of files are: what was changed within one step is hashed again."""
    path = place / "file"
    seen: set[int] = set()
    deadline = time.monotonic() + 3
    while len(seen) < _STAMPS and time.monotonic() < deadline:
        path.write_bytes(b"1")
        seen.add(path.stat().st_mtime_ns)
    ordered = sorted(seen)
    if len(ordered) < 2:
        return "note", "coarser than 3 s"
    step = min(later - earlier for earlier, later in pairwise(ordered))
    return ("ok" if step < 1_000_000_000 else "note"), f"steps of {step / 1_000_000:.3g} ms"


def _holes(place: Path, disk: Disk) -> tuple[Outcome, str]:
    with (place / "file").open("wb+") as file:
        file.truncate(8 * _MIB)
        file.seek(8 * _MIB)
        file.write(b"1" * 65536)
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
        has_room = os.fstat(file.fileno()).st_blocks * 512 < size // 2
        is_known = system.next_bytes(file.fileno(), 0, size) > 0
    if has_room and is_known:
        return "ok", "holes take no room, and are told apart"
    return "note", "holes are written out as zeros" if not has_room else "holes can't be told from zeros"


def _tmpfile(place: Path, disk: Disk) -> tuple[Outcome, str]:
    os.close(system.open_unnamed(place))
    return "ok", "there, and not needed"


_PROBES: dict[str, Callable[[Path, Disk], tuple[Outcome, str]]] = {
    "fsync": _fsync,
    "syncfs": _syncfs,
    "rename": _rename,
    "flock": _flock,
    "reflink": _reflink,
    "hard link": _hard_link,
    "symbolic link": _symlink,
    "modes": _modes,
    "names": _names,
    "names as bytes": _bytes,
    "time stamps": _stamps,
    "holes": _holes,
    "O_TMPFILE": _tmpfile,
}

_ON_ERROR: dict[str, Outcome] = dict.fromkeys(
    ("flock", "reflink", "hard link", "symbolic link", "modes", "names", "names as bytes", "holes", "O_TMPFILE"), "note"
)
"""What an error means, where aimdvc does without."""
