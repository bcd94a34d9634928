"""`clone` and `get`: an artifact of a remote, in this workspace, as a workspace of its own, or its files alone.

A clone under way is marked in `.aimdvc/clone`: it never looks complete, and running it again goes on where it stopped.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aimdvc.errors import NotAuthorised, NoWorkspace, RemoteRefused, UnknownRevision, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.model.lock import Pin
from aimdvc.model.names import MAIN, check_artifact_name
from aimdvc.model.oid import GitId
from aimdvc.model.patterns import Part
from aimdvc.model.selector import split_url_selector
from aimdvc.ops.adopt import adopt
from aimdvc.ops.blobs import Means
from aimdvc.ops.checkout import CheckedOut, find_destination, switch
from aimdvc.ops.connect import Connector, connect_source
from aimdvc.ops.create import check_artifact_path
from aimdvc.ops.depth import Depth
from aimdvc.ops.fetch import FetchOptions, fetch_history
from aimdvc.ops.init import init
from aimdvc.ops.lockfile import sync_lock
from aimdvc.ops.part import unmatched_patterns
from aimdvc.ops.pull import require_commit, start_branch
from aimdvc.ops.remotes import add_remote, checked_url
from aimdvc.ops.revisions import aliases, version_numbers, what_there_is
from aimdvc.ops.targets import workspace_path
from aimdvc.ops.workspace import CLONE_MARK, Workspace
from aimdvc.store.locate import Places, find_workspace, places_for

_FILE = re.compile(r"(.+/[^/@:]+@[^/@:]+):(.+)")


@dataclass(frozen=True, slots=True)
class Cloned:
    """An artifact that is now here: `path` is where its files are. `absent` counts those that were left out.

    `unmatched` are patterns that matched none.
    """

    artifact: str
    path: str
    version: str
    commit: GitId | None
    files: int
    absent: int = 0
    unmatched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """What is cloned: the remote's URL, the artifact's name below it, the revision, and the part, None for all.

    `depth` is how many versions of its history come, None for all.
    """

    url: str
    name: str
    revision: str | None
    part: Part | None = None
    depth: int | None = None

    @property
    def typed(self) -> str:
        """The address as it would be typed."""
        return f"{self.url}/{self.name}" + (f"@{self.revision}" if self.revision else "")


def parse_origin(text: str, here: Path) -> Origin:
    """Returns what `URL/NAME[@REV]` means. Raises UsageError, InvalidName, UnsafeUrl."""
    file = _FILE.fullmatch(text)
    if file is not None:
        raise UsageError(f"'{text}' names a file", hint=f"run it with {file[1]} --include '{file[2]}'")
    address, revision = split_url_selector(text)
    url, slash, name = address.rstrip("/").rpartition("/")
    if not slash or not url or url.endswith(":/"):
        raise UsageError(f"'{text}' names no artifact", hint="the form is URL/NAME or URL/NAME@REV")
    short, colon, version = name.partition(":")
    if colon and revision is None:
        raise UsageError(f"'{text}' names no artifact", hint=f"for a version write {url}/{short}@{version}")
    return Origin(checked_url(url, here), check_artifact_name(name.removesuffix(".git")), revision)


def clone(connector: Connector, here: Path, origin: Origin, path: str | None, disk: Disk, means: Means) -> Cloned:
    """Brings an artifact into the workspace of `here` and pins it; outside of one, PATH becomes one."""
    try:
        places = find_workspace(here)
    except NoWorkspace:
        return _clone_alone(connector, here / (path or origin.name), origin, disk, means)
    is_begun = (places.root / ".aimdvc" / CLONE_MARK).exists() or (path is not None and _is_barely_begun(places.root))
    if is_begun and (here / (path or ".")).resolve() == places.root.resolve():
        return _clone_alone(connector, places.root, origin, disk, means)
    return _clone_into(connector, here, places, origin, path, disk, means)


def _clone_into(
    connector: Connector, here: Path, places: Places, origin: Origin, path: str | None, disk: Disk, means: Means
) -> Cloned:
    with Workspace(places, disk, user_config=means.user_config) as workspace:
        inner = workspace_path(workspace, here, path or origin.name)
        known = workspace.state.head(origin.name)
        if known is not None and (known.path != inner or known.commit is not None):
            raise UsageError(
                f"artifact '{origin.name}' is already at '{known.path}'", hint=f"run `aimdvc pull {origin.name}`"
            )
        check_artifact_path(workspace, inner, own=origin.name)
        remote = _remote_for(workspace, here, origin)
        source = None if remote == "origin" else f"{remote}/{origin.name}"
        return _bring(workspace, connector, Wanted(origin, inner, source, _tips(origin)), means)


def _clone_alone(connector: Connector, root: Path, origin: Origin, disk: Disk, means: Means) -> Cloned:
    if places_for(root).work_tree is not None:
        raise UsageError(
            f"'{root}' lies in a Git work tree that is no workspace", hint="run `aimdvc init` there first, then clone"
        )
    with _begun(root, origin, disk) as mark:
        init(root, origin.url, disk)
        with Workspace(places_for(root), disk, user_config=means.user_config) as workspace:
            cloned = _bring(workspace, connector, Wanted(origin, ".", None, _tips(origin)), means)
    disk.unlink(mark)
    return cloned


def get(connector: Connector, origin: Origin, out: Path, disk: Disk, means: Means) -> Cloned:
    """Writes the files of a version into `out`, without a workspace. Run again, it goes on where it was cut."""
    out = Path(os.path.realpath(out))
    own = out / ".aimdvc"
    with _begun(out, origin, disk):
        config = f'[remote "origin"]\n\turl = "{_quoted(origin.url)}"\n'.encode("utf-8", "surrogateescape")
        disk.replace_file(own / "config", config)
        with Workspace(Places(out, own, own, None, None, None), disk) as workspace:
            wanted = Wanted(replace(origin, depth=1), ".", None, (origin.revision or "main",))
            cloned = _bring(workspace, connector, wanted, means, is_pinned=False)
    with mapped(own):
        shutil.rmtree(own)
    return cloned


@contextmanager
def _begun(root: Path, origin: Origin, disk: Disk) -> Iterator[Path]:
    """Marks a directory as a clone under way; yields the mark. What can't succeed on a rerun leaves nothing behind."""
    own = root / ".aimdvc"
    mark = own / CLONE_MARK
    was_there = root.exists()
    is_rerun = _is_unfinished(mark, origin) or _is_barely_begun(root)
    if was_there and not root.is_dir():
        raise UsageError(f"'{root}' is a file", hint="give another path")
    if was_there and any(root.iterdir()) and not is_rerun:
        raise UsageError(f"'{root}' is not empty", hint="give another path, or empty it first")
    disk.make_directory(own)
    disk.replace_file(mark, origin.typed.encode("utf-8", "surrogateescape") + b"\n")
    try:
        yield mark
    except (UsageError, RemoteRefused, NotAuthorised):
        if not is_rerun:
            with mapped(own):
                shutil.rmtree(own)
                if not was_there:
                    root.rmdir()
        raise


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is brought: from where, to which path of the workspace, and the source that the lock will name.

    `tips` are the revisions that a depth is counted from.
    """

    origin: Origin
    path: str
    source: str | None
    tips: tuple[str, ...]


def _tips(origin: Origin) -> tuple[str, ...]:
    """Returns what a clone needs: main, which it goes on with, and what it checks out."""
    return ("main", origin.revision) if origin.revision is not None else ("main",)


def _bring(workspace: Workspace, connector: Connector, wanted: Wanted, means: Means, is_pinned: bool = True) -> Cloned:
    name = wanted.origin.name
    connection = connect_source(workspace, connector, name, wanted.source)
    depth = Depth(wanted.origin.depth, wanted.tips) if wanted.origin.depth is not None else None
    fetch_history(workspace, name, connection, means.progress, FetchOptions(depth=depth))
    history = workspace.history(name)
    start_branch(workspace, history, connection.remote)
    if wanted.origin.revision is not None:
        start_branch(workspace, history, connection.remote, wanted.origin.revision)
    else:
        require_commit(history, name, history.ref(MAIN))
    try:
        to = find_destination(workspace, name, None, wanted.origin.revision or "main")
    except UnknownRevision as error:
        hint = what_there_is(version_numbers(history).values(), aliases(history))
        raise UnknownRevision(name, error.revision, hint) from error
    head = adopt(workspace, name, Pin(to.commit, wanted.path, wanted.source), wanted.origin.part)
    result = switch(workspace, head, to, False, means)
    if is_pinned:
        sync_lock(workspace, moved={name})
    return _cloned(workspace, result, tuple(unmatched_patterns(workspace, head, wanted.origin.part)))


def _remote_for(workspace: Workspace, here: Path, origin: Origin) -> str:
    remotes = workspace.settings.remotes
    for name, url in remotes.items():
        if url.rstrip("/") == origin.url:
            return name
    name = "origin"
    number = 2
    while name in remotes:
        name = f"origin{number}"
        number += 1
    add_remote(workspace, here, name, origin.url)
    return name


def _is_unfinished(mark: Path, origin: Origin) -> bool:
    return mark.exists() and mark.read_text("utf-8", "surrogateescape").strip() == origin.typed


def _is_barely_begun(root: Path) -> bool:
    """Returns whether a clone was killed before its mark was there: nothing is in it but an empty `.aimdvc`."""
    own = root / ".aimdvc"
    if not own.is_dir() or own.is_symlink() or [path.name for path in root.iterdir()] != [".aimdvc"]:
        return False
    return all(path.name.startswith(".tmp-") for path in own.iterdir())


def _cloned(workspace: Workspace, result: CheckedOut, unmatched: tuple[str, ...]) -> Cloned:
    path = workspace.root / result.path if result.path != "." else workspace.root
    return Cloned(result.artifact, str(path), result.version, result.commit, result.written, result.absent, unmatched)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
