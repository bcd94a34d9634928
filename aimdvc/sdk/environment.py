"""What the Python SDK takes from the process around it: environment and directories. Nothing else there reads them."""

import os
from collections.abc import Mapping
from pathlib import Path


def read_environment() -> Mapping[str, str]:
    """Returns the environment variables as they are now."""
    return dict(os.environ)


def user_directory(environment: Mapping[str, str]) -> Path:
    """Returns where the user's keys and settings of aimdvc lie: `$XDG_CONFIG_HOME/aimdvc`."""
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "aimdvc"


def data_directory(environment: Mapping[str, str]) -> Path:
    """Returns where artifacts and trials lie that belong to no workspace: AIMDVC_HOME, else `$XDG_DATA_HOME/aimdvc`.

    XDG Base Directory Specification; a relative path in a variable of it counts as none.
    """
    own = environment.get("AIMDVC_HOME")
    if own:
        return Path(os.path.abspath(own))
    base = environment.get("XDG_DATA_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share") / "aimdvc"
