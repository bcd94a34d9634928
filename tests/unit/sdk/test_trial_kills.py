"""A trial and several processes: kills in mid-logging, who records, and what the others see."""

import os
import signal
from pathlib import Path

import pytest

import aimdvc
from aimdvc.errors import Busy
from aimdvc.fs import journal
from aimdvc.sdk.records import FILE
from tests.unit.sdk.trials import start

ENDLESS = """
trial = aimdvc.create_trial(trial_name="t", trial_params={"a": 1})
for step in range(10**9):
    trial.log("train", {"loss": float("nan") if step % 7 == 0 else 0.5, "name" + str(step % 3): step}, step)
    say(step)
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    monkeypatch.setenv("AIMDVC_HOME", str(made))
    return made


def test_every_metric_whose_call_returned_survives_a_kill_in_mid_logging(data: Path) -> None:
    with start(data, ENDLESS) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 500:
            pass
        loaded = aimdvc.load_trial(trial_name="t")
        assert loaded.status == "Running"
        process.send_signal(signal.SIGKILL)
        said = [int(line) for line in process.stdout if line.endswith("\n")]
    last = said[-1] if said else 500
    trial = aimdvc.load_trial(trial_name="t")
    steps = [one["sequence"]["step"] for one in trial.metrics["training"]]
    assert steps == list(range(len(steps)))
    assert len(steps) in (last + 1, last + 2)
    assert trial.status == loaded.status == "Failed"
    trial.log("train", {"loss": 0.1}, len(steps))
    assert trial.status == "Running"
    trial.finish()
    assert len(aimdvc.load_trial(trial_name="t").metrics["training"]) == len(steps) + 1


def test_a_process_that_ends_without_finishing_leaves_a_failed_trial(data: Path) -> None:
    endings = {"exit": "", "error": "raise ValueError", "now": "os._exit(0)", "block": "with trial: raise ValueError"}
    for name, ending in endings.items():
        with start(data, f"trial = aimdvc.create_trial(trial_name='{name}')\n{ending}") as process:
            process.wait()
        assert aimdvc.load_trial(trial_name=name).status == "Failed"


def test_a_trial_that_no_object_records_any_more_is_failed_though_its_process_lives(data: Path) -> None:
    trial = aimdvc.create_trial(trial_name="a")
    trial.log("train", {"a": 1}, 1)
    assert aimdvc.load_trial(trial_name="a").status == "Running"
    del trial
    assert aimdvc.load_trial(trial_name="a").status == "Failed"


def test_a_child_that_outlives_a_killed_process_does_not_make_it_run(data: Path) -> None:
    code = """
trial = aimdvc.create_trial(trial_name="a")
pid = os.fork()
if pid == 0:
    sys.stdin.read()
    os._exit(0)
say("ready")
sys.stdin.readline()
"""
    with start(data, code) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        assert aimdvc.load_trial(trial_name="a").status == "Initializing"
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        process.poll()
        assert journal.is_held(aimdvc.load_trial(trial_name="a").path / FILE)
        assert aimdvc.load_trial(trial_name="a").status == "Failed"


def test_while_one_process_records_another_can_read_but_not_log(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_WAIT_S", 0.05)
    code = """
trial = aimdvc.create_trial(trial_name="a")
for step in range(3):
    trial.log("train", {"a": step}, step)
    say(step)
    sys.stdin.readline()
trial.params.x = 1
trial.finish()
say("done")
"""
    with start(data, code) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        trial = aimdvc.load_trial(trial_name="a")
        assert len(trial.metrics["training"]) == 1
        with pytest.raises(Busy):
            trial.log("train", {"a": 1}, 9)
        with pytest.raises(Busy):
            trial.params.x = 2
        for step in (1, 2):
            process.stdin.write("\n")
            process.stdin.flush()
            process.stdout.readline()
            assert len(trial.metrics["training"]) == step + 1
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
    assert (trial.status, len(trial.metrics["training"])) == ("Succeeded", 3)
    trial.params.y = 2
    assert dict(trial.params) == {"x": 1, "y": 2}


def test_two_processes_make_and_record_trials_beside_each_other(data: Path) -> None:
    code = """
for number in range(5):
    with aimdvc.create_trial(trial_name=f"{os.getpid()}-{number}") as trial:
        for step in range(50):
            trial.log("train", {"a": step}, step)
"""
    with start(data, code) as one, start(data, code) as other:
        assert (one.wait(), other.wait()) == (0, 0)
    names = [f"{process.pid}-{number}" for process in (one, other) for number in range(5)]
    found = [aimdvc.load_trial(trial_name=name) for name in names]
    assert all(trial.status == "Succeeded" and len(trial.metrics["training"]) == 50 for trial in found)


def test_a_child_of_a_fork_does_not_end_what_its_parent_records(data: Path) -> None:
    code = """
with aimdvc.create_trial(trial_name="a") as trial:
    pid = os.fork()
    if pid == 0:
        trial.log("val", {"a": 1}, 1)
        raise SystemExit(3)
    os.waitpid(pid, 0)
    assert aimdvc.load_trial(trial_name="a").status == "Running"
    trial.log("train", {"a": 1}, 1)
"""
    with start(data, code) as process:
        assert process.wait() == 0
    trial = aimdvc.load_trial(trial_name="a")
    assert (trial.status, sorted(trial.metrics)) == ("Succeeded", ["training", "validation"])
