"""`init`: a directory becomes a workspace. Safe to repeat; moves the store when `git init` came later."""

from dataclasses import dataclass
from pathlib import Path

from aimdvc.errors import NoWorkspace, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.fs.sqlite import fold_log
from aimdvc.model.gitconfig import parse
from aimdvc.model.names import check_remote_name
from aimdvc.ops.create import ensure_ignored
from aimdvc.ops.remotes import checked_url
from aimdvc.ops.workspace import Workspace
from aimdvc.store.locate import Places, find_workspace, places_for

_IGNORE = b"*\n!.gitignore\n!config\n"
_STORE = ("blobs", "store.db", "store.config", "damaged", "trash", "tmp", "repos")
_STATE = ("state.db",)


@dataclass(frozen=True, slots=True)
class Initialised:
    """A workspace made, or found again; `moved_store` says that the store went into the Git directory.

    `is_in_git` says that it lies in a code repository.
    """

    root: str
    store: str
    is_new: bool
    moved_store: bool
    is_in_git: bool


def init(root: Path, remote: str | None, disk: Disk) -> Initialised:
    """Makes `root` a workspace; `remote` becomes its remote `origin`. Nothing that is there is overwritten."""
    own = root / ".aimdvc"
    is_new = not own.exists()
    if is_new:
        _check_not_nested(root)
    url = checked_url(remote, root) if remote is not None else None
    disk.make_directory(own)
    places = places_for(root)
    config = own / "config"
    if not (own / ".gitignore").exists():
        disk.replace_file(own / ".gitignore", _IGNORE)
    parsed = parse(config.read_bytes() if config.exists() else b"", str(config))
    known = parsed.get("remote", "origin", "url")
    if url is not None and known not in (None, url):
        raise UsageError(f"remote 'origin' is '{known}' already", hint="run `aimdvc remote set-url origin URL`")
    if url is not None:
        parsed.set("remote", check_remote_name("origin"), "url", url)
    if url is not None or not config.exists():
        disk.replace_file(config, parsed.dump())
    moved = _move_store(own, places, disk)
    disk.make_directory(places.store)
    if places.work_tree is not None and (places.state / "state.db").exists():
        with Workspace(places, disk) as workspace:
            for head in workspace.state.heads():
                ensure_ignored(workspace, head.path)
    return Initialised(str(root), str(places.store), is_new, moved, places.work_tree is not None)


def _check_not_nested(root: Path) -> None:
    try:
        outer = find_workspace(root.parent)
    except NoWorkspace:
        return
    raise UsageError(
        f"'{root}' lies in the workspace '{outer.root}'", hint=f"run `aimdvc add {root.name}` to make it an artifact"
    )


def _move_store(own: Path, places: Places, disk: Disk) -> bool:
    """Moves a store made before `git init`; each rename is whole, so a cut move goes on at the next run."""
    if places.store == own:
        return False
    moved = False
    for names, target in ((_STORE, places.store), (_STATE, places.state)):
        for name in names:
            old = own / name
            if old.exists() and not (target / name).exists():
                if name.endswith(".db"):
                    fold_log(old)
                disk.make_directory(target)
                with mapped(old):
                    disk.rename(old, target / name)
                disk.sync_directory(target)
                disk.sync_directory(own)
                moved = True
    return moved
