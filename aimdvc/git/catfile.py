"""Contents of the code repository's files, streamed: large ones can't be read in process but whole.

One `git cat-file --batch` serves them all. It runs nothing that a repository names, and fetches nothing. Called by
`import` alone; all else reads files (code.py).
"""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

from aimdvc.errors import CorruptRepository, UsageError
from aimdvc.fs.processes import find_program
from aimdvc.git.program import without_git_state
from aimdvc.model.oid import GitId

_CHUNK = 1 << 20


class CatFile:
    """Reads blobs of a repository, one after another: each is read to its end before the next."""

    def __init__(self, common_dir: Path, environment: Mapping[str, str]) -> None:
        git = find_program("git", environment)
        if git is None:
            raise UsageError("`git` is not on the PATH", hint="install Git")
        self._process = subprocess.Popen(
            [git, "--git-dir", str(common_dir), "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**without_git_state(environment), "LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1"},
        )

    def open(self, git_id: GitId) -> tuple[int, Iterator[bytes]]:
        """Returns a blob's size in bytes and its content in chunks. Raises CorruptRepository where it isn't here."""
        stdin, stdout = self._pipe(self._process.stdin), self._pipe(self._process.stdout)
        try:
            stdin.write(f"{git_id}\n".encode())
            stdin.flush()
        except BrokenPipeError as error:
            raise _unreadable(git_id) from error
        words = stdout.readline().split()
        if len(words) != 3 or words[1] != b"blob":
            raise _unreadable(git_id)
        return int(words[2]), self._chunks(git_id, int(words[2]))

    def read(self, git_id: GitId) -> bytes:
        """Returns a small blob's content."""
        return b"".join(self.open(git_id)[1])

    def _chunks(self, git_id: GitId, size: int) -> Iterator[bytes]:
        stdout = self._pipe(self._process.stdout)
        left = size
        while left:
            chunk = stdout.read(min(left, _CHUNK))
            if not chunk:
                raise _unreadable(git_id)
            left -= len(chunk)
            yield chunk
        stdout.read(1)

    def _pipe(self, pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None, "it was asked for"
        return pipe

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> "CatFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _unreadable(git_id: GitId) -> CorruptRepository:
    error = CorruptRepository("the code repository", f"git object {git_id} can't be read")
    error.hint = "run `git fsck`; in a partial clone, `git fetch --refetch --no-filter` brings what is missing"
    return error
