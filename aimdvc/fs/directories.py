"""Directories below a base, opened component by component and never through a link.

What is then done relative to the descriptor stays below the base, whoever swaps directories for links meanwhile.
"""

import errno
import os
from types import TracebackType

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Directories:
    """Holds the directory that was opened last. Paths are bytes, relative to the base; b"" is the base itself."""

    def __init__(self, base: bytes) -> None:
        """Opens the base, which exists. Raises OSError: ELOOP or ENOTDIR where it is a link."""
        self._base = os.open(base, _DIRECTORY)
        self._current = os.dup(self._base)
        self._inside = b""

    def open(self, path: bytes, make: bool = False) -> int:
        """Returns the descriptor of a directory, which stays ours; with `make` missing ones are made.

        Raises FileNotFoundError, and NotADirectoryError where a link or a file is in the way.
        """
        if path != self._inside:
            descriptor = os.dup(self._base)
            for part in path.split(b"/") if path else ():
                descriptor = self._step(descriptor, part, make)
            os.close(self._current)
            self._current, self._inside = descriptor, path
        return self._current

    def _step(self, descriptor: int, part: bytes, make: bool) -> int:
        try:
            try:
                return os.open(part, _DIRECTORY, dir_fd=descriptor)
            except FileNotFoundError:
                if not make:
                    raise
                os.mkdir(part, dir_fd=descriptor)
                return os.open(part, _DIRECTORY, dir_fd=descriptor)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                    raise
                raise NotADirectoryError(error.errno, "is no directory", part) from error
        finally:
            os.close(descriptor)

    def forget(self) -> None:
        """Opens anew next time: a directory that was held may be gone."""
        self.open(b"")

    def close(self) -> None:
        """Closes what is held."""
        os.close(self._base)
        os.close(self._current)

    def __enter__(self) -> "Directories":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
