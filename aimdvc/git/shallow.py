"""The file `shallow` of a repository: commits whose parents are not here (Git, gitrepository-layout(5), `shallow`).

Stock Git reads and writes it, too. Order, for whoever makes a history end somewhere: the file first, then the commits,
then the refs; and parents that came before the commit leaves the file. So nothing that a ref reaches ever lacks what it
names, wherever a process is killed.
"""

from collections.abc import Collection
from pathlib import Path

from aimdvc.errors import CorruptRepository
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.model.oid import GitId, is_git_id

SHALLOW = "shallow"


def read_shallow(repository: Path) -> frozenset[GitId]:
    """Returns the commits at which a repository's history ends. Raises CorruptRepository."""
    path = repository / SHALLOW
    with mapped(path):
        try:
            lines = path.read_text("ascii", "replace").split()
        except FileNotFoundError:
            return frozenset()
    for line in lines:
        if not is_git_id(line):
            raise CorruptRepository(str(path), f"names a commit '{line[:60]}'")
    return frozenset(map(GitId, lines))


def write_shallow(repository: Path, disk: Disk, commits: Collection[GitId]) -> None:
    """Notes where a repository's history ends, durably; without commits it ends nowhere."""
    path = repository / SHALLOW
    if commits:
        disk.replace_file(path, "".join(f"{commit}\n" for commit in sorted(commits)).encode())
    elif path.exists():
        disk.unlink(path)
