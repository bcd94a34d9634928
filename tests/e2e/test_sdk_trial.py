"""Uploads of trials to a real server: where they go, what is sent, and what a failure leaves."""

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import aimdvc
from aimdvc.errors import CorruptRepository, NotAuthorised, RemoteRefused, UsageError
from aimdvc.sdk import trial_upload
from aimdvc.sdk.trial import Trial
from aimdvc.server.embedded import EmbeddedServer
from tests.shell import git, unmeasured
from tests.unit.sdk.trials import start


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory, and a current directory that is no workspace."""
    made = tmp_path / "data"
    made.mkdir()
    monkeypatch.chdir(made)
    monkeypatch.setenv("AIMDVC_HOME", str(made))
    return made


@pytest.fixture
def server(tmp_path: Path, place: Path) -> Iterator[EmbeddedServer]:
    """A server that the user is logged in to."""
    with EmbeddedServer(tmp_path / "srv") as running:
        aimdvc.login(running.url, running.admin_key)
        yield running


def told(server: EmbeddedServer, trial: Trial) -> dict[str, Any]:
    """Returns what the server tells of a trial."""
    url = f"{server.url}/apis/v1/trials/{trial.id}"
    return dict(requests.get(url, params={"apikey": server.admin_key}, timeout=20).json()["doc"])


def steps(doc: dict[str, Any], kind: str) -> list[int]:
    return [one["sequence"]["step"] for one in doc["metrics"].get(kind, [])]


def sent(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Returns where requests for metrics went since the last look: type and number of the first."""
    found = re.findall(r"POST /apis/v1/trials/[^/]+/metrics/(\S+)", caplog.text)
    caplog.clear()
    return found


def test_a_trial_is_on_the_server_as_it_was_recorded(server: EmbeddedServer) -> None:
    with aimdvc.create_trial(trial_name="run", trial_params={"lr": 0.1, "clip": float("inf")}) as trial:
        trial.log("train", {"loss": float("nan"), "acc": 1}, 1, epoch=1)
        trial.log("val", {"loss": 0.5}, 1)
    answer = trial.upload()
    doc = told(server, trial)
    said = trial.to_dict()
    assert doc["metrics"]["training"][0]["value"] == {"loss": "NaN", "acc": 1}
    assert doc["parameters"] == {"lr": 0.1, "clip": {"$float": "Infinity"}}
    for name in ("kind", "platform", "startTime", "endTime", "status", "_git", "inputArtifacts", "outputArtifacts"):
        assert doc[name] == said[name], name
    assert doc["metrics"]["validation"] == said["metrics"]["validation"]
    assert answer == {**doc, "metrics": {}}
    assert aimdvc.load_trial(trial_name="run").upload() == answer


def test_an_upload_goes_on_with_what_is_new_while_the_trial_runs(
    server: EmbeddedServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")
    monkeypatch.setattr(trial_upload, "_BATCH", 2)
    trial = aimdvc.create_trial(trial_name="run")
    for step in range(5):
        trial.log("train", {"loss": step}, step)
    assert trial.upload()["status"] == "Running"
    assert sent(caplog) == ["training?start=0", "training?start=2", "training?start=4"]
    trial.upload()
    assert sent(caplog) == []
    trial.log("val", {"loss": 1}, 5)
    trial.log("train", {"loss": 5}, 5)
    trial.params.lr = 0.5
    trial.finish()
    trial.upload()
    assert sorted(sent(caplog)) == ["training?start=5", "validation?start=0"]
    doc = told(server, trial)
    assert (doc["status"], doc["parameters"]) == ("Succeeded", {"lr": 0.5})
    assert (steps(doc, "training"), steps(doc, "validation")) == (list(range(6)), [5])


class Cut(Exception):
    """What stops an upload."""


def test_a_failed_upload_is_running_there_and_goes_on_where_it_was(
    server: EmbeddedServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_upload, "_BATCH", 10)
    with aimdvc.create_trial(trial_name="run") as trial:
        for step in range(45):
            trial.log("train", {"loss": step}, step)

    def cut(label: str, done: int, total: int | None, unit: str) -> None:
        if done > 2 * 10 * 100:
            raise Cut

    with pytest.raises(Cut):
        trial.upload(progress=cut)
    doc = told(server, trial)
    assert doc["status"] == "Running" and 0 < len(steps(doc, "training")) < 45
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")
    assert aimdvc.upload_trial(trial.path)["status"] == "Succeeded"
    assert sent(caplog)[0] == f"training?start={len(steps(doc, 'training'))}"
    assert steps(told(server, trial), "training") == list(range(45))


def test_a_killed_trial_is_uploaded_as_failed(server: EmbeddedServer, place: Path) -> None:
    code = "trial = aimdvc.create_trial(trial_name='run')\ntrial.log('train', {'a': 1}, 1)\nos.kill(os.getpid(), 9)"
    with start(place, code) as process:
        process.wait()
    assert aimdvc.upload_trial(trial_name="run")["status"] == "Failed"


def test_a_name_that_is_taken_is_dealt_with_as_was_asked(server: EmbeddedServer) -> None:
    first = aimdvc.create_trial(trial_name="run")
    first.upload()
    with pytest.raises(RemoteRefused, match="a trial 'run' already exists"):
        aimdvc.create_trial(trial_name="run", conflict_strategy="error").upload()
    assert aimdvc.create_trial(trial_name="run").upload(conflict_strategy="skip")["metadata"]["id"] == first.id
    second, third = (aimdvc.create_trial(trial_name="run") for _ in range(2))
    assert [trial.upload()["metadata"]["name"] for trial in (second, third, second)] == ["run-2", "run-3", "run-2"]
    fourth = aimdvc.create_trial(trial_name="run")
    answer = fourth.upload(conflict_strategy="replace")
    assert (answer["metadata"]["name"], answer["metadata"]["id"]) == ("run", fourth.id)
    first.upload()
    assert told(server, first)["metadata"]["name"] == "run-4"
    with pytest.raises(ValueError, match="conflict strategy"):
        first.upload(conflict_strategy="x")


def test_a_trial_goes_to_the_folder_that_was_named_and_none_is_made_unasked(server: EmbeddedServer) -> None:
    trial = aimdvc.create_trial(trial_name="run", folder_path="team/runs")
    with pytest.raises(UsageError, match="no folder 'team/runs'"):
        trial.upload()
    folder = trial.upload(make_folder=True)["metadata"]["folder"]
    other = aimdvc.create_trial(trial_name="other", folder_path="elsewhere").upload(folder_id=folder)
    assert other["metadata"]["folder"] == folder
    assert trial.upload(folder_path="/elsewhere")["metadata"]["folder"] == folder
    assert aimdvc.create_trial().upload()["metadata"]["folder"] != folder
    with pytest.raises(UsageError, match="no folder with the id"):
        aimdvc.create_trial().upload(folder_id="0" * 32)
    with pytest.raises(ValueError, match="UUID"):
        aimdvc.create_trial().upload(folder_id="x")


def test_a_trial_that_was_made_anew_replaces_what_was_uploaded(server: EmbeddedServer) -> None:
    trial, other = aimdvc.create_trial(trial_name="run"), aimdvc.create_trial(trial_name="other")
    for step in range(3):
        trial.log("train", {"loss": step}, step)
        other.log("train", {"loss": step}, step + 10)
    trial.upload()
    trial.parse_from_dict({**other.to_dict(), "metadata": trial.to_dict()["metadata"]})
    trial.upload()
    assert steps(told(server, trial), "training") == [10, 11, 12]


def test_nothing_is_uploaded_without_a_login_or_by_who_records_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotAuthorised, match="no server is known"):
        aimdvc.create_trial().upload()
    monkeypatch.setenv("RANK", "1")
    assert aimdvc.create_trial().upload() == {}


def test_inputs_and_outputs_are_artifacts_of_the_sdk(server: EmbeddedServer, place: Path) -> None:
    (place / "a.txt").write_text("a")
    with aimdvc.create_artifact("digits", "dataset") as data:
        data.add_file(place / "a.txt")
    model = aimdvc.create_artifact("model", "model")
    model.add_file(place / "a.txt")
    with aimdvc.create_trial(trial_name="run") as trial:
        with pytest.raises(RuntimeError, match="not uploaded yet"):
            trial.mark_input(model)
        trial.mark_input(aimdvc.grab_artifact(artifact_ref="default/digits:v1"))
        trial.mark_output(model)
    model.upload()
    trial.upload()
    doc = told(server, trial)
    assert (doc["inputArtifacts"], doc["outputArtifacts"]) == ([data.id], [model.id])
    message = aimdvc.grab_artifact(artifact_id=model.id).versions()[0].message
    lines = message.split("\n\n")[1].splitlines()
    assert [line for line in lines if not line.startswith(("Aimd-Command: ", "Aimd-Code: "))] == [
        f"Aimd-Id: {model.id}",
        f"Aimd-Input: admin/default/digits@{data.commit}",
        f"Aimd-Trial: {trial.id}",
    ]
    url = f"{server.url}/api/v1/lineage/admin/default/model"
    found = requests.get(url, params={"apikey": server.admin_key, "direction": "up"}, timeout=20).json()
    assert "admin/default/digits" in str(found) and trial.id in str(found)


def test_the_commit_of_an_output_says_which_code_and_command_made_it(server: EmbeddedServer, place: Path) -> None:
    code = place / "code"
    code.mkdir()
    (code / "train.py").write_text(
        "import aimdvc\n"
        "with aimdvc.create_trial('runs') as trial, aimdvc.create_artifact('model', 'model') as model:\n"
        "    model.add_file(__file__)\n"
        "    trial.mark_output(model)\n"
    )
    git(code, "init", "-q", "-b", "main")
    git(code, "add", ".")
    git(code, "commit", "-q", "-m", "m")
    for change in ("", "+dirty"):
        (code / "train.py").write_text((code / "train.py").read_text() + ("# more\n" if change else ""))
        command = [sys.executable, "train.py", "--url", "http://me:secret@host/x"]
        done = subprocess.run(command, cwd=code, env=unmeasured(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        message = aimdvc.grab_artifact(artifact_ref="default/model").versions()[0].message
        assert f"Aimd-Code: {git(code, 'rev-parse', 'HEAD').strip()}{change}\n" in message
        assert message.endswith("train.py --url http://host/x\n")


def test_what_can_not_be_uploaded_is_named_and_nothing_of_it_is_lost(server: EmbeddedServer, place: Path) -> None:
    (place / "a.txt").write_text("a")
    with aimdvc.create_artifact("digits", "dataset") as data:
        data.add_file(place / "a.txt")
    trial = aimdvc.create_trial(trial_name="run")
    trial.log("train", {"loss": 1}, 1)
    with pytest.raises(RemoteRefused, match="is an artifact, which holds no trials"):
        trial.upload(folder_id=data.to_dict()["metadata"]["folder"])
    trial.finish()
    journal = trial.path / "trial.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole.replace(b'"value":{', b'"value":'))
    with pytest.raises(CorruptRepository, match="damaged"):
        aimdvc.upload_trial(trial.path)
    journal.write_bytes(whole)
    assert aimdvc.upload_trial(trial.path)["status"] == "Succeeded"
    assert steps(told(server, trial), "training") == [1]


def test_texts_that_no_server_can_hold_are_uploaded_as_escapes(server: EmbeddedServer, place: Path) -> None:
    trial = aimdvc.create_trial(
        trial_name="run", trial_params={"path": os.fsdecode(b"\xff.csv"), "deep": [{"\0": "b"}]}
    )
    assert trial.params.path == "\udcff.csv"
    parameters = trial.upload()["parameters"]
    assert parameters == {"path": "\\udcff.csv", "deep": [{"\\x00": "b"}]}
    for name in ("\0", "\ud800"):
        with pytest.raises(ValueError, match="UTF-8"):
            trial.log("train", {name: 1}, 1)


def test_an_output_of_a_trial_that_was_removed_still_says_which_one(server: EmbeddedServer, place: Path) -> None:
    (place / "a.txt").write_text("a")
    model = aimdvc.create_artifact("model", "model")
    model.add_file(place / "a.txt")
    with aimdvc.create_trial() as trial:
        trial.mark_output(model)
    shutil.rmtree(trial.path)
    model.upload()
    assert f"Aimd-Trial: {trial.id}\n" in aimdvc.grab_artifact(artifact_id=model.id).versions()[0].message
