"""Trainings by Keras, Lightning and PyTorch themselves, recorded in a trial: `pip install aimdvc[frameworks]`."""

import importlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import aimdvc
from aimdvc.callbacks import __getattr__ as class_of
from aimdvc.sdk.trial import Trial
from tests.shell import unmeasured

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(280)]
_WHY = "install the extra `frameworks`"
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "pytorch_trial.py"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "data"
    monkeypatch.setenv("AIMDVC_HOME", str(made))
    # Keras runs on what is installed beside it.
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.chdir(tmp_path)
    return made


def callback(name: str, *arguments: Any) -> Any:
    """Returns a callback of the public module, whose class is made when it is asked for."""
    made: Any = class_of(name)
    return made(*arguments)


def seen(trial: Trial, kind: str) -> list[tuple[int, int | None, set[str]]]:
    """Returns (step, epoch, names) of what was recorded."""
    return [
        (one["sequence"]["step"], one["sequence"]["epoch"], set(one["value"])) for one in trial.metrics.get(kind, [])
    ]


def test_keras_records_fit_and_evaluate() -> None:
    pytest.importorskip("torch", reason=_WHY)
    keras: Any = pytest.importorskip("keras", reason=_WHY)
    numpy: Any = importlib.import_module("numpy")
    points = numpy.random.default_rng(0).normal(size=(64, 2))
    labels = (points.sum(1) > 0).astype("float32")
    model = keras.Sequential([keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    names = {"loss", "accuracy"}
    with aimdvc.create_trial(trial_name="keras") as trial:
        recorder = callback("KerasCallback", trial)
        options = {"batch_size": 16, "verbose": 0, "callbacks": [recorder]}
        model.fit(points, labels, epochs=2, validation_split=0.5, **options)
        assert (seen(trial, "training"), seen(trial, "validation")) == ([(2, 0, names), (4, 1, names)],) * 2
        assert seen(trial, "testing") == []
        model.evaluate(points, labels, **options)
        assert seen(trial, "testing") == [(4, 1, names)]
        model.fit(points, labels, epochs=1, batch_size=16, verbose=0, callbacks=[callback("KerasCallback", trial, 2)])
        assert [step for step, *_ in seen(trial, "training")] == [2, 4, 2, 4, 4]
    assert isinstance(recorder, keras.callbacks.Callback)
    assert trial.to_dict()["platform"]["framework"]["name"] == "pytorch"


def lightning_module() -> Any:
    torch: Any = importlib.import_module("torch")
    lightning: Any = importlib.import_module("lightning")

    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self, lr: float = 0.1, hidden: int = 4) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.net = torch.nn.Sequential(torch.nn.Linear(2, hidden), torch.nn.Linear(hidden, 1))

        def loss(self, batch: Any) -> Any:
            (points,) = batch
            return (self.net(points)[:, 0] - points.sum(1)).square().mean()

        def training_step(self, batch: Any, number: int) -> Any:
            loss = self.loss(batch)
            self.log("train_loss", loss)
            self.log("grad", 1.0)
            return loss

        def validation_step(self, batch: Any, number: int) -> None:
            self.log("val_loss", self.loss(batch))
            self.log("score", 0.5)

        def test_step(self, batch: Any, number: int) -> None:
            self.log("test_loss", self.loss(batch))

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)

    return Module()


def test_lightning_records_fit_validate_and_test(tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch", reason=_WHY)
    lightning: Any = pytest.importorskip("lightning", reason=_WHY)
    data_of = torch.utils.data
    loader = data_of.DataLoader(data_of.TensorDataset(torch.randn(32, 2)), batch_size=8)
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "accelerator": "cpu",
        "default_root_dir": tmp_path,
    }
    with aimdvc.create_trial(trial_name="lightning", trial_params={"lr": 5}) as trial:
        recorder = callback("LightningCallback", trial)
        module = lightning_module()
        trainer = lightning.Trainer(max_epochs=2, callbacks=[recorder], **quiet)
        trainer.fit(module, loader, loader)
        assert seen(trial, "training") == [(4, 0, {"loss", "grad"}), (8, 1, {"loss", "grad"})]
        assert seen(trial, "validation") == [(4, 0, {"loss", "score"}), (8, 1, {"loss", "score"})]
        trainer.test(module, loader, verbose=False)
        assert [names for *_, names in seen(trial, "testing")] == [{"loss"}]
        trainer.validate(module, loader, verbose=False)
        assert [names for *_, names in seen(trial, "validation")][2:] == [{"loss", "score"}]
        often = lightning.Trainer(max_epochs=1, callbacks=[callback("LightningCallback", trial, 2)], **quiet)
        often.fit(lightning_module(), loader, loader)
        assert [step for step, *_ in seen(trial, "training")] == [4, 8, 2, 4, 4]
    assert dict(trial.params) == {"lr": 5, "hidden": 4}
    assert isinstance(recorder, lightning.Callback)
    copy = pickle.loads(pickle.dumps(callback("LightningCallback", trial)))
    assert (type(copy), copy.trial.is_recording) == (type(recorder), False)


def test_the_example_with_plain_pytorch_runs_as_it_stands(data: Path) -> None:
    pytest.importorskip("torch", reason=_WHY)
    environment = {**unmeasured(), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--epochs", "3"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("circle: Succeeded, accuracy ")
    trial = aimdvc.load_trial(trial_name="circle")
    assert len(trial.metrics["training"]) == 30
    assert dict(trial.params) == {"epochs": 3, "lr": 0.05, "upload": False}


SPAWNED = """
import sys, torch, aimdvc
def work(rank, place):
    torch.distributed.init_process_group("gloo", init_method=f"file://{place}", rank=rank, world_size=2)
    with aimdvc.create_trial(trial_name="together") as trial:
        trial.log("train", {"rank": rank}, 1)
    torch.distributed.destroy_process_group()
if __name__ == "__main__":
    torch.multiprocessing.spawn(work, (sys.argv[1],), nprocs=2)
"""


def test_of_processes_that_train_together_the_first_one_records(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason=_WHY)
    (tmp_path / "spawned.py").write_text(SPAWNED)
    environment = {**unmeasured(), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    together = ["-m", "torch.distributed.run", "--nproc-per-node", "2", str(EXAMPLE), "--epochs", "1"]
    for command in (together, [str(tmp_path / "spawned.py"), str(tmp_path / "meeting")]):
        done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert len([path for path in (data / "trials").iterdir() if (path / "trial.jsonl").exists()]) == 2
    assert aimdvc.load_trial(trial_name="circle").status == "Succeeded"
    assert aimdvc.load_trial(trial_name="together").metrics["training"][0]["value"] == {"rank": 0}
