"""Runs commands and yardsticks, and keeps wall time (seconds) and peak memory (MiB) of each."""

import hashlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

AIMDVC = str(Path(sys.executable).parent / "aimdvc")
# What an installed program has: its byte code is cached, whatever this shell says.
_NOT_OURS = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")


@dataclass(frozen=True)
class Figure:
    """One measurement: `goal` in seconds is what the project wants to reach, None for a yardstick."""

    work: str
    program: str
    seconds: float
    memory_mib: float | None = None
    goal: float | None = None


@dataclass
class Report:
    """The figures of one run."""

    figures: list[Figure] = field(default_factory=list)

    def add(self, figure: Figure) -> None:
        """Keeps a figure and shows it."""
        self.figures.append(figure)
        memory = f"{figure.memory_mib:6.0f} MiB" if figure.memory_mib is not None else " " * 10
        goal = f"  (goal {figure.goal:.2f})" if figure.goal is not None else ""
        print(f"{figure.work:<48} {figure.program:<28} {figure.seconds:8.3f} s {memory}{goal}", flush=True)

    def seconds(self, work: str, program: str) -> float:
        """Returns a figure that was measured before."""
        return next(one.seconds for one in self.figures if (one.work, one.program) == (work, program))

    def markdown(self) -> str:
        """Returns the figures as a table."""
        lines = ["| work | program | seconds | memory, MiB | goal, s | reached |", "|---|---|---|---|---|---|"]
        for one in self.figures:
            memory = f"{one.memory_mib:.0f}" if one.memory_mib is not None else ""
            goal = f"{one.goal:.2f}" if one.goal is not None else ""
            reached = "" if one.goal is None else "yes" if one.seconds <= one.goal else "**no**"
            lines.append(f"| {one.work} | {one.program} | {one.seconds:.3f} | {memory} | {goal} | {reached} |")
        return "\n".join(lines) + "\n"


def run(
    arguments: list[str], cwd: Path, environment: Mapping[str, str] | None = None, typed: str = ""
) -> tuple[float, float]:
    """Runs a command and returns its seconds and peak memory in MiB. Fails loudly."""
    start_s = time.perf_counter()
    process = subprocess.Popen(
        arguments,
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name not in _NOT_OURS} | dict(environment or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(typed.encode())
    process.stdin.close()
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(
            f"{' '.join(arguments)} ended with {process.returncode}: {output.decode(errors='replace')[-2000:]}"
        )
    return seconds, _peak(usage)


def _peak(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / 1024


def best(times: int, function: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    """Returns the fastest of some runs."""
    return min(function() for _ in range(times))


def timed(function: Callable[[], object]) -> float:
    """Returns how long a function takes, in seconds."""
    start_s = time.perf_counter()
    function()
    return time.perf_counter() - start_s


def hash_tree(root: Path) -> None:
    """Reads and hashes every file below a directory: the least that any tool must do.

    Lists no more than a directory at once: what this process holds would count as the peak of what it starts (Linux
    passes the peak on over fork and exec).
    """
    if root.is_file():
        hash_file(root)
    for directory, _, names in os.walk(root):
        for name in sorted(names):
            hash_file(Path(directory, name))


def hash_file(path: Path) -> str:
    """Reads and hashes a file; returns its SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def copy_durably(source: Path, target: Path) -> None:
    """Copies a tree or file and has the file system make it durable."""
    subprocess.run(["cp", "-r", str(source), str(target)], check=True)
    subprocess.run(["sync", "-f", str(target)], check=True)
