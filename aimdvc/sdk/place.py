"""Where the SDK keeps things: in the workspace around the current directory, else in the user's data directory.

Found once, when an artifact or a trial is made or loaded: nothing depends on the current directory afterwards. What is
open is open for one call only, so that objects may be used from any thread, and after a fork.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aimdvc.errors import NoWorkspace
from aimdvc.fs.disk import Disk
from aimdvc.git.user import find_author
from aimdvc.ops.workspace import Workspace
from aimdvc.sdk.environment import data_directory, read_environment, user_directory
from aimdvc.store.locate import Places, find_workspace


def find_places() -> Places:
    """Returns the places of the workspace that holds the current directory, or the user's own."""
    here = current_directory()
    try:
        return find_workspace(here) if here is not None else user_places(read_environment())
    except NoWorkspace:
        return user_places(read_environment())


def current_directory() -> Path | None:
    """Returns the current directory, None where it was removed: that one is in no workspace and no repository."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def user_places(environment: Mapping[str, str]) -> Places:
    """Returns the places that belong to no workspace."""
    root = data_directory(environment)
    return Places(root, root, root, None, None, None)


def all_places() -> list[Places]:
    """Returns where to look for what is known by its id alone: here first, then what belongs to no workspace."""
    return list(dict.fromkeys([find_places(), user_places(read_environment())]))


@contextmanager
def opened(places: Places) -> Iterator[Workspace]:
    """Opens the stores of a place while the `with` lasts."""
    environment = read_environment()

    def author(where: Places) -> tuple[str, str] | None:
        return find_author(where.git_common_dir, environment)

    disk = Disk()
    disk.make_directory(places.state)
    with Workspace(places, disk, author, user_directory(environment) / "config") as workspace:
        yield workspace
