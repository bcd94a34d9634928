"""The command line as a shell sees it: pipes, signals, completion, examples, and files that Git reads, too."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.bash import in_bash
from tests.shell import Shell
from tests.unit.cli.versions import with_versions


@pytest.fixture(autouse=True)
def hangup() -> Iterator[None]:
    """A hangup means what it means at a terminal, also when the tests themselves run under nohup."""
    known = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, known)


@pytest.fixture
def versions(shell: Shell) -> Shell:
    """A workspace whose artifact `scenes`, at data/images, has two versions."""
    return with_versions(shell)


IGNORED = [
    "*.tmp",
    "build/",
    "/top",
    "a*b",
    "!keep.tmp",
    "# note",
    "\\#x",
    "\\!y",
    "d/*",
    "d/**",
    "**/e",
    "sp ",
    "sp\\ ",
]


IGNORED += ["[ab]", "e/", "!e/f", "?", "*", "!*/", "d/e/", "/d", "**/", "é*", "!", "/", "bad[", "back\\", "x\r"]


FILES = ["a", "b", "ab", "axb", "top", "z.tmp", "keep.tmp", "#x", "!y", "sp", "sp ", "é1", "x", "f", "build"]


@pytest.mark.parametrize("seed", range(25))
def test_ignore_files_are_read_as_git_reads_them(shell: Shell, seed: int) -> None:
    source = random.Random(seed)
    directories = ["", "d/", "d/e/", "g/build/"]
    for directory in directories:
        for name in FILES:
            if directory != "g/" or name != "build":
                shell.write(f"data/{directory}{name}", "1")
    for directory in source.sample(directories[:3], source.randint(1, 2)):
        lines = "\n".join(source.choice(IGNORED) for _ in range(source.randint(1, 5)))
        for name in (".gitignore", ".aimdvcignore"):
            shell.write(f"data/{directory}{name}", lines + "\n")
    data = shell.here / "data"
    subprocess.run(["git", "init", "-q", str(data)], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"], cwd=data, capture_output=True, check=True
    )
    subprocess.run(["rm", "-r", str(data / ".git")], check=True)
    wanted = {os.fsdecode(path) for path in listed.stdout.split(b"\0") if path}
    if not wanted:
        return
    shell("add", "data")
    shell("commit", "-m", "m")
    assert {entry["path"] for entry in shell("ls", "data", "--json").json["entries"]} == wanted


@pytest.mark.parametrize("name", [".aimdvcignore", ".gitattributes"])
@pytest.mark.parametrize("pattern", ["a*" * 30 + "b", "**/a*a*/" * 30 + "b", "[a]*" * 30 + "b"])
def test_no_pattern_takes_for_ever(shell: Shell, name: str, pattern: str) -> None:
    shell.write(f"data/{name}", f"{pattern} filter=lfs\n" if "attr" in name else f"{pattern}\n")
    shell.write("data/" + "/".join(["a" * 40] * 20) + "/" + "a" * 200, "1")
    start_s = time.monotonic()
    shell.commit("data")
    assert time.monotonic() - start_s < 10


def test_an_ignore_file_that_is_no_regular_file_holds_no_rules(shell: Shell, tmp_path: Path) -> None:
    shell.write("data/a", "1")
    shell.write("data/b", "1")
    shell.commit("data")
    (tmp_path / "rules").write_text("*\n")
    place = shell.here / "data" / ".aimdvcignore"
    for target in (str(tmp_path / "rules"), "nowhere", "/dev/zero", None):
        if target is None:
            os.mkfifo(place)
        else:
            place.symlink_to(target)
        shell.write("data/new", "1")
        assert "?? data/new\n" in shell("status", "-s").out
        place.unlink()
    place.mkdir()
    assert "?? data/new\n" in shell("status", "-s").out


def test_an_ignore_file_beyond_the_limits_is_named_with_its_line(shell: Shell) -> None:
    shell.write("data/.aimdvcignore", "*.tmp\n" + "x" * 1001 + "\n")
    done = shell("add", "data", "--json", code=4)
    assert done.json["message"].endswith("data/.aimdvcignore': line 2 is too long, or one of too many")


def test_without_a_command_the_help_is_printed_as_it_is(tmp_path: Path) -> None:
    done = in_bash("aimdvc", tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.search(r"\n  checkout +Make the files those of a version", done.stderr)


def test_a_reader_that_leaves_ends_us_as_a_broken_pipe(shell: Shell) -> None:
    for number in range(3000):
        shell.write(f"data/a-file-with-a-long-name-{number}", "")
    shell.commit("data")
    done = in_bash("aimdvc ls data | head -1; echo ${PIPESTATUS[0]}", shell.here)
    assert done.stdout.splitlines()[-1] == "141"
    assert done.stderr == ""


@pytest.mark.parametrize("extra", ["", " --json"])
def test_a_stdout_that_takes_nothing_is_named(tmp_path: Path, extra: str) -> None:
    closed = in_bash(f"aimdvc version{extra} >&-", tmp_path)
    assert (closed.returncode, closed.stderr) == (
        8,
        "aimdvc: 'standard output': is closed; redirect it to /dev/null\n",
    )
    full = in_bash(f"aimdvc version{extra} >/dev/full", tmp_path)
    assert (full.returncode, full.stderr) == (
        8,
        "aimdvc: 'standard output': no space left; free some space, then run it again\n",
    )


def test_a_closed_stdin_or_stderr_is_no_bug(shell: Shell) -> None:
    assert in_bash("aimdvc commit <&-", shell.here).returncode == 2
    assert in_bash("aimdvc status 2>&-", shell.here).returncode == 0


def test_an_error_that_cannot_be_said_still_has_its_exit_code(shell: Shell) -> None:
    done = in_bash("aimdvc show nothing 2>/dev/full", shell.here)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_gives_an_error_object(shell: Shell, number: signal.Signals) -> None:
    with subprocess.Popen(
        # What runs the tests in the background may ignore it, and what is ignored stays so in a child.
        [
            "env",
            f"--default-signal={number.name}",
            sys.executable,
            "-m",
            "aimdvc",
            "login",
            "https://example.org",
            "--json",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        time.sleep(1)
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert json.loads(out) == {
        "error": "interrupted" if number == signal.SIGINT else "terminated",
        "message": "interrupted" if number == signal.SIGINT else "terminated",
        "hint": "nothing is lost, run it again to finish",
        "exit_code": 128 + number,
    }


def test_a_hangup_under_nohup_is_ignored(shell: Shell) -> None:
    with subprocess.Popen(
        ["nohup", sys.executable, "-m", "aimdvc", "login", "https://example.org", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        time.sleep(1)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert json.loads(out)["exit_code"] == 128 + signal.SIGTERM


def children(pid: int) -> str:
    """Returns the processes that a process has started, where the system tells."""
    place = Path(f"/proc/{pid}/task/{pid}/children")
    return place.read_text() if place.exists() else ""


@pytest.mark.parametrize("is_nohup", [True, False])
def test_a_hangup_of_the_terminal_ends_a_server_but_not_under_nohup(tmp_path: Path, is_nohup: bool) -> None:
    command = [sys.executable, "-m", "aimdvc", "serve", str(tmp_path / "site"), "--port", "0", "--json"]
    with subprocess.Popen(
        [*(["nohup"] if is_nohup else ["env", "--default-signal=HUP"]), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            url = json.loads(process.stdout.readline())["url"]
            if is_nohup:
                requests.get(f"{url}/healthz", timeout=10).raise_for_status()
            workers = children(process.pid)
            os.killpg(process.pid, signal.SIGHUP)  # else at once: the workers may be on their way still
            if is_nohup:
                time.sleep(1)
                requests.get(f"{url}/healthz", timeout=10).raise_for_status()
                assert children(process.pid) == workers
                process.terminate()
            process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0
