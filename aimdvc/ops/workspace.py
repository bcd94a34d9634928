"""An open workspace: where things lie, and the open stores that the verbs work on.

Every verb takes a Workspace. It opens lazily: `status` in an empty workspace opens one small database.
"""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from types import TracebackType

from aimdvc.errors import NoAuthor, UnknownArtifact, UnsafePath, UsageError
from aimdvc.fs.directories import Place
from aimdvc.fs.disk import Disk
from aimdvc.fs.leftovers import remove_leftovers
from aimdvc.fs.locks import exclusive
from aimdvc.fs.probe import can_rename
from aimdvc.fs.sqlite import set_database_aside
from aimdvc.git.history import History
from aimdvc.model.commits import Signature
from aimdvc.model.gitconfig import ConfigFile, parse
from aimdvc.model.nearest import did_you_mean
from aimdvc.model.settings import LocalSettings, Settings, parse_local_settings, parse_settings
from aimdvc.store.blobs import BlobStore
from aimdvc.store.locate import Places, find_workspace, has_left_store
from aimdvc.store.roots import PATH_FILE
from aimdvc.store.state import Head, State

CLONE_MARK = "clone"
"""In `.aimdvc/` while a clone is under way; holds its URL. A rerun of the same clone goes on where it stopped."""


_LOCK_WAIT_S = 60.0

FindAuthor = Callable[[Places], tuple[str, str] | None]
"""Returns the (name, email) that commits and reflogs get, None when none is known."""


def nobody(places: Places) -> None:
    """Knows no author."""


class Workspace:
    """The open workspace that holds `start`. Close it, or use it as a context manager."""

    def __init__(
        self, places: Places, disk: Disk, author: FindAuthor = nobody, user_config: Path | None = None
    ) -> None:
        """`user_config` is the user's file of settings, None for no such file.

        Raises UsageError while the store lies where it was before `git init`: nothing may start a second one."""
        if has_left_store(places):
            raise UsageError(
                f"the store of the workspace '{places.root}' lies in '.aimdvc': `git init` came after `aimdvc init`",
                hint="run `aimdvc init` there to move it into the Git directory",
            )
        self.places = places
        self.disk = disk
        self._author = author
        self._user_config = user_config
        self._histories: dict[str, History] = {}

    @classmethod
    def open(
        cls, start: Path, disk: Disk | None = None, author: FindAuthor = nobody, user_config: Path | None = None
    ) -> "Workspace":
        """Returns the workspace of a directory. Raises NoWorkspace, or UsageError for an unfinished clone."""
        workspace = cls(find_workspace(start), disk or Disk(), author, user_config)
        mark = workspace.root / ".aimdvc" / CLONE_MARK
        if mark.exists():
            url = mark.read_text("utf-8").strip()
            raise UsageError(
                f"the clone into '{workspace.root}' was interrupted",
                hint=f"run `aimdvc clone {url} {workspace.root}` to finish it",
            )
        return workspace

    @property
    def root(self) -> Path:
        """The workspace's directory."""
        return self.places.root

    @cached_property
    def state(self) -> State:
        """HEADs and index."""
        self.disk.make_directory(self.places.state)
        if self.places.work_tree is not None and not (self.places.state / "state.db").exists():
            # Maintenance looks for the locks of every workspace that shares the store (store/roots.py).
            inside = os.path.relpath(self.root, self.places.work_tree)
            self.disk.replace_file(self.places.state / PATH_FILE, os.fsencode(inside) + b"\n")
        return State(self.places.state)

    @cached_property
    def blobs(self) -> BlobStore:
        """The blob store."""
        self.disk.make_directory(self.places.store)
        return BlobStore(self.places.store, self.disk)

    @cached_property
    def settings(self) -> Settings:
        """What `.aimdvc/config` says. Only its allow-listed keys count: the file may come from anyone."""
        return parse_settings(read_config_file(self.config_path))

    @cached_property
    def local_settings(self) -> LocalSettings:
        """What holds on this machine: the store's own file, which worktrees share, counts before the user's."""
        files = [self.local_config_path, *([self._user_config] if self._user_config is not None else [])]
        return parse_local_settings(map(read_config_file, files))

    @property
    def local_config_path(self) -> Path:
        """The settings of this machine; never committed."""
        return self.places.store / "store.config"

    @property
    def config_path(self) -> Path:
        """The settings that are committed with the code."""
        return self.root / ".aimdvc" / "config"

    @property
    def lock_path(self) -> Path:
        """The pins that are committed with the code."""
        return self.root / "aimdvc.lock"

    def writing_files(self) -> AbstractContextManager[None]:
        """Keeps other verbs from writing the workspace's files while the `with` lasts. Raises Busy after a minute.

        Removes what killed ones left, also where nothing is left to write.
        """
        self.disk.make_directory(self.places.state)
        remove_leftovers(self.blobs.layout.temporary)
        return exclusive(self.places.state / "files.lock", f"the workspace '{self.root}'", _LOCK_WAIT_S)

    def replace_file(self, path: Path, content: bytes) -> None:
        """Makes a small file of the workspace hold these bytes, old or new whatever happens.

        What a killed process leaves lies in `.aimdvc/`, out of the user's sight, and is removed by the next call.
        """
        own = self.root / ".aimdvc"
        is_near = can_rename(own, path.parent)
        if is_near:
            remove_leftovers(own)
        self.disk.replace_file(path, content, scratch=own if is_near else None)

    def author(self) -> Signature:
        """Returns who commits, as of now. Raises NoAuthor."""
        found = self._author(self.places)
        if found is None:
            raise NoAuthor
        return _sign(*found)

    def actor(self) -> Signature:
        """Returns who moves refs, as of now: the author, or aimdvc itself when none is known."""
        return _sign(*(self._author(self.places) or ("aimdvc", "")))

    def repository_path(self, name: str) -> Path:
        """Returns where the artifact's bare repository lies."""
        return self.places.store / "repos" / f"{name}.git"

    def history(self, name: str) -> History:
        """Returns the artifact's Git history, opened once. The repository is made if it is not there."""
        found = self._histories.get(name)
        if found is None:
            path = self.repository_path(name)
            found = History.open(path, self.disk) if path.exists() else History.create(path, self.disk)
            self._histories[name] = found
        return found

    def head(self, name: str) -> Head:
        """Returns an artifact's HEAD. Raises UnknownArtifact."""
        head = self.state.head(name)
        if head is None:
            raise UnknownArtifact(name, did_you_mean(name, [known.name for known in self.state.heads()]))
        return head

    def artifact_place(self, head: Head) -> Place:
        """Returns the directory that the artifact's entries are relative to, below the workspace's own."""
        return Place(str(self.root), (os.path.dirname(head.path) or ".") if head.is_file else head.path)

    def artifact_root(self, head: Head) -> str:
        """Returns the absolute directory that the artifact's entries are relative to.

        Raises UnsafePath when a component of it is a symbolic link now: a commit of the code may have made it one.
        """
        place = self.artifact_place(head)
        parts = [] if place.inner == "." else place.inner.split("/")
        for depth in range(1, len(parts) + 1):
            if os.path.islink(os.path.join(place.base, *parts[:depth])):
                raise UnsafePath("/".join(parts[:depth]), "is a symbolic link, and an artifact's path may not be")
        return place.full

    def only_entry(self, head: Head) -> str:
        """Returns the one entry of an artifact that is a file; "" for a directory, which has any."""
        return head.path.rpartition("/")[2] if head.is_file else ""

    def forget_state(self) -> None:
        """Sets a damaged state.db aside; the next look makes a new one."""
        state = self.__dict__.pop("state")
        state.close()
        set_database_aside(state.path)

    def close(self) -> None:
        """Closes what was opened."""
        for history in self._histories.values():
            history.close()
        self._histories.clear()
        if "blobs" in self.__dict__:
            self.blobs.close()
        if "state" in self.__dict__:
            self.state.close()

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_config_file(path: Path) -> ConfigFile:
    """Returns a parsed file of settings; one that isn't there is empty. Raises ConfigSyntaxError."""
    return parse(path.read_bytes() if path.exists() else b"", str(path))


def _sign(name: str, email: str) -> Signature:
    now = time.time()
    return Signature(name, email, int(now), time.localtime(now).tm_gmtoff)
