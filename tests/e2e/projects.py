"""Code repositories with an artifact and with hooks that real Git runs."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.e2e.hooking import repository
from tests.shell import Shell, git


def project(place: Path, hooks: Iterable[str], remote: str | None = None) -> Shell:
    """Returns a shell in a code repository with the artifact `images`, one version of it, and these hooks of Git's."""
    shell = repository(place)
    shell("init")
    if remote is not None:
        shell("remote", "add", "origin", remote)
    shell.write("data/images/a", "1")
    shell("add", "data/images", "-n", "images")
    shell("commit", "-m", "first")
    git(place, "add", "-A")
    git(place, "commit", "-qm", "with images")
    hook_up(place, hooks)
    return shell


def hook_up(place: Path, hooks: Iterable[str]) -> None:
    """Has Git run hooks of ours, in this Python."""
    directory = Path(git(place, "rev-parse", "--git-path", "hooks").strip())
    for name in hooks:
        path = place / directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m aimdvc hook {name} "$@"\n')
        path.chmod(0o755)


def tried(here: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs stock Git, whatever comes of it; what both streams say is in `stdout`."""
    return subprocess.run(
        ["git", *arguments], cwd=here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
    )
