"""Which layouts of a Git repository are read and written here: that of every Git, without extensions.

Source: Git, gitrepository-layout(5) and Documentation/technical/repository-version.txt.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from aimdvc.errors import ConfigSyntaxError, CorruptRepository, UnsupportedFormat
from aimdvc.fs.faults import mapped
from aimdvc.model.gitconfig import parse
from aimdvc.model.oid import GitId, is_git_id

_HARMLESS = {"noop", "preciousobjects", "worktreeconfig"}


def check_format(repository: Path) -> None:
    """Raises UnsupportedFormat for a repository that stock Git of today may not be able to read, CorruptRepository.

    Rule: Git, Documentation/technical/repository-version.txt.
    """
    path = repository / "config"
    with mapped(path):
        text = path.read_bytes()
    try:
        config = parse(text, str(path))
    except ConfigSyntaxError as error:
        raise CorruptRepository(str(path), error.message) from error
    version = config.get("core", None, "repositoryformatversion") or "0"
    if version not in ("0", "1"):
        raise UnsupportedFormat(str(repository), version, "0 and 1")
    strange = set(config.keys("extensions", None)) - _HARMLESS
    if version == "1" and strange:
        raise UnsupportedFormat(str(repository), f"with the extensions {', '.join(sorted(strange))}", "none of them")


def iter_loose(objects: Path) -> Iterator[tuple[GitId, Path]]:
    """Yields the loose objects below a repository's `objects`, sorted, with where each lies.

    Only what is named by hex digits: a temporary file beside them may have a name just as long.
    """
    for fan in sorted(os.listdir(objects)):
        for name in sorted(os.listdir(objects / fan)) if len(fan) == 2 else ():
            if is_git_id(fan + name):
                yield GitId(fan + name), objects / fan / name
