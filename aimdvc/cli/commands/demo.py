"""`aimdvc demo`: the main job on real files, with the very commands that a user would type."""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.errors import CheckFailed, UsageError
from aimdvc.model.sizes import size_text

_MAX_FILES = 3000
_MAX_BYTES = 1 << 30
_SKIPPED = {"__pycache__", "site-packages", "dist-packages", ".git", ".aimdvc"}
_START_S = 60


@dataclass(frozen=True, slots=True)
class Step:
    """One command that was run, and how long it took in seconds."""

    command: str
    seconds: float


@command("demo")
@click.argument("source", required=False, metavar="[DIR]", type=click.Path())
def demo_command(cli: Cli, source: str | None) -> None:
    """Run the main job on copies of real files

    Those of DIR, or of Python's standard library. Init, add, commit, change, diff, alias, serve, push, clone, and a
    comparison byte for byte. Every command is printed as it runs, with its time. Everything happens in a temporary
    directory, which is removed at the end.

    \b
    Example:
      aimdvc demo ~/pictures
    """
    chosen = cli.here / source if source is not None else Path(sysconfig.get_path("stdlib"))
    if not chosen.is_dir():
        raise UsageError(f"'{chosen}' is no directory")
    with tempfile.TemporaryDirectory(prefix="aimdvc-demo-") as scratch:
        guide = _Guide(cli, Path(scratch))
        copied, size = _copy(chosen, guide.data)
        if not copied:
            raise UsageError(f"'{chosen}' holds no files")
        guide.say(f"# {plural(copied, 'file')}, {size_text(size)}, copied from '{chosen}'")
        _run(guide)
    cli.out.result({"files": copied, "bytes": size, "steps": guide.steps, "identical": True}, [])


def _run(guide: "_Guide") -> None:
    guide.say("\n# A workspace, and the files as an artifact in it")
    guide.aimdvc("init")
    guide.aimdvc("add", "data")
    guide.aimdvc("commit", "-m", "First version")
    guide.say("\n# Change something, look at it, keep it")
    _change(guide.data)
    guide.aimdvc("status", "-s")
    guide.aimdvc("diff", "--stat")
    guide.aimdvc("add", "data")
    guide.aimdvc("commit", "-m", "Second version")
    guide.aimdvc("alias", "set", "data@HEAD", "production")
    guide.say("\n# A server, on a free port of this machine; push to it")
    with guide.server() as (url, key):
        guide.aimdvc("login", url, typed=key)
        guide.aimdvc("remote", "add", "origin", url)
        guide.aimdvc("push")
        guide.aimdvc("log", "--oneline")
        guide.say("\n# Another place: clone it from there, and compare byte for byte")
        guide.aimdvc("clone", f"{url}/data@production", "elsewhere", at=guide.scratch)
    _compare(guide)


class _Guide:
    """Runs the commands in a scratch directory, with settings of their own, and prints them."""

    def __init__(self, cli: Cli, scratch: Path) -> None:
        self._cli = cli
        self.scratch = scratch
        self.workspace = scratch / "project"
        self.data = self.workspace / "data"
        self.steps: list[Step] = []
        self._environment = {**cli.environment, "XDG_CONFIG_HOME": str(scratch / "config")}
        for variable in ("AIMDVC_API_KEY", "AIMDVC_HOST"):
            self._environment.pop(variable, None)
        if cli.author(None) is None:
            self._environment |= {"AIMDVC_AUTHOR": "Demo <demo@example.org>"}
        self.workspace.mkdir()

    def say(self, text: str) -> None:
        """Prints a line, unless the output is JSON."""
        if not self._cli.as_json:
            for line in text.split("\n"):
                self._cli.out.line(line)
            sys.stdout.flush()

    def aimdvc(self, *arguments: str, at: Path | None = None, typed: str = "") -> None:
        """Runs one command and prints it with its time."""
        start_s = time.perf_counter()
        done = subprocess.run(
            [*_program(), *arguments],
            cwd=at or self.workspace,
            env=self._environment,
            input=typed + "\n" if typed else "",
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
        seconds = time.perf_counter() - start_s
        self.steps.append(Step(" ".join(("aimdvc", *arguments)), round(seconds, 3)))
        self.say(f"$ aimdvc {' '.join(_quoted(argument) for argument in arguments)}    [{seconds:.2f} s]")
        lines = done.stdout.splitlines()
        for line in lines[:12]:
            self.say(f"  {line}")
        if len(lines) > 12:
            self.say(f"  … {len(lines) - 12:,} more lines")
        if done.returncode:
            raise CheckFailed(f"`aimdvc {' '.join(arguments)}` ended with {done.returncode}: {done.stderr.strip()}")

    @contextmanager
    def server(self) -> Iterator[tuple[str, str]]:
        """Runs `aimdvc serve` while the `with` lasts; yields its URL and key."""
        place = self.scratch / "server"
        self.say("$ aimdvc serve server --port 0 &")
        process = subprocess.Popen(
            [*_program(), "serve", str(place), "--port", "0", "--json"],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None and process.stderr is not None
            line = process.stdout.readline()
            answer = json.loads(line) if line else {"message": process.stderr.read()}
            if "url" not in answer:
                raise CheckFailed(f"the server did not start: {answer.get('message', '')}")
            self.say(f"  Serving at {answer['url']}")
            yield answer["url"], answer["admin_key"]
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=_START_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _program() -> list[str]:
    return [sys.executable, "-m", "aimdvc"]


def _quoted(argument: str) -> str:
    return f'"{argument}"' if " " in argument else argument


def _copy(source: Path, target: Path) -> tuple[int, int]:
    count = size = 0
    for directory, names, files in os.walk(source):
        names[:] = sorted(name for name in names if name not in _SKIPPED)
        for name in sorted(files):
            path = Path(directory, name)
            if count >= _MAX_FILES or size >= _MAX_BYTES:
                return count, size
            if path.is_symlink() or not path.is_file() or not os.access(path, os.R_OK):
                continue
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            count += 1
            size += copy.stat().st_size
    return count, size


def _change(data: Path) -> None:
    """Makes the kinds of change that a second version has: some files edited, one new, one gone, one renamed."""
    files = sorted(path for path in data.rglob("*") if path.is_file())
    for path in files[:: max(len(files) // 10, 1)][:10]:
        with path.open("ab") as file:
            file.write(b"\n# changed\n")
    (data / "NEW.txt").write_text("a new file\n", "utf-8")
    if len(files) > 3:
        files[1].unlink()
        files[2].rename(files[2].with_name("renamed-" + files[2].name))


def _compare(guide: _Guide) -> None:
    start_s = time.perf_counter()
    mine = {path.relative_to(guide.data) for path in guide.data.rglob("*") if path.is_file()}
    other = guide.scratch / "elsewhere"
    own = {".aimdvc", "aimdvc.lock"}
    theirs = {path.relative_to(other) for path in other.rglob("*") if path.is_file()}
    theirs = {path for path in theirs if path.parts[0] not in own}
    different = [path for path in mine & theirs if not _is_same(guide.data / path, other / path)]
    if mine != theirs or different:
        raise CheckFailed(f"{len(mine ^ theirs)} files are in one place only, {len(different)} differ")
    guide.say(
        f"{plural(len(mine), 'file')} compared byte for byte: identical    [{time.perf_counter() - start_s:.2f} s]"
    )


def _is_same(one: Path, two: Path) -> bool:
    with one.open("rb") as first, two.open("rb") as second:
        while True:
            chunk = first.read(1 << 20)
            if chunk != second.read(1 << 20):
                return False
            if not chunk:
                return True
