"""The file `packed-refs`: many refs in one file, a line each (git-pack-refs(1)). Of one that is loose too, that counts.

Read after the loose refs: a ref that is packed meanwhile is then seen in one of the two places.
"""

from collections.abc import Mapping
from pathlib import Path

from aimdvc.errors import CorruptRepository
from aimdvc.fs.disk import Disk
from aimdvc.git.refnames import is_safe_ref
from aimdvc.model.entries import path_bytes
from aimdvc.model.oid import GitId, is_git_id

PACKED = "packed-refs"
_HEADER = b"# pack-refs with: sorted \n"
"""Without `peeled`: Git looks itself what an annotated tag names."""


class PackedRefs:
    """The packed refs of one repository, read again when the file is another."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path / PACKED
        self._disk = disk
        self._stamp: tuple[int, int, int] | None = None
        self._known: dict[str, GitId] = {}

    def all(self) -> Mapping[str, GitId]:
        """Returns what the file says. Raises CorruptRepository for a line that Git would refuse, too."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return {}
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp != self._stamp:
            self._known, faults = self._read()
            if faults:
                raise CorruptRepository(str(self.path), f"holds the line '{faults[0][:80]}'")
            self._stamp = stamp
        return self._known

    def readable(self) -> tuple[dict[str, GitId], str]:
        """Returns what can be read, and what is wrong with the rest, "" for nothing."""
        try:
            return dict(self.all()), ""
        except CorruptRepository as error:
            return self._read()[0], error.message

    def _read(self) -> tuple[dict[str, GitId], list[str]]:
        found: dict[str, GitId] = {}
        faults: list[str] = []
        try:
            lines = self.path.read_text("utf-8", "surrogateescape").split("\n")
        except FileNotFoundError:
            return found, faults
        if lines[-1] == "":
            lines.pop()
        for line in lines:
            value, _, name = line.partition(" ")
            if name and is_git_id(value):
                found[name] = GitId(value)
            elif not is_packed_line(line):
                faults.append(line)
        return found, faults

    def replace(self, refs: Mapping[str, GitId], scratch: Path) -> None:
        """Makes these what the file says; durable when it returns."""
        lines = sorted((path_bytes(name), git_id.encode()) for name, git_id in refs.items())
        content = _HEADER + b"".join(git_id + b" " + name + b"\n" for name, git_id in lines)
        self._disk.replace_file(self.path, content, scratch=scratch)
        self._stamp = None


def is_packed_line(line: str) -> bool:
    """Returns whether a line of packed-refs is one that Git writes (git-pack-refs(1))."""
    value, _, name = line.partition(" ")
    return (
        line.startswith("# ") or (line[:1] == "^" and is_git_id(line[1:])) or (is_git_id(value) and is_safe_ref(name))
    )
