"""Completion as bash does it: of commands, options, selectors and file names."""

import os
import pty
import select
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.bash import in_bash
from tests.shell import Shell
from tests.unit.cli.versions import with_versions


@pytest.fixture
def versions(shell: Shell) -> Shell:
    """A workspace whose artifact `scenes`, at data/images, has two versions."""
    return with_versions(shell)


def completed(line: str, here: Path) -> list[str]:
    """Returns what the sourced script tells bash for a line with the cursor at its end."""
    script = f"""
        source <(aimdvc completion bash)
        COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}
        $(complete -p aimdvc | sed 's/.*-F \\([^ ]*\\).*/\\1/') aimdvc
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = in_bash(script, here)
    assert done.stderr == ""
    return done.stdout.split()


COMPLETED = [
    ("aimdvc chec", ["check", "checkout"]),
    ("aimdvc status --sh", ["--short"]),
    ("aimdvc push sc", ["scenes"]),
    ("aimdvc checkout ", ["scenes"]),
    ("aimdvc checkout scenes@", ["best", "HEAD", "main", "v1?", "v2?"]),
    ("aimdvc diff scenes@best scenes@v", ["v1?", "v2?"]),
    ("aimdvc -C data log @b", ["best"]),
    ("aimdvc switch m", ["main"]),
    ("aimdvc merge scenes@m", ["main"]),
    ("aimdvc add da", []),
    ("aimdvc log scenes -- da", []),
    ("aimdvc log nothing@", []),
]


@pytest.mark.parametrize(("line", "wanted"), COMPLETED)
def test_bash_completes(versions: Shell, line: str, wanted: list[str]) -> None:
    versions("alias", "set", "scenes@HEAD~1", "best")
    assert completed(line, versions.here) == wanted


def test_bash_completes_file_names_where_nothing_of_ours_fits(versions: Shell) -> None:
    master, slave = pty.openpty()
    environment = {
        **os.environ,
        "PS1": "",
        "TERM": "dumb",
    }
    with subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        cwd=versions.here,
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    ) as process:
        os.close(slave)
        os.write(master, b'eval "$(aimdvc completion bash)"; echo rea""dy\n')
        _read_until(master, b"ready")
        os.write(master, b"aimdvc status dat\timag\t")
        _read_until(master, b"data/images/")
        process.kill()
    os.close(master)


def _read_until(master: int, wanted: bytes) -> None:
    seen = b""
    end_s = time.monotonic() + 20
    while wanted not in seen.replace(b"\a", b""):
        assert time.monotonic() < end_s, seen
        if select.select([master], [], [], 1)[0]:
            seen += os.read(master, 4096)
