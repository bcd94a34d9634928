"""The hooks with nothing to do, on an artifact of 20,000 files in a code repository of 10,000 commits."""

import resource
import subprocess
import sys
from pathlib import Path

from tests.bench import data
from tests.bench.cases import IDENTITY, Bench
from tests.bench.measure import AIMDVC, Figure, run

COMMITS = 10_000
GOAL_S = 0.3
_TIMES = 7


def hooks(bench: Bench) -> None:
    """Measures each hook as Git calls it, beside what starting a process and `git status` cost."""
    place = _project(bench)
    head, base = (_commit(place, name) for name in ("HEAD", "HEAD~1"))
    message = place / ".git" / "COMMIT_EDITMSG"
    message.write_text("One more\n")
    zero = "0" * 40
    _yardsticks(bench, place)
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
        _measure(bench, f"hook {work}", "aimdvc", [AIMDVC, "hook", *arguments], place, typed, goal)


def _yardsticks(bench: Bench, place: Path) -> None:
    for program, command in (
        ("bare Python", [sys.executable, "-c", "pass"]),
        # How fast the machine is just now: figures of two tables compare by this row.
        ("bare Python, 3m additions", [sys.executable, "-c", "n = 0\nfor i in range(3_000_000): n += i"]),
        ("aimdvc --version", [AIMDVC, "--version"]),
        ("aimdvc status", [AIMDVC, "status"]),
        ("git status", ["git", "status"]),
    ):
        _measure(bench, "hooks, beside them", program, command, place)


def _measure(
    bench: Bench, work: str, program: str, command: list[str], place: Path, typed: str = "", goal: float | None = None
) -> None:
    """Adds two figures: of the clock, and of the processor, which says more where other work goes on beside."""
    clock, processor, memory = [], [], 0.0
    for _ in range(_TIMES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds, memory = run(command, place, bench.environment, typed)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        clock.append(seconds)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    bench.report.add(Figure(work, program, min(clock), memory, goal))
    bench.report.add(Figure(work, f"{program}, CPU", min(processor)))


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
