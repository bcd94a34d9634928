"""The hooks with nothing to do, on an artifact of 20,000 files in a code repository of 10,000 commits."""

import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench import data
from tests.bench.cases import IDENTITY, Bench
from tests.bench.measure import AIMDVC, Figure, run

COMMITS = 10_000
GOAL_S = 0.3
_ROUNDS = 25
"""In each every row is run once, and of each the least counts: other machines on the host are loud for minutes."""


class _Row(NamedTuple):
    work: str
    program: str
    command: list[str]
    typed: str = ""
    goal: float | None = None


def hooks(bench: Bench) -> None:
    """Measures each hook as Git calls it, beside what starting a process and `git status` cost."""
    place = _project(bench)
    head, base = (_commit(place, name) for name in ("HEAD", "HEAD~1"))
    message = place / ".git" / "COMMIT_EDITMSG"
    message.write_text("One more\n")
    zero = "0" * 40
    rows = _yardsticks()
    for work, arguments, typed in (
        ("pre-commit", ["pre-commit"], ""),
        ("pre-merge-commit", ["pre-merge-commit"], ""),
        ("large-files, one small file", ["large-files", "code.py"], ""),
        ("prepare-commit-msg", ["prepare-commit-msg", str(message), "message"], ""),
        ("post-checkout", ["post-checkout", base, head, "1"], ""),
        ("post-merge", ["post-merge", "0"], ""),
        ("post-rewrite", ["post-rewrite", "rebase"], f"{base} {head}\n"),
        ("pre-push, no ref", ["pre-push", "origin", "x"], ""),
        ("pre-push, one commit", ["pre-push", "origin", "x"], f"refs/heads/main {head} refs/heads/main {base}\n"),
        (
            f"pre-push, {COMMITS:,} commits",
            ["pre-push", "new", "x"],
            f"refs/heads/main {head} refs/heads/main {zero}\n",
        ),
    ):
        # The remote `new` has nothing yet: reading all that it gets is work.
        goal = GOAL_S if "new" not in arguments else None
        rows.append(_Row(f"hook {work}", "aimdvc", [AIMDVC, "hook", *arguments], typed, goal))
    _measure(bench, place, rows)


def _yardsticks() -> list[_Row]:
    return [
        _Row("hooks, beside them", program, command)
        for program, command in (
            ("bare Python", [sys.executable, "-c", "pass"]),
            # How fast the machine is just now: figures of two tables compare by this row.
            ("bare Python, 3m additions", [sys.executable, "-c", "n = 0\nfor i in range(3_000_000): n += i"]),
            ("aimdvc --version", [AIMDVC, "--version"]),
            ("aimdvc status", [AIMDVC, "status"]),
            ("git status", ["git", "status"]),
        )
    ]


def _measure(bench: Bench, place: Path, rows: Sequence[_Row]) -> None:
    """Adds two figures for each row: of the clock, and of the processor."""
    measured: list[list[tuple[float, float, float]]] = [[] for _ in rows]
    for _ in range(_ROUNDS):
        for row, one in zip(rows, measured, strict=True):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds, memory = run(row.command, place, bench.environment, row.typed)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            one.append((seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, memory))
    for row, one in zip(rows, measured, strict=True):
        clock_s, processor_s, memory_mib = zip(*one, strict=True)
        bench.report.add(Figure(row.work, row.program, min(clock_s), max(memory_mib), row.goal))
        bench.report.add(Figure(row.work, f"{row.program}, CPU", min(processor_s)))


def _project(bench: Bench) -> Path:
    """Makes the code repository, with its artifact pushed to a folder and its lock committed."""
    place = bench.scratch / "project"
    remote = bench.scratch / "remote"
    remote.mkdir()
    bench.git(bench.scratch, "init", "-q", str(place))
    bench.quiet(place, "init", "--remote", str(remote))
    data.many(place / "data", 20_000)
    bench.quiet(place, "add", "data")
    bench.quiet(place, "commit", "-m", "one")
    bench.quiet(place, "push")
    (place / "code.py").write_text("0\n")
    bench.git(place, "add", "-A")
    bench.git(place, "commit", "-qm", "with data")
    run(["git", "fast-import", "--quiet", "--force"], place, bench.environment, _commits(COMMITS - 1))
    bench.git(place, "reset", "-q", "--hard")
    bench.git(place, "update-ref", "refs/remotes/origin/main", "HEAD~1")
    # Commits of the code lie in a pack, as after a clone.
    bench.git(place, "gc", "-q")
    return place


def _commits(count: int) -> str:
    """Returns code commits, each of which changes a file, as `git fast-import` reads them."""
    who = f"committer {IDENTITY['GIT_COMMITTER_NAME']} <{IDENTITY['GIT_COMMITTER_EMAIL']}>"
    lines = []
    for number in range(1, count + 1):
        start = "from refs/heads/main^0\n" if number == 1 else ""
        text = f"{number}\n"
        lines.append(
            f"commit refs/heads/main\n{who} {1_700_000_000 + number} +0000\ndata 2\nx\n{start}"
            f"M 100644 inline code.py\ndata {len(text)}\n{text}\n"
        )
    return "".join(lines) + "done\n"


def _commit(place: Path, revision: str) -> str:
    done = subprocess.run(["git", "rev-parse", revision], cwd=place, capture_output=True, text=True, check=True)
    return done.stdout.strip()
