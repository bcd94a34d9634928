"""What DVC's own files say: `.dvc` files, `dvc.lock`, listings of directories, `.dvc/config`. Pure; hostile input.

Values come as YAML and JSON give them: any shape is possible. Source of the formats: DVC's documentation, ".dvc Files",
"dvc.lock file", "Internal Files" and "config".
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from aimdvc.errors import UsageError

_MD5 = re.compile(r"[0-9a-f]{32}")
_DIRECTORY = ".dir"
_SECTION = re.compile(r"\[\s*['\"]?([A-Za-z]+)(?:\s+\"([^\"]*)\")?['\"]?\s*\]")


class DvcOutput(NamedTuple):
    """A file or directory that DVC keeps: its path relative to the file that names it, and the MD5 of its content.

    Of a directory that is the MD5 of its listing. With `is_legacy` DVC, before 3, took text with LF for CR LF.
    """

    path: str
    md5: str
    is_directory: bool
    is_legacy: bool
    is_executable: bool


def outputs_of_dvc_file(source: str, value: object) -> list[DvcOutput]:
    """Returns what a `.dvc` file names. Raises UsageError."""
    document = _mapping(source, value)
    base = document.get("wdir", ".")
    if not isinstance(base, str):
        raise _malformed(source, "wdir is no text")
    return [_output(source, one, base) for one in _list(source, document.get("outs", []), "outs")]


def outputs_of_lock(source: str, value: object) -> list[DvcOutput]:
    """Returns what the stages of a `dvc.lock` made. Raises UsageError."""
    document = _mapping(source, value)
    stages = _mapping(source, document.get("stages", document if "schema" not in document else {}))
    outputs = []
    for stage in stages.values():
        if isinstance(stage, Mapping):
            outputs += [_output(source, one, ".") for one in _list(source, stage.get("outs", []), "outs")]
    return outputs


def files_of_listing(source: str, value: object) -> Iterator[tuple[str, str]]:
    """Yields path and MD5 of each file of a directory's listing. Raises UsageError."""
    for one in _list(source, value, "the listing"):
        entry = _mapping(source, one)
        path, md5 = entry.get("relpath"), entry.get("md5")
        if not isinstance(path, str) or not isinstance(md5, str) or not _MD5.fullmatch(md5):
            raise _malformed(source, "an entry has no relpath or no MD5")
        yield path, md5


def parse_dvc_config(raw: bytes) -> dict[tuple[str, str], dict[str, str]]:
    """Returns the settings of `.dvc/config` by section and its name: `("remote", "storage")`.

    Lines that are no settings say nothing.
    """
    found: dict[tuple[str, str], dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in raw.decode("utf-8", "replace").splitlines():
        line = line.strip()
        header = _SECTION.fullmatch(line)
        if header is not None:
            section = found.setdefault((header[1].lower(), header[2] or ""), {})
        elif "=" in line and not line.startswith(("#", ";")):
            key, _, text = line.partition("=")
            section[key.strip().lower()] = text.strip().strip("'\"")
    return found


def _output(source: str, value: object, base: str) -> DvcOutput:
    entry = _mapping(source, value)
    path, md5 = entry.get("path"), entry.get("md5")
    if not isinstance(path, str):
        raise _malformed(source, "an output has no path")
    place = posixpath.normpath(posixpath.join(base, path))
    # Outputs without a hash are not in the cache, as those that were never made.
    text = md5 if isinstance(md5, str) else ""
    is_directory = text.endswith(_DIRECTORY)
    text = text.removesuffix(_DIRECTORY)
    if text and not _MD5.fullmatch(text):
        raise _malformed(source, f"'{path}' has an MD5 '{text[:40]}'")
    return DvcOutput(place, text, is_directory, entry.get("hash") != "md5", entry.get("isexec") is True)


def _mapping(source: str, value: object) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise _malformed(source, "a mapping is missing")
    return value


def _list(source: str, value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise _malformed(source, f"{what} is no list")
    return value


def _malformed(source: str, reason: str) -> UsageError:
    return UsageError(f"'{source}' is no file of DVC 2 or 3: {reason}", hint="`dvc status` tells what DVC makes of it")
