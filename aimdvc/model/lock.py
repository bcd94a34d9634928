"""aimdvc.lock: which commit of each artifact the code uses. Git config syntax; hostile input (design, section 3)."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from aimdvc.errors import AimdvcError, ConfigSyntaxError, LockConflict, UnsafePath
from aimdvc.model.gitconfig import parse, quote, section_header
from aimdvc.model.names import check_artifact_name, check_remote_name
from aimdvc.model.oid import GitId, is_git_id
from aimdvc.model.paths import check_workspace_path

_SOURCE = "aimdvc.lock"
_SETTLE = "settle the merge conflict: see `aimdvc help lock`"
_KEYS = ("commit", "source", "path")


class Pin(NamedTuple):
    """The exact commit that the code uses of an artifact, and where its files lie, relative to the workspace.

    `source` is `<remote>/<path on the server>`, None when that is `origin/<name>`.
    """

    commit: GitId
    path: str
    source: str | None


class LockSides(NamedTuple):
    """What the two sides of a merge pin of one artifact; None on the one that removed it, or never had it."""

    ours: Pin | None
    theirs: Pin | None


def parse_lock(raw: bytes) -> dict[str, Pin]:
    """Returns the pins by artifact. Raises ConfigSyntaxError, LockConflict among them, InvalidName, UnsafePath."""
    sides = split_sides(raw)
    differing = _differing(*sides) if sides is not None else {}
    if differing:
        raise LockConflict({name: (_called(pair.ours), _called(pair.theirs)) for name, pair in differing.items()})
    return _parse_plain(raw)


def _parse_plain(raw: bytes) -> dict[str, Pin]:
    """Returns the pins by artifact of a lock in which a merge's marks mean nothing: they are no syntax."""
    config = parse(raw, _SOURCE, _SETTLE)
    pins: dict[str, Pin] = {}
    seen: dict[str, str] = {}
    for section, name in config.sections():
        if section != "artifact" or name is None:
            raise ConfigSyntaxError(_SOURCE, 1, f"unknown section '{section_header(section, name)}'")
        check_artifact_name(name)
        if name.lower() in seen:
            raise _twice(f"artifact '{name}' stands twice")
        seen[name.lower()] = name
        keys = config.keys("artifact", name)
        if len(keys) != len(set(keys)):
            raise _twice(f"artifact '{name}' has a key twice")
        commit = config.get("artifact", name, "commit") or ""
        if not is_git_id(commit):
            raise ConfigSyntaxError(_SOURCE, 1, f"artifact '{name}': commit is '{commit[:60]}', expected 40 hex digits")
        path = check_workspace_path(config.get("artifact", name, "path") or "")
        pins[name] = Pin(GitId(commit), path, _check_source(config.get("artifact", name, "source")))
    _check_overlaps(pins)
    return pins


def split_sides(raw: bytes) -> tuple[bytes, bytes] | None:
    """Returns the two files that a merge's marks hold, ours and theirs; None where there are no marks."""
    if b"<<<<<<<" not in raw:
        return None
    sides: tuple[list[bytes], list[bytes]] = ([], [])
    into: tuple[list[bytes], ...] = sides
    for line in raw.splitlines(keepends=True):
        if line.startswith(b"<<<<<<<"):
            into = sides[:1]
        elif line.startswith(b"|||||||"):
            into = ()
        elif line.startswith(b"======="):
            into = sides[1:]
        elif line.startswith(b">>>>>>>"):
            into = sides
        else:
            for side in into:
                side.append(line)
    return b"".join(sides[0]), b"".join(sides[1])


def _differing(ours: bytes, theirs: bytes) -> dict[str, LockSides]:
    """Returns the artifacts that two files pin differently; none where one of them is no lock."""
    try:
        our, their = _parse_plain(ours), _parse_plain(theirs)
    except AimdvcError:
        return {}
    names = sorted(name for name in our.keys() | their.keys() if our.get(name) != their.get(name))
    return {name: LockSides(our.get(name), their.get(name)) for name in names}


def _called(pin: Pin | None) -> str | None:
    return pin.commit[:12] if pin is not None else None


def _twice(reason: str) -> ConfigSyntaxError:
    """Returns the error for what a merge without marks leaves behind."""
    error = ConfigSyntaxError(_SOURCE, 1, reason)
    error.hint = _SETTLE
    return error


def dump_lock(pins: Mapping[str, Pin]) -> bytes:
    """Returns the file for these pins: sorted, a blank line between, the constant key last (git-facts: merges)."""
    blocks = []
    for name in sorted(pins):
        values = pins[name]._asdict()
        lines = [section_header("artifact", name)]
        lines += [f"\t{key} = {quote(values[key])}" for key in _KEYS if values[key]]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks).encode("utf-8", "surrogateescape")


def _check_source(source: str | None) -> str | None:
    if source is None:
        return None
    remote, slash, path = source.partition("/")
    check_remote_name(remote)
    if not slash or any(part in ("", ".", "..") or "\\" in part for part in path.split("/")):
        raise UnsafePath(source, "is no source: the form is REMOTE/PATH")
    return source


def _check_overlaps(pins: Mapping[str, Pin]) -> None:
    paths = sorted((pin.path, name) for name, pin in pins.items())
    for (path, _), (other, name) in pairwise(paths):
        if other == path or path == "." or other.startswith(path + "/"):
            raise UnsafePath(other, f"the path of '{name}' lies inside another artifact's")
