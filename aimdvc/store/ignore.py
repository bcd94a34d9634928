"""What `.aimdvcignore` files leave out, in gitignore's syntax. Nested ones count too.

pathspec is loaded with the first such file: most artifacts have none.
"""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from aimdvc.errors import UnsafePath

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".aimdvcignore"
_LINE_LIMIT = 1000
_LINES_LIMIT = 10_000
_STARS_LIMIT = 20


class Ignore:
    """The ignore rules of one artifact, read as the walk enters directories."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._specs: dict[str, GitIgnoreSpec] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no rule was met so far."""
        return not self._specs

    def enter(self, directory: str) -> None:
        """Reads the rules of a directory, relative to the artifact's root, that holds an ignore file.

        Raises UnsafePath for patterns that would take for ever to match.
        """
        path = os.path.join(self._root, directory, IGNORE_FILE)
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read(_LINES_LIMIT * _LINE_LIMIT).splitlines()
        for number, line in enumerate(lines, 1):
            if len(line) > _LINE_LIMIT or line.count("*") > _STARS_LIMIT or number > _LINES_LIMIT:
                raise UnsafePath(path, f"line {number} is too long or has too many wildcards")
        self._specs[directory] = importlib.import_module("pathspec").GitIgnoreSpec.from_lines(lines)

    def matches(self, path: str, is_directory: bool) -> bool:
        """Returns whether a path relative to the artifact's root is left out; the deepest file decides."""
        directory = path.rpartition("/")[0]
        while True:
            spec = self._specs.get(directory)
            if spec is not None:
                inner = path[len(directory) + 1 :] if directory else path
                result = spec.check_file(inner + "/" if is_directory else inner)
                if result.include is not None:
                    return bool(result.include)
            if not directory:
                return False
            directory = directory.rpartition("/")[0]
