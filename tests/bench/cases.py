"""The work that is measured: aimdvc's own, its yardsticks, and git-lfs and DVC where they are installed."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aimdvc.model.progress import Silent
from aimdvc.ops.add import AddOptions, add
from aimdvc.ops.commit import CommitOptions, commit
from aimdvc.ops.workspace import Workspace
from tests.bench import data
from tests.bench.history import lengthen
from tests.bench.measure import AIMDVC, Figure, Report, best, copy_durably, hash_tree, run, timed

IDENTITY = {
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.org",
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Bench:
    """One run in a scratch directory."""

    def __init__(self, scratch: Path, report: Report) -> None:
        self.scratch = scratch
        self.report = report
        self.environment = {**IDENTITY, "HOME": str(scratch / "home"), "XDG_CONFIG_HOME": str(scratch / "home")}
        (scratch / "home").mkdir(exist_ok=True)
        self.has_lfs = shutil.which("git-lfs") is not None
        self.has_dvc = shutil.which("dvc") is not None

    def aimdvc(self, work: str, cwd: Path, *arguments: str, goal: float | None = None, times: int = 1) -> None:
        """Measures one aimdvc command."""
        seconds, memory = best(times, lambda: run([AIMDVC, *arguments], cwd, self.environment))
        self.report.add(Figure(work, "aimdvc", seconds, memory, goal))

    def quiet(self, cwd: Path, *arguments: str, typed: str = "") -> None:
        """Runs aimdvc without measuring."""
        run([AIMDVC, *arguments], cwd, self.environment, typed)

    def git(self, cwd: Path, *arguments: str) -> tuple[float, float]:
        """Runs git."""
        return run(["git", "-c", "init.defaultBranch=main", "-c", "gc.auto=0", *arguments], cwd, self.environment)

    def dvc(self, cwd: Path, *arguments: str) -> tuple[float, float]:
        """Runs DVC."""
        return run(["dvc", *arguments], cwd, {**self.environment, "DVC_NO_ANALYTICS": "1"})

    def workspace(self, name: str) -> Path:
        """Makes a workspace."""
        place = self.scratch / name
        place.mkdir()
        self.quiet(place, "init")
        return place

    @contextmanager
    def server(self, name: str = "server") -> Iterator[tuple[str, str]]:
        """Runs a server of its own directory; yields its URL and key."""
        place = self.scratch / f"served-{name}"
        command = [AIMDVC, "serve", str(place), "--port", "0", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            answer = json.loads(process.stdout.readline())
            self.quiet(self.scratch, "login", answer["url"], typed=answer["admin_key"] + "\n")
            yield answer["url"], answer["admin_key"]
        finally:
            process.terminate()
            process.wait()


def start(bench: Bench) -> None:
    """How long aimdvc takes to start."""
    empty = bench.workspace("empty")
    bare, _ = best(10, lambda: run([sys.executable, "-c", "pass"], empty))
    bench.report.add(Figure("start", "bare Python", bare))
    bench.aimdvc("start: --version", empty, "--version", goal=bare + 0.06, times=10)
    bench.aimdvc("start: status, empty workspace", empty, "status", goal=bare + 0.1, times=10)


def many(bench: Bench, count: int) -> None:
    """Many small files, locally."""
    label = f"{count // 1000}k"
    place = bench.workspace(f"many{label}")
    files = place / "data"
    data.many(files, count)
    hash_s = timed(lambda: hash_tree(files))
    bench.report.add(Figure(f"{label} files of 4 KiB", "hash", hash_s))
    copy = bench.scratch / "copy"
    copy_s = timed(lambda: copy_durably(files, copy))
    bench.report.add(Figure(f"{label} files of 4 KiB", "cp -r, sync", copy_s))
    is_20k = count == 20_000
    bench.aimdvc(f"add {label}", place, "add", "data")
    bench.aimdvc(f"commit {label}", place, "commit", "-m", "one")
    total = bench.report.seconds(f"add {label}", "aimdvc") + bench.report.seconds(f"commit {label}", "aimdvc")
    bench.report.add(Figure(f"add + commit {label}", "aimdvc", total, None, 2.0 if is_20k else None))
    bench.aimdvc(f"status {label}, unchanged", place, "status", goal=0.25 if is_20k else 1.0, times=5)
    data.change(files, 10, count // 10, seed=5)
    bench.aimdvc(f"commit -a, 10 of {label} changed", place, "commit", "-am", "two", goal=0.4 if is_20k else None)
    goal = 0.3 if is_20k else None
    bench.aimdvc(f"checkout, 10 of {label} changed", place, "checkout", "data@HEAD~1", goal=goal)
    bench.quiet(place, "checkout", "data@main")
    files.rename(bench.scratch / "aside")
    bench.report.add(
        Figure(f"restore {label}", "cp -r, sync", timed(lambda: copy_durably(copy, bench.scratch / "copy2")))
    )
    bench.aimdvc(f"restore {label}", place, "restore", "data", goal=1.5 if is_20k else None)
    if bench.has_lfs:
        _lfs_local(bench, label, files, count)
    if bench.has_dvc:
        _dvc_local(bench, label, files, count)


def million(bench: Bench) -> None:
    """A million files of 1 KiB, locally and over HTTP; the work of a tenth of it beside, to see that time is linear."""
    for label, count in (("100k × 1 KiB", 100_000), ("1M × 1 KiB", 1_000_000)):
        name = label.split()[0]
        place = bench.workspace(f"scale{name}")
        files = place / "data"
        data.many(files, count, size=1024)
        bench.report.add(Figure(f"{label}: hash", "hash", timed(lambda files=files: hash_tree(files))))  # type: ignore[misc]
        bench.aimdvc(f"{label}: add", place, "add", "data")
        bench.aimdvc(f"{label}: commit", place, "commit", "-m", "one")
        bench.aimdvc(f"{label}: status", place, "status", goal=8.0 if count == 1_000_000 else None, times=2)
        data.change(files, 10, count // 10, seed=5, size=1024)
        bench.aimdvc(f"{label}: diff, 10 changed", place, "diff", "--stat")
        bench.aimdvc(f"{label}: commit -a, 10 changed", place, "commit", "-am", "two")
        bench.aimdvc(f"{label}: diff of versions", place, "diff", "data@HEAD~1", "data@HEAD", "--stat")
        bench.aimdvc(f"{label}: checkout, 10 changed", place, "checkout", "data@HEAD~1")
        bench.quiet(place, "checkout", "data@main")
        files.rename(bench.scratch / f"aside{name}")
        bench.aimdvc(f"{label}: checkout of all", place, "restore", "data")
        with bench.server(name) as (url, _):
            bench.quiet(place, "remote", "add", "origin", url)
            bench.aimdvc(f"{label}: push", place, "push")
            bench.aimdvc(f"{label}: clone", bench.scratch, "clone", f"{url}/data", f"clone{name}")


def _dvc_local(bench: Bench, label: str, files: Path, count: int) -> None:
    place = bench.scratch / f"dvc{label}"
    shutil.copytree(files, place / "data")
    bench.dvc(place, "init", "-q", "--no-scm")
    seconds, memory = bench.dvc(place, "add", "-q", "data")
    bench.report.add(Figure(f"add + commit {label}", "DVC", seconds, memory))
    seconds, memory = best(3, lambda: bench.dvc(place, "status", "-q"))
    bench.report.add(Figure(f"status {label}, unchanged", "DVC", seconds, memory))
    data.change(place / "data", 10, count // 10, seed=9)
    seconds, memory = bench.dvc(place, "add", "-q", "data")
    bench.report.add(Figure(f"commit -a, 10 of {label} changed", "DVC", seconds, memory))
    (place / "data").rename(bench.scratch / f"dvc-aside{label}")
    seconds, memory = bench.dvc(place, "checkout", "-q")
    bench.report.add(Figure(f"restore {label}", "DVC", seconds, memory))


def _lfs_local(bench: Bench, label: str, files: Path, count: int) -> None:
    place = bench.scratch / f"lfs{label}"
    shutil.copytree(files, place / "data")
    for arguments in (["init", "-q"], ["lfs", "install", "--local"], ["lfs", "track", "*.bin"]):
        bench.git(place, *arguments)
    add_s, memory = bench.git(place, "add", "-A")
    commit_s, _ = bench.git(place, "commit", "-qm", "one")
    bench.report.add(Figure(f"add + commit {label}", "git-lfs", add_s + commit_s, memory))
    status_s, _ = best(3, lambda: bench.git(place, "status"))
    bench.report.add(Figure(f"status {label}, unchanged", "git-lfs", status_s))
    data.change(place / "data", 10, count // 10, seed=9)
    seconds, memory = bench.git(place, "commit", "-qam", "two")
    bench.report.add(Figure(f"commit -a, 10 of {label} changed", "git-lfs", seconds, memory))
    (place / "data").rename(bench.scratch / f"lfs-aside{label}")
    restore_s, memory = bench.git(place, "checkout", "--", "data")
    bench.report.add(Figure(f"restore {label}", "git-lfs", restore_s, memory))


def large(bench: Bench) -> None:
    """One file of 2 GiB, locally and over HTTP."""
    place = bench.workspace("large")
    file = place / "data/large.bin"
    data.one(file, 2 << 30)
    hash_s = timed(lambda: hash_tree(file))
    bench.report.add(Figure("2 GiB", "hash", hash_s))
    copy = bench.scratch / "copy"
    copy_s = timed(lambda: copy_durably(file, copy))
    bench.report.add(Figure("2 GiB", "cp, sync", copy_s))
    bench.aimdvc("add 2 GiB", place, "add", "data", goal=1.5 * max(hash_s, copy_s))
    bench.quiet(place, "commit", "-m", "one")
    with bench.server() as (url, key):
        bench.quiet(place, "remote", "add", "origin", url)
        bench.aimdvc("push 2 GiB", place, "push", goal=3.5 * hash_s)
        bench.aimdvc("clone 2 GiB", bench.scratch, "clone", f"{url}/data", "large-clone", goal=3 * hash_s)
        if bench.has_lfs:
            _lfs_remote(bench, place / "data", "2 GiB", f"{url}/lfs-large", key)
    if bench.has_dvc:
        _dvc_remote(bench, place / "data", "2 GiB")


def remote(bench: Bench) -> None:
    """20,000 small files over HTTP."""
    place = bench.workspace("remote")
    data.many(place / "data", 20_000)
    bench.quiet(place, "add", "data")
    bench.quiet(place, "commit", "-m", "one")
    with bench.server() as (url, key):
        bench.quiet(place, "remote", "add", "origin", url)
        bench.aimdvc("push 20k", place, "push", goal=5.0)
        bench.aimdvc("push, nothing to push", place, "push", goal=0.3, times=5)
        # Making files takes its time, which varies from minute to minute: a copy right before tells how long now.
        copy = bench.scratch / "copy"
        bench.report.add(Figure("clone 20k", "cp -r, sync", timed(lambda: copy_durably(place / "data", copy))))
        bench.aimdvc("clone 20k", bench.scratch, "clone", f"{url}/data", "clone", goal=5.0)
        bench.aimdvc("pull, nothing new", bench.scratch / "clone", "pull", times=5)
        if bench.has_lfs:
            _lfs_remote(bench, place / "data", "20k", f"{url}/lfs-many", key)
    if bench.has_dvc:
        _dvc_remote(bench, place / "data", "20k")


def _lfs_remote(bench: Bench, files: Path, label: str, url: str, key: str) -> None:
    place = bench.scratch / "lfs-remote"
    shutil.copytree(files, place / "data")
    address = url.replace("http://", f"http://bench:{key}@")
    for arguments in (
        ["init", "-q"],
        ["lfs", "install", "--local"],
        ["lfs", "track", "*.bin"],
        ["remote", "add", "origin", address],
        ["add", "-A"],
        ["commit", "-qm", "one"],
    ):
        bench.git(place, *arguments)
    push_s, memory = bench.git(place, "push", "-q", "origin", "HEAD:refs/heads/main")
    bench.report.add(Figure(f"push {label}", "git-lfs", push_s, memory))
    bench.git(place, "lfs", "install")
    clone_s, memory = bench.git(bench.scratch, "clone", "-q", address, "lfs-clone")
    bench.report.add(Figure(f"clone {label}", "git-lfs", clone_s, memory))


def _dvc_remote(bench: Bench, files: Path, label: str) -> None:
    """DVC to and from a directory: it serves nothing by itself."""
    place, other = bench.scratch / "dvc-remote", bench.scratch / "dvc-clone"
    shutil.copytree(files, place / "data")
    bench.dvc(place, "init", "-q", "--no-scm")
    bench.dvc(place, "remote", "add", "-q", "-d", "store", str(bench.scratch / "dvc-store"))
    seconds, memory = bench.dvc(place, "add", "-q", "data")
    if label == "2 GiB":
        bench.report.add(Figure(f"add {label}", "DVC", seconds, memory))
    seconds, memory = bench.dvc(place, "push", "-q")
    bench.report.add(Figure(f"push {label}", "DVC (a directory)", seconds, memory))
    other.mkdir()
    bench.dvc(other, "init", "-q", "--no-scm")
    for name in ("data.dvc", ".dvc/config"):
        shutil.copyfile(place / name, other / name)
    seconds, memory = bench.dvc(other, "pull", "-q")
    bench.report.add(Figure(f"clone {label}", "DVC (a directory)", seconds, memory))


def mixed(bench: Bench) -> None:
    """2,000 files of 100 KiB and 4 of 128 MiB."""
    place = bench.workspace("mixed")
    data.mixed(place / "data")
    hash_s = timed(lambda: hash_tree(place / "data"))
    bench.report.add(Figure("2,000 × 100 KiB + 4 × 128 MiB", "hash", hash_s))
    copy = bench.scratch / "copy"
    bench.report.add(
        Figure("2,000 × 100 KiB + 4 × 128 MiB", "cp -r, sync", timed(lambda: copy_durably(place / "data", copy)))
    )
    bench.aimdvc("add mixed", place, "add", "data")
    bench.quiet(place, "commit", "-m", "one")
    with bench.server() as (url, _):
        bench.quiet(place, "remote", "add", "origin", url)
        bench.aimdvc("push mixed", place, "push")
        bench.aimdvc("clone mixed", bench.scratch, "clone", f"{url}/data", "clone")


def changed(bench: Bench) -> None:
    """512 MiB, then 1 % changed in 20 places, then 1 MiB put in front. Each version is a blob of its own."""
    place = bench.workspace("changed")
    file = place / "data/file.bin"
    data.one(file, 512 << 20)
    bench.report.add(Figure("512 MiB", "hash", timed(lambda: hash_tree(file))))
    bench.aimdvc("add 512 MiB", place, "add", "data")
    bench.quiet(place, "commit", "-m", "one")
    data.change_in_places(file, 0.01, 20, seed=7)
    bench.aimdvc("add 512 MiB, 1 % changed", place, "add", "data")
    data.insert_in_front(file, 1 << 20, seed=8)
    bench.aimdvc("add 512 MiB, 1 MiB in front", place, "add", "data")
    bench.quiet(place, "commit", "-m", "two")


def versions(bench: Bench) -> None:
    """Ten thousand versions of one artifact; one more is made, pushed and pulled."""
    place = bench.workspace("versions")
    bench.report.add(Figure("10,000 versions made", "aimdvc", timed(lambda: lengthen(place, 10_000))))
    with bench.server() as (url, _):
        bench.quiet(place, "remote", "add", "origin", url)
        bench.quiet(place, "checkout", "data@main")
        bench.aimdvc("push of 10,000 versions", place, "push")
        bench.aimdvc("clone of 10,000 versions", bench.scratch, "clone", f"{url}/data", "clone")
        bench.aimdvc("clone --depth 1 of 10,000 versions", bench.scratch, "clone", f"{url}/data", "one", "--depth", "1")
        bench.aimdvc("get of one of 10,000 versions", bench.scratch, "get", f"{url}/data@v5000", "--out", "got")
        for command in (
            ["log", "--oneline"],
            ["log", "-n", "10"],
            ["status"],
            ["show", "data@v5000"],
            ["checkout", "data@v17"],
            ["checkout", "data@main"],
            ["alias", "set", "data@v500", "production"],
            ["branch", "-v"],
            ["tag"],
            ["diff", "data@v1", "data@v10000", "--stat"],
            ["blame", "data@v10000"],
        ):
            bench.aimdvc(f"10,000 versions: {' '.join(command)}", place, *command, goal=1.0, times=3)
        (place / "data/d0/f00.bin").write_text("one more\n")
        bench.aimdvc("10,000 versions: commit -a", place, "commit", "-am", "one more", goal=1.0)
        bench.aimdvc("10,000 versions: push of one more", place, "push", goal=1.0)
        bench.aimdvc("10,000 versions: fetch of one more", bench.scratch / "clone", "fetch", goal=1.0)
        bench.aimdvc("10,000 versions: pull of one more", bench.scratch / "clone", "pull", goal=1.0)
        bench.aimdvc("10,000 versions: push, nothing to push", place, "push", goal=1.0, times=3)


def maintenance(bench: Bench) -> None:
    """100,000 blobs of which as many more are to go, and 1,000 commits of 10 files that are joined."""
    place = bench.workspace("prune")
    for seed in (1, 5, 1):
        data.many(place / "data", 100_000, 1000, seed)
        bench.quiet(place, "add", "data")
    bench.quiet(place, "commit", "-m", "one")
    bench.aimdvc("prune --dry-run, 100k of 200k", place, "prune", "--expire", "0", "--dry-run")
    bench.aimdvc("prune, 100k of 200k", place, "prune", "--expire", "0")
    bench.aimdvc("trash empty, 100k", place, "trash", "empty")
    place = bench.workspace("join")
    with Workspace.open(place, None, lambda places: ("A User", "user@example.org")) as workspace:
        start_s = time.perf_counter()
        for number in range(1000):
            for name in range(10):
                file = place / f"data/d{name}/f"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"{number} {name}\n" * 20)
            add(workspace, place, ["data"], AddOptions(), Silent())
            commit(workspace, [], CommitOptions("m\n", workspace.author()), Silent())
        bench.report.add(
            Figure("1,000 commits of 10 files, joined on the way", "aimdvc", time.perf_counter() - start_s)
        )
    bench.aimdvc("maintenance after them", place, "maintenance")
    bench.aimdvc("log of 1,000", place, "log", "--oneline")
