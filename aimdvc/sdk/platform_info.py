"""What a trial runs on: machine, system, Python, the packages that are installed, and the framework that is loaded.

Imports nothing to find out: versions are in the names of the directories that installers make.
"""

import os
import platform
import re
import sys
from typing import Any

_INFO = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>[A-Za-z0-9][^-]*)(-py[^-]*)?\.(dist|egg)-info")
_SEPARATORS = re.compile(r"[-_.]+")
_FRAMEWORKS = {
    "torch": "pytorch",
    "tensorflow": "tensorflow",
    "jax": "jax",
    "paddle": "paddlepaddle",
    "mxnet": "mxnet",
    "keras": "keras",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "sklearn": "scikit-learn",
}


def read_platform() -> dict[str, Any]:
    """Returns hostname, os, python, pypkgs (version by package) and framework, as `find_framework` tells it."""
    return {
        "hostname": platform.node(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "pypkgs": find_packages(sys.path),
        "framework": find_framework(),
    }


def find_framework() -> dict[str, str] | None:
    """Returns name and version of the framework that this process has loaded, None before it did."""
    for module, name in _FRAMEWORKS.items():
        loaded = sys.modules.get(module)
        if loaded is not None:
            return {"name": name, "version": str(getattr(loaded, "__version__", ""))}
    return None


def find_packages(path: list[str]) -> dict[str, str]:
    """Returns the version of every installed package that a module path has, by its normalised name, sorted."""
    found: dict[str, str] = {}
    for directory in path:
        # "" is the current directory, whatever that is later.
        try:
            entries = os.listdir(directory) if directory else []
        except OSError:
            continue  # A zip file, or what isn't there.
        for entry in entries:
            match = _INFO.fullmatch(entry) if entry.endswith("-info") else None
            if match is not None:
                # What comes first on the path is what would be imported.
                found.setdefault(_SEPARATORS.sub("-", match["name"]).lower(), match["version"])
    return dict(sorted(found.items()))
