"""A trial in one process: what it records, where, and what it refuses."""

import copy
import errno
import os
import pickle
import uuid
from pathlib import Path

import pytest

import aimdvc
from aimdvc.errors import CorruptRepository, UnsupportedFormat, UsageError
from aimdvc.fs import system
from aimdvc.sdk.ranks import find_rank
from aimdvc.sdk.records import FILE
from aimdvc.sdk.trial import Trial
from aimdvc.trial import Trial as TrialOfAimd
from tests.unit.sdk.trials import Marked, strict


@pytest.fixture(autouse=True)
def trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIMDVC_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "trials"


def journal(trial: Trial) -> Path:
    return trial.path / FILE


def test_a_trial_is_recorded_in_the_data_directory_and_loaded_by_name_or_path(trials: Path) -> None:
    assert TrialOfAimd is Trial
    trial = aimdvc.create_trial(trial_name="first", trial_params={"lr": 0.1})
    assert trial.path == trials / trial.id
    assert uuid.UUID(trial.id).version == 4
    assert trial.status == "Initializing"
    trial.params.epochs = 2
    assert trial.status == "Initializing"
    trial.log("train", {"loss": 0.5}, step=1, epoch=1)
    trial.log("val", {"acc": 1}, 1)
    assert trial.status == "Running"
    trial.finish()
    for loaded in (aimdvc.load_trial(trial_name="first"), aimdvc.load_trial(trial.path)):
        assert (loaded.id, loaded.name, loaded.status) == (trial.id, "first", "Succeeded")
        assert dict(loaded.params) == {"lr": 0.1, "epochs": 2}
        assert [one["value"] for one in loaded.metrics["training"]] == [{"loss": 0.5}]
        assert loaded.metrics["validation"][0]["sequence"].keys() == {"epoch", "step", "timestamp"}
        assert loaded.to_dict() == trial.to_dict()


def test_a_trial_lies_below_a_given_path_and_does_not_depend_on_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    trial = aimdvc.create_trial("runs", "a")
    monkeypatch.chdir(tmp_path / "elsewhere")
    trial.log("train", {"loss": 1}, 1)
    trial.finish()
    assert trial.path == tmp_path / "runs" / trial.id
    assert len(aimdvc.load_trial(tmp_path / "runs", "a").metrics["training"]) == 1
    assert aimdvc.load_trial(trial.path, "a").id == trial.id
    assert os.listdir(tmp_path / "elsewhere") == []


def test_the_newest_trial_of_a_name_is_found() -> None:
    made = [aimdvc.create_trial(trial_name="same").id for _ in range(3)]
    assert aimdvc.load_trial(trial_name="same").id == made[-1]


def test_a_trial_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no trial 'x' in"):
        aimdvc.load_trial(trial_name="x")
    with pytest.raises(UsageError, match=f"there is no trial in '{tmp_path}'"):
        aimdvc.load_trial(tmp_path)
    with pytest.raises(ValueError, match="which trial"):
        aimdvc.load_trial()


@pytest.mark.parametrize("name", ["", "a/b", "..", " a", "a\nb", "x" * 201])
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="trial name"):
        aimdvc.create_trial(trial_name=name)
    with pytest.raises(ValueError, match="conflict strategy"):
        aimdvc.create_trial(conflict_strategy="overwrite")


def test_a_trial_ends_with_its_block_and_says_how() -> None:
    with aimdvc.create_trial(trial_name="good"):
        pass
    with pytest.raises(ZeroDivisionError), aimdvc.create_trial(trial_name="bad") as trial:
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), aimdvc.create_trial(trial_name="stopped"):
        raise KeyboardInterrupt
    with pytest.raises(SystemExit), aimdvc.create_trial(trial_name="exited"):
        raise SystemExit(0)
    found = {name: aimdvc.load_trial(trial_name=name).status for name in ("good", "bad", "stopped", "exited")}
    assert found == {"good": "Succeeded", "bad": "Failed", "stopped": "Failed", "exited": "Succeeded"}
    assert strict(journal(trial).read_bytes())[-1]["error"] == "ZeroDivisionError"
    assert trial.to_dict()["endTime"] is not None


def test_a_trial_that_ended_takes_nothing_more_until_it_is_loaded() -> None:
    trial = aimdvc.create_trial(trial_name="a")
    trial.finish()
    trial.finish()
    with pytest.raises(RuntimeError, match="has ended"):
        trial.log("train", {"a": 1}, 1)
    with pytest.raises(RuntimeError, match="has ended"):
        trial.params.a = 1
    loaded = aimdvc.load_trial(trial_name="a")
    loaded.log("train", {"a": 1}, 1)
    assert loaded.status == "Running"
    loaded.finish()
    assert loaded.status == "Succeeded"
    with aimdvc.load_trial(trial_name="a") as untouched:
        assert untouched.status == "Succeeded"
    assert len(strict(journal(trial).read_bytes())) == len(strict(journal(loaded).read_bytes()))


def test_wrong_metrics_are_refused_and_nothing_of_them_is_recorded() -> None:
    trial = aimdvc.create_trial()
    before = journal(trial).read_bytes()
    for wrong in ({"a": "x"}, {"a": 1, "b": None}):
        with pytest.raises(TypeError):
            trial.log("train", wrong, 1)
    with pytest.raises(ValueError, match="metrics type"):
        trial.log("a/b", {"a": 1}, 1)
    assert journal(trial).read_bytes() == before


def test_nan_and_infinities_are_kept(tmp_path: Path) -> None:
    trial = aimdvc.create_trial(trial_params={"clip": float("inf")})
    trial.log("train", {"loss": float("nan"), "a": float("inf"), "b": float("-inf"), "c": 1}, 1)
    strict(journal(trial).read_bytes())
    loaded = aimdvc.load_trial(trial.path)
    assert str(loaded.metrics["training"][0]["value"]) == "{'loss': nan, 'a': inf, 'b': -inf, 'c': 1}"
    assert loaded.params.clip == float("inf")


def test_an_input_is_uploaded_before_and_an_output_after_it_is_marked() -> None:
    trial, data, model = aimdvc.create_trial(), Marked(), Marked("model", is_open=True, can_be_logged=True)
    with pytest.raises(RuntimeError, match="'model' is not uploaded yet"):
        trial.mark_input(model)
    with pytest.raises(RuntimeError, match="'digits' is not new"):
        trial.mark_output(data)
    for _ in range(2):
        trial.mark_input(data)
        trial.mark_output(model)
    model.is_open = False
    trial.mark_output(model)
    with pytest.raises(RuntimeError, match="an output of this trial already"):
        trial.mark_input(model)
    said = [line for line in strict(journal(trial).read_bytes()) if "input" in line or "output" in line]
    assert [list(line) for line in said] == [["input"], ["output"]]
    assert said[0]["input"] == {
        "id": data.id,
        "name": "digits",
        "commit": "0" * 40,
        "version": "v3",
        "_remote": None,
    }
    loaded = aimdvc.load_trial(trial.path)
    assert (loaded.input_artifacts, loaded.output_artifacts) == ([data.id], [model.id])


def test_an_artifact_has_one_producer_and_many_consumers(tmp_path: Path) -> None:
    model = Marked("model", is_open=True, can_be_logged=True)
    first, second = aimdvc.create_trial(), aimdvc.create_trial(tmp_path / "elsewhere")
    first.mark_output(model)
    with pytest.raises(RuntimeError, match=f"an output of trial {first.id} already"):
        second.mark_output(model)
    model.is_open = False
    for one in (second, aimdvc.create_trial()):
        one.mark_input(model)
        assert one.input_artifacts == [model.id]
    assert second.output_artifacts == []


@pytest.mark.parametrize(("rank", "variable"), [("1", "RANK"), ("3", "LOCAL_RANK"), ("1", "NODE_RANK")])
def test_all_but_the_first_of_those_that_train_together_record_nothing(
    rank: str, variable: str, trials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, rank)
    with aimdvc.create_trial(trial_name="a", trial_params="--lr 1") as trial:
        trial.log("train", {"a": 1}, 1)
        trial.params.x = 2
        trial.mark_input(Marked())
        trial.mark_output(Marked(is_open=True, can_be_logged=True))
        assert (trial.is_recording, dict(trial.params), trial.metrics) == (False, {"lr": 1, "x": 2}, {})
    assert (trial.status, trial.to_dict()["status"]) == ("Succeeded", "Succeeded")
    assert not trials.exists()
    monkeypatch.setenv("RANK", "0")
    assert aimdvc.create_trial().is_recording


def test_a_copy_is_the_same_trial_and_one_that_is_sent_away_records_nothing() -> None:
    trial = aimdvc.create_trial(trial_params={"a": 1})
    assert copy.deepcopy([trial])[0] is trial
    assert copy.copy(trial) is trial
    sent = pickle.loads(pickle.dumps(trial))
    sent.log("train", {"a": 1}, 1)
    assert (sent.id, dict(sent.params), sent.metrics, sent.is_recording) == (trial.id, {"a": 1}, {}, False)


def test_a_dictionary_of_a_trial_makes_another_one_the_same() -> None:
    trial = aimdvc.create_trial(trial_name="a", trial_params={"lr": 0.1})
    trial.log("train", {"loss": float("inf")}, 1)
    trial.mark_input(Marked())
    trial.finish()
    said = trial.to_dict()
    other = aimdvc.create_trial()
    other.parse_from_dict(said)
    assert other.to_dict() == said
    assert aimdvc.load_trial(other.path).to_dict() == said
    running = aimdvc.create_trial()
    running.parse_from_dict({**said, "status": "Running"})
    running.log("val", {"a": 1}, 1)
    assert aimdvc.load_trial(running.path).metrics.keys() == {"training", "validation"}
    assert aimdvc.load_trial(running.path).status == "Running"


@pytest.mark.parametrize("name", ["kind", "metadata", "status", "parameters", "metrics", "inputArtifacts", "startTime"])
def test_a_dictionary_that_lacks_something_is_refused_and_nothing_changes(name: str) -> None:
    trial = aimdvc.create_trial()
    said, before = trial.to_dict(), journal(trial).read_bytes()
    for wrong in ({key: value for key, value in said.items() if key != name}, {**said, name: 5}):
        with pytest.raises(ValueError, match=r"trial|status|metrics"):
            trial.parse_from_dict(wrong)
    assert journal(trial).read_bytes() == before


def test_a_damaged_line_is_named_and_a_later_format_is_left_alone() -> None:
    trial = aimdvc.create_trial(trial_name="a")
    trial.params.x = 1
    trial.log("train", {"a": 1}, 1)
    trial.finish()
    whole = journal(trial).read_bytes()
    lines = whole.splitlines(keepends=True)
    other = aimdvc.create_trial(trial_name="b")
    journal(other).write_bytes(b"no header\n")
    assert aimdvc.load_trial(trial_name="a").id == trial.id
    with pytest.raises(CorruptRepository, match="line 1 is damaged"):
        aimdvc.load_trial(trial_name="b")
    journal(trial).write_bytes(b"".join([*lines[:2], b"\0\0\n", *lines[3:]]))
    with pytest.raises(CorruptRepository, match="line 3 is damaged"):
        aimdvc.load_trial(trial.path)
    journal(trial).write_bytes(whole.replace(b'"a":1', b'"a":x'))
    with pytest.raises(CorruptRepository, match="damaged"):
        _ = aimdvc.load_trial(trial.path).metrics
    journal(trial).write_bytes(whole.replace(b'"format":1', b'"format":2'))
    with pytest.raises(UnsupportedFormat):
        aimdvc.load_trial(trial.path)
    journal(trial).write_bytes(whole + b'{"later kind":1}\n')
    assert aimdvc.load_trial(trial.path).status == "Succeeded"


def test_the_platform_is_told_with_the_packages_that_are_installed() -> None:
    said = aimdvc.create_trial().to_dict()["platform"]
    assert said.keys() == {"hostname", "os", "python", "pypkgs", "framework"}
    assert {"dulwich", "pytest"} <= said["pypkgs"].keys()


def test_where_no_lock_can_tell_a_trial_runs_that_was_recorded_within_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, is_waiting: bool = False, is_shared: bool = False) -> bool:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(system, "lock", refuse)
    trial = aimdvc.create_trial(trial_name="a")
    trial.log("train", {"a": 1}, 1)
    assert aimdvc.load_trial(trial_name="a").status == "Running"
    os.utime(journal(trial), (1, 1))
    assert aimdvc.load_trial(trial_name="a").status == "Failed"


def test_the_rank_is_that_of_the_processes_that_train_together() -> None:
    ranks = {
        "": 0,
        "RANK=2": 2,
        "RANK=0 LOCAL_RANK=1": 0,
        "LOCAL_RANK=1": 1,
        "LOCAL_RANK=0 NODE_RANK=1": 1,
        "RANK=x": 0,
    }
    for words, rank in ranks.items():
        assert find_rank(dict(word.split("=") for word in words.split())) == rank, words


def test_too_many_metrics_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="5001 metrics are given at once"):
        aimdvc.create_trial().log("train", {f"m{number}": 1 for number in range(5001)}, 1)
