"""`clone` and `get`: an artifact of a remote, in this workspace, as a workspace of its own, or its files alone.

A clone under way is marked in `.aimdvc/clone`: it never looks complete, and running it again goes on where it stopped.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from aimdvc.errors import NoWorkspace, UnsafePath, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.model.names import check_artifact_name
from aimdvc.model.oid import GitId
from aimdvc.model.selector import split_url_selector
from aimdvc.ops.adopt import adopt, note_one_file
from aimdvc.ops.blobs import Means
from aimdvc.ops.checkout import CheckedOut, find_destination, switch
from aimdvc.ops.connect import Connector, connect_artifact
from aimdvc.ops.create import MAIN
from aimdvc.ops.fetch import fetch_history
from aimdvc.ops.init import init
from aimdvc.ops.lockfile import sync_lock
from aimdvc.ops.pull import require_commit, start_main
from aimdvc.ops.remotes import add_remote, checked_url
from aimdvc.ops.targets import workspace_path
from aimdvc.ops.workspace import CLONE_MARK, Workspace
from aimdvc.store.locate import Places, find_workspace, places_for
from aimdvc.store.state import Head


@dataclass(frozen=True, slots=True)
class Cloned:
    """An artifact that is now here: `path` is where its files are."""

    artifact: str
    path: str
    version: str
    commit: GitId
    files: int


@dataclass(frozen=True, slots=True)
class Origin:
    """What is cloned: the remote's URL, the artifact's name below it, and the revision wanted."""

    url: str
    name: str
    revision: str | None

    @property
    def typed(self) -> str:
        """The address as it would be typed."""
        return f"{self.url}/{self.name}" + (f"@{self.revision}" if self.revision else "")


def parse_origin(text: str, here: Path) -> Origin:
    """Returns what `URL/NAME[@REV]` means. Raises UsageError, InvalidName, UnsafeUrl."""
    address, revision = split_url_selector(text)
    url, slash, name = address.rstrip("/").rpartition("/")
    if not slash or not url or url.endswith(":/"):
        raise UsageError(f"'{text}' names no artifact", hint="the form is URL/NAME or URL/NAME@REV")
    return Origin(checked_url(url, here), check_artifact_name(name.removesuffix(".git")), revision)


def clone(connector: Connector, here: Path, text: str, path: str | None, disk: Disk, means: Means) -> Cloned:
    """Brings an artifact into the workspace of `here` and pins it; outside of one, PATH becomes one."""
    origin = parse_origin(text, here)
    try:
        places = find_workspace(here)
    except NoWorkspace:
        return _clone_alone(connector, here / (path or origin.name), origin, disk, means)
    if (places.root / ".aimdvc" / CLONE_MARK).exists() and (here / (path or ".")).resolve() == places.root.resolve():
        return _clone_alone(connector, places.root, origin, disk, means)
    return _clone_into(connector, here, places, origin, path, disk, means)


def _clone_into(
    connector: Connector, here: Path, places: Places, origin: Origin, path: str | None, disk: Disk, means: Means
) -> Cloned:
    workspace = Workspace(places, disk)
    try:
        remote = _remote_for(workspace, here, origin)
        inner = workspace_path(workspace, here, path or origin.name)
        known = workspace.state.head(origin.name)
        if known is not None and (known.path != inner or known.commit is not None):
            raise UsageError(
                f"artifact '{origin.name}' is already at '{known.path}'", hint=f"run `aimdvc pull {origin.name}`"
            )
        source = None if remote == "origin" else f"{remote}/{origin.name}"
        head = adopt(workspace, origin.name, inner, source)
        result = _first_checkout(workspace, connector, head, origin.revision, means)
        sync_lock(workspace, moved={origin.name})
        return _cloned(workspace, result)
    finally:
        workspace.close()


def _clone_alone(connector: Connector, root: Path, origin: Origin, disk: Disk, means: Means) -> Cloned:
    mark = root / ".aimdvc" / CLONE_MARK
    if root.exists() and any(root.iterdir()) and not _is_unfinished(mark, origin):
        raise UnsafePath(str(root), "is not empty")
    if places_for(root).work_tree is not None:
        raise UsageError(
            f"'{root}' lies in a Git work tree that is no workspace", hint="run `aimdvc init` there first, then clone"
        )
    disk.make_directory(mark.parent)
    disk.replace_file(mark, origin.typed.encode("utf-8", "surrogateescape") + b"\n")
    init(root, origin.url, disk)
    workspace = Workspace(places_for(root), disk)
    try:
        head = adopt(workspace, origin.name, ".", None)
        result = _first_checkout(workspace, connector, head, origin.revision, means)
        sync_lock(workspace, moved={origin.name})
        cloned = _cloned(workspace, result)
    finally:
        workspace.close()
    disk.unlink(mark)
    return cloned


def get(connector: Connector, here: Path, text: str, out: Path, disk: Disk, means: Means) -> Cloned:
    """Writes the files of a version into `out`, without a workspace. Run again, it goes on where it was cut."""
    origin = parse_origin(text, here)
    own = out / ".aimdvc"
    mark = own / CLONE_MARK
    if out.exists() and any(out.iterdir()) and not _is_unfinished(mark, origin):
        raise UnsafePath(str(out), "is not empty")
    disk.make_directory(own)
    disk.replace_file(mark, origin.typed.encode("utf-8", "surrogateescape") + b"\n")
    config = f'[remote "origin"]\n\turl = "{_quoted(origin.url)}"\n'.encode("utf-8", "surrogateescape")
    disk.replace_file(own / "config", config)
    workspace = Workspace(Places(out, own, own, None, None, None), disk)
    try:
        head = adopt(workspace, origin.name, ".", None)
        result = _first_checkout(workspace, connector, head, origin.revision, means)
        cloned = _cloned(workspace, result)
    finally:
        workspace.close()
    with mapped(own):
        shutil.rmtree(own)
    return cloned


def _first_checkout(
    workspace: Workspace, connector: Connector, head: Head, revision: str | None, means: Means
) -> CheckedOut:
    fetch_history(workspace, head.name, connect_artifact(workspace, connector, head), means.progress)
    history = workspace.history(head.name)
    start_main(workspace, history, head)
    require_commit(history, head.name, history.ref(MAIN))
    to = find_destination(history, head, revision or "main")
    head = note_one_file(workspace, head, to.commit)
    return switch(workspace, head, to, False, means)


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


def _cloned(workspace: Workspace, result: CheckedOut) -> Cloned:
    path = workspace.root / result.path if result.path != "." else workspace.root
    return Cloned(result.artifact, str(path), result.version, result.commit, result.written)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
