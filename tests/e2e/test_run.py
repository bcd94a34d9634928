"""`aimdvc run`: what it records of any command, what it passes on, and that no failure leaves half a version."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.shell import Shell, git, unmeasured


@pytest.fixture
def work(shell: Shell) -> Shell:
    """A workspace in a code repository with the artifact `raw`, of two versions, all of it committed."""
    git(shell.here, "init", "-q")
    shell("init", "--remote", "http://127.0.0.1:9/team/deep")
    shell.write("raw/a.csv", "2\n1\n")
    first = shell.commit("raw", "one")
    shell.write("raw/a.csv", "3\n2\n1\n")
    assert first != shell.commit("raw", "two")
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", "code")
    return shell


def message(shell: Shell, name: str, revision: str = "HEAD") -> str:
    shown = shell("show", f"{name}@{revision}", "--json").json["version"]
    return str(shown["commit"]["message"])


def commit_of(shell: Shell, selector: str) -> str:
    return str(shell("show", selector, "--json").json["version"]["commit"]["id"])


def count(shell: Shell, name: str) -> int:
    return len(shell("log", name, "--json").json["versions"])


def program(shell: Shell, *arguments: str, **how: object) -> "subprocess.CompletedProcess[bytes]":
    """Runs the command line as a program of its own."""
    command = [sys.executable, "-m", "aimdvc", *arguments]
    return subprocess.run(command, cwd=shell.here, env=unmeasured(), capture_output=True, timeout=60, **how)  # type: ignore[call-overload,no-any-return]


def test_a_version_says_which_inputs_code_and_command_made_it(work: Shell) -> None:
    code = git(work.here, "rev-parse", "HEAD").strip()
    told = work(
        *("run", "-i", "raw@v1?", "-i", "raw", "-o", "out=made/out.csv", "--json"),
        *("--", sys.executable, "-c", "import os; os.mkdir('made'); open('made/out.csv', 'w').write('it')"),
    ).json
    one, two = commit_of(work, "raw@v1?"), commit_of(work, "raw@v2?")
    assert (told["exit_code"], told["code"], told["unchanged"]) == (0, code, [])
    lines = message(work, "out").split("\n")
    assert lines[0].startswith("Run ") and lines[1] == ""
    assert lines[2:5] == [
        f"Aimd-Input: team/deep/raw@{one}",
        f"Aimd-Input: team/deep/raw@{two}",
        f"Aimd-Code: {code}",
    ]
    assert lines[5].startswith(f"Aimd-Command: {sys.executable} -c 'import os;")
    # What aimdvc itself wrote into the lock is no change of the code; anything else is.
    work.write("tracked.py", "x\n")
    git(work.here, "add", "tracked.py", "aimdvc.lock")
    git(work.here, "commit", "-qm", "more")
    work.write("tracked.py", "y\n")
    work("run", "-m", "again", "-o", "out=made/out.csv", "--", "sh", "-c", "echo more > made/out.csv")
    code = git(work.here, "rev-parse", "HEAD").strip()
    assert message(work, "out").startswith(f"again\n\nAimd-Code: {code}+dirty\nAimd-Command: sh -c 'echo more > ")


def test_several_outputs_get_a_version_each_and_what_did_not_change_gets_none(work: Shell) -> None:
    command = "mkdir -p model && cp raw/a.csv model/w.bin && echo $((1 + 1)) > score"
    done = work("run", "-i", "raw", "-o", "model=model", "-o", "score=score", "--", "sh", "-c", command)
    assert re.findall("note: (.*)", done.err)[-1].startswith("score v1? ")
    assert "model v1? " in done.err
    done = work(
        "run", "-i", "raw", "-o", "model=model", "-o", "score=score", "--", "sh", "-c", f"{command}; date > score"
    )
    assert "model is as it was: no new version" in done.err
    assert (count(work, "model"), count(work, "score")) == (1, 2)
    told = work("run", "-o", "model=model", "--json", "--", "true").json
    assert (told["commits"], told["unchanged"]) == ([], ["model"])


def test_input_and_output_are_the_commands_and_so_is_its_exit_code(work: Shell) -> None:
    done = program(work, "run", "-o", "n=n", "--", "sh", "-c", "cat; echo told >&2; echo x > n", input=b"typed")
    assert (done.returncode, done.stdout) == (0, b"typed")
    assert b"told\n" in done.stderr and b"n v1? " in done.stderr
    done = program(work, "run", "--json", "-o", "n=n", "--", "sh", "-c", "echo said; echo y > n; exit 7")
    assert (done.returncode, json.loads(done.stdout)["exit_code"]) == (7, 7)
    assert b"said\n" in done.stderr and b"the command ended with 7: nothing was committed" in done.stderr
    assert count(work, "n") == 1
    done = program(work, "run", "-o", "n=n", "--", "sh", "-c", "kill -9 $$")
    assert done.returncode == 137
    for name, code in (("no-such-program", 127), ("raw/a.csv", 126)):
        done = program(work, "run", "--", str(work.here / name))
        assert done.returncode == code, done.stderr
        assert name.encode() in done.stderr and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_stops_it_stops_the_command_and_nothing_is_committed(work: Shell, number: signal.Signals) -> None:
    script = "echo half > out; touch started; exec sleep 60"
    command = [sys.executable, "-m", "aimdvc", "run", "-o", "out=out", "--", "sh", "-c", script]
    # In a session of its own, without a terminal that would send the signal to both.
    running = subprocess.Popen(
        command,
        cwd=work.here,
        env=unmeasured(),
        stderr=subprocess.PIPE,
        start_new_session=True,
        # Who runs the tests in the background has it ignored, and so would all that comes of it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - takes no lock
    )
    while not (work.here / "started").exists():
        time.sleep(0.02)
    began = time.monotonic()
    os.kill(running.pid, number)
    _, err = running.communicate(timeout=30)
    assert (running.returncode, time.monotonic() - began < 20) == (128 + number, True)
    assert b"nothing was committed" in err
    assert [one["artifact"] for one in work("ls", "--json").json["artifacts"]] == ["raw"]
    work("run", "-o", "out=out", "--", "true")
    assert count(work, "out") == 1


def test_a_command_that_ends_well_after_a_signal_is_recorded(work: Shell) -> None:
    script = "trap 'echo whole > out; exit 0' TERM; touch started; while :; do sleep 0.05; done"
    command = [sys.executable, "-m", "aimdvc", "run", "-o", "out=out", "--", "sh", "-c", script]
    running = subprocess.Popen(command, cwd=work.here, env=unmeasured(), start_new_session=True)
    while not (work.here / "started").exists():
        time.sleep(0.02)
    running.terminate()
    assert running.wait(30) == 0
    assert work("cat", "out:out").out == "whole\n"


def test_what_could_not_be_recorded_is_refused_before_the_command_runs(work: Shell, home: Path) -> None:
    work.write("kept/x", "x")
    work.commit("kept")
    work.write("code.py", "x")
    git(work.here, "add", "code.py")
    ran = ("--", "touch", "ran")
    for arguments, wrong in (
        (("-i", "raw@v9"), "v9"),
        (("-i", "nothing"), "nothing"),
        (("-i", "raw:a.csv"), "expected no path"),
        (("-o", "model"), "expected NAME=PATH"),
        (("-o", "model=../x"), "outside the workspace"),
        (("-o", "raw=elsewhere"), "lies at 'raw'"),
        (("-o", "model=raw"), "belongs to the artifact 'raw'"),
        (("-o", "model=raw/x"), "belongs to the artifact 'raw'"),
        (("-o", "model=aimdvc.lock"), "keeps for itself"),
        (("-o", "model=code.py"), "Git tracks files there"),
        (("-o", "v1=x"), "v1"),
        (("-o", "m=x", "-o", "m=y"), "given twice"),
        (("-o", "m=x", "-o", "n=x"), "given twice"),
    ):
        done = work("run", *arguments, *ran, code=-1)
        assert done.code in (2, 4), arguments
        assert wrong in done.err, done.err
    work.write("kept/x", "y")
    work("add", "kept")
    work("commit", "-m", "m")
    work("checkout", "kept@v1?")
    assert "not at the tip of main" in work("run", "-o", "kept=kept", *ran, code=1).err
    assert "no command was given" in work("run", "-o", "m=x", code=2).err
    assert not (work.here / "ran").exists()
    assert "the command made no 'm'" in work("run", "-o", "m=x", "-o", "n=ran", *ran, code=2).err
    assert {one["artifact"] for one in work("ls", "--json").json["artifacts"]} == {"raw", "kept"}


def test_it_says_where_what_is_read_may_be_another_version_than_what_is_recorded(work: Shell) -> None:
    assert "checked out at v2?, and v1? is what is recorded" in work("run", "-i", "raw@v1?", "--", "true").err
    assert work("run", "-i", "raw", "--", "true").err == ""
    work.write("raw/a.csv", "changed\n")
    work("add", "raw")
    assert "'raw' has changes that are in no version" in work("run", "-o", "raw=raw", "--", "false", code=1).err
    assert "'raw' have changes that are in no version" in work("run", "-i", "raw@v2?", "--", "true").err


def test_hostile_settings_add_no_trailer_and_stop_nothing(work: Shell) -> None:
    raw = commit_of(work, "raw")
    for url in ("http://h/a%0aAimd-Trial:%206f9619ff-8b86-4d01-b42d-00c04fc964ff", "http://[x", "ssh://h/x"):
        config = (work.here / ".aimdvc/config").read_text()
        work.write(".aimdvc/config", re.sub("url = .*", f"url = {url}", config))
        work("run", "-i", "raw", "-o", "out=out", "--", "sh", "-c", f"echo '{url}' > out")
        assert message(work, "out").split("\n")[2] == f"Aimd-Input: raw@{raw}"
        told = work("lineage", "out", "--json").json
        assert [one["artifact"] for one in told["versions"]] == ["out", "raw"]
        assert told["versions"][0]["trial"] is None


def test_a_command_may_use_aimdvc_itself(work: Shell) -> None:
    inner = f"{sys.executable} -m aimdvc"
    command = f"echo 1 > a && {inner} add a && {inner} commit -m inner && echo 2 > b"
    told = json.loads(program(work, "run", "--json", "-o", "a=a", "-o", "b=b", "--", "sh", "-c", command).stdout)
    assert ([one["artifact"] for one in told["commits"]], told["unchanged"]) == (["b"], ["a"])
    assert (message(work, "a"), work("status", "--json").json["missing"]) == ("inner\n", [])
