"""The frameworks that run hooks, pre-commit and prek: as commands, and with this project's hooks installed in them."""

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.shell import git

ROOT = Path(__file__).parents[2]
IDS = ("aimdvc-check", "aimdvc-large-files", "aimdvc-push", "aimdvc-checkout", "aimdvc-commit-msg")
FRAMEWORKS = ("pre-commit", "prek")
# What builds the environment of the hooks takes a third of the time with a setuptools that is there already.
_QUICK = {"VIRTUALENV_SETUPTOOLS": "bundle", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_COMPILE": "1"}


def command(framework: str) -> list[str]:
    """Returns what runs a framework; skips where it is not installed."""
    if framework == "pre-commit":
        if importlib.util.find_spec("pre_commit") is None:
            pytest.skip("pre-commit is not installed: pip install -e '.[test]'")
        return [sys.executable, "-m", "pre_commit"]
    prek = shutil.which("prek")
    if prek is None:
        pytest.skip("prek is not installed: pip install -e '.[test]'")
    return [prek]


@dataclass(frozen=True)
class Frameworks:
    """This project as a repository of hooks, in `source` at `revision`; what the frameworks keep is in `homes`."""

    homes: Path
    source: Path
    revision: str

    def environment(self) -> dict[str, str]:
        """Returns the variables that both take; what they keep is of the tests alone, and shared by them."""
        places = ("PRE_COMMIT_HOME", "PREK_HOME", "PIP_CACHE_DIR", "UV_CACHE_DIR", "VIRTUALENV_OVERRIDE_APP_DATA")
        return {**{name: str(self.homes / name.lower()) for name in places}, **_QUICK}

    def config(self, args: str = "") -> str:
        """Returns a configuration with all hooks, and all of Git's that they take."""
        hooks = "".join(f"  - id: {name}\n" for name in IDS)
        kinds = "[pre-commit, pre-merge-commit, pre-push, prepare-commit-msg, post-checkout, post-merge, post-rewrite]"
        head = f"default_install_hook_types: {kinds}\nrepos:\n"
        return f"{head}- repo: {self.source}\n  rev: {self.revision}\n  hooks:\n{hooks}{args}"


def prepared(place: Path) -> Frameworks:
    """Returns the frameworks with a copy of this project, as it is in the work tree, for them to install from.

    Several processes of tests share it: the first that has it whole gives it its name.
    """
    source = place / "source"
    if not source.exists():
        begun = place / f"source-{os.getpid()}"
        for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")[:-1]:
            if (ROOT / name).is_file():
                (begun / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, begun / name)
        git(place, "init", "-q", "-b", "main", str(begun))
        git(begun, "add", "-A", "--force")
        git(begun, "-c", "user.name=A User", "-c", "user.email=user@example.org", "commit", "-qm", "all")
        if not source.exists():
            begun.rename(source)
    return Frameworks(place, source, git(source, "rev-parse", "HEAD").strip())


def run(framework: str, here: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs a framework in a directory."""
    return subprocess.run([*command(framework), *arguments], cwd=here, capture_output=True, text=True, timeout=240)


def tried(here: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs stock Git, whatever comes of it; what both streams say is in `stdout`."""
    return subprocess.run(
        ["git", *arguments], cwd=here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
    )
