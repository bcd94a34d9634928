"""`python -m tests.bench [CASE…] [--directory DIR] [--out FILE]`: our figures beside their yardsticks."""

import argparse
import platform
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import cases, hooks, sdk, server
from tests.bench.cases import Bench
from tests.bench.measure import Report

CASES: dict[str, Callable[[Bench], None]] = {
    "start": cases.start,
    "20k": lambda bench: cases.many(bench, 20_000),
    "100k": lambda bench: cases.many(bench, 100_000),
    "1m": cases.million,
    "remote": cases.remote,
    "2g": cases.large,
    "mixed": cases.mixed,
    "changed": cases.changed,
    "versions": cases.versions,
    "maintenance": cases.maintenance,
    "server": server.server,
    "sdk": sdk.sdk,
    "hooks": hooks.hooks,
}


def main() -> None:
    """Runs the cases."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"these cases, else all: {', '.join(CASES)}")
    parser.add_argument("--only", nargs="+", choices=CASES, default=[], help="the same")
    parser.add_argument("--directory", type=Path, help="where to work; a temporary directory if not given")
    parser.add_argument("--out", type=Path, help="write the table to this file, as Markdown")
    chosen = parser.parse_args()
    if unknown := set(chosen.cases) - CASES.keys():
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    report = Report()
    print(f"Python {platform.python_version()}; {_version('git-lfs')}; {_version('dvc')}")
    # Nothing is deleted before the end: ext4 makes files several times slower while it has just deleted others.
    with tempfile.TemporaryDirectory(prefix="aimdvc-bench-", dir=chosen.directory) as scratch:
        for name in [*chosen.cases, *chosen.only] or list(CASES):
            place = Path(scratch, name)
            place.mkdir()
            CASES[name](Bench(place, report))
    if chosen.out is not None:
        chosen.out.write_text(report.markdown(), "utf-8")


def _version(program: str) -> str:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return f"{program}: not installed"
    return done.stdout.strip().splitlines()[0]


main()
