"""The real DVC for the tests: `AIMDVC_TEST_DVC` names its program, else one is installed once a run."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest


def shared_directory(factory: pytest.TempPathFactory) -> Path:
    """Returns a directory that the workers of a run share."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"


def program(shared: Path) -> str:
    """Returns the path of `dvc`; installs it in a directory that the workers of a run share, which takes 10 s.

    Skips the test where PyPI has none to give.
    """
    named = os.environ.get("AIMDVC_TEST_DVC")
    if named:
        return named
    made = shared / "dvc"
    shared.mkdir(parents=True, exist_ok=True)
    with (shared / "dvc.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "done").exists():
            uv = [sys.executable, "-m", "uv"]
            subprocess.run([*uv, "venv", "-q", "-p", sys.executable, made], check=True)
            done = subprocess.run([*uv, "pip", "install", "-p", made, "dvc>=3"], capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"DVC can't be installed: {done.stderr.strip()[-200:]}")
            (made / "done").touch()
    return str(made / "bin/dvc")
