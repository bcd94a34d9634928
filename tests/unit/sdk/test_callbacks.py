"""The callbacks without their frameworks: what they record of what they are told; trainings are in tests/compat."""

import importlib.util
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import aimdvc
from aimdvc.sdk.callbacks import KerasHooks, LightningHooks
from aimdvc.sdk.trial import Trial
from tests.shell import unmeasured


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMDVC_HOME", str(tmp_path / "data"))


def seen(trial: Trial) -> dict[str, list[dict[str, float]]]:
    return {kind: [one["value"] for one in found] for kind, found in trial.metrics.items()}


def test_no_framework_is_loaded_before_its_callback_is_used() -> None:
    code = "import sys, aimdvc.callbacks; assert not {'keras', 'torch', 'lightning', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=unmeasured())


@pytest.mark.parametrize(("name", "package"), [("KerasCallback", "keras"), ("LightningCallback", "lightning")])
def test_a_framework_that_is_not_installed_is_named(name: str, package: str) -> None:
    if importlib.util.find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    callbacks: Any = importlib.import_module("aimdvc.callbacks")
    with pytest.raises(ImportError, match=f"{name} needs {package}, which is not installed"):
        getattr(callbacks, name)
    with pytest.raises(AttributeError, match="no attribute 'x'"):
        callbacks.x  # noqa: B018


def test_keras_metrics_are_told_apart_by_their_names_and_where_they_come_from() -> None:
    trial = aimdvc.create_trial()
    hooks = KerasHooks(trial, every_batches=2)
    hooks.on_train_begin()
    hooks.on_epoch_begin(0)
    for batch in range(3):
        hooks.on_train_batch_end(batch, {"loss": batch})
    hooks.on_test_end({"loss": 9})
    hooks.on_epoch_end(0, {"loss": 2, "val_loss": 3, "note": "no number"})
    hooks.on_train_end()
    hooks.on_test_end({"loss": 4})
    assert seen(trial) == {
        "training": [{"loss": 1}, {"loss": 2}],
        "validation": [{"loss": 3}],
        "testing": [{"loss": 4}],
    }
    assert [one["sequence"]["step"] for one in trial.metrics["training"]] == [2, 3]


@dataclass
class Fitting:
    """As much of a trainer as is looked at."""

    callback_metrics: dict[str, Any] = field(default_factory=dict)
    global_step: int = 4
    current_epoch: int = 1
    sanity_checking: bool = False
    is_global_zero: bool = True


@dataclass
class Module:
    hparams: dict[str, Any]


def test_lightning_metrics_are_told_apart_by_their_names_and_by_when_they_come() -> None:
    trial = aimdvc.create_trial(trial_params={"lr": 1})
    hooks, trainer = LightningHooks(trial, every_n_steps=4), Fitting()
    hooks.on_fit_start(trainer, Module({"lr": 2, "hidden": 3}))
    assert dict(trial.params) == {"lr": 1, "hidden": 3}
    trainer.callback_metrics = {"train_loss": 1, "grad": 2, "odd": [1, 2]}
    hooks.on_train_batch_end(trainer, None, None, None, 0)
    hooks.on_validation_start(trainer, None)
    trainer.callback_metrics |= {"val/loss": 3, "score": 4}
    hooks.on_validation_end(trainer, None)
    hooks.on_train_epoch_end(trainer, None)
    hooks.on_validation_start(trainer, None)
    trainer.callback_metrics |= {"val/loss": 5}
    hooks.on_validation_end(trainer, None)
    trainer.sanity_checking = True
    hooks.on_validation_end(trainer, None)
    trainer.callback_metrics = {"test_acc": 6}
    hooks.on_test_end(trainer, None)
    trainer.is_global_zero = False
    hooks.on_test_end(trainer, None)
    assert seen(trial) == {
        "training": [{"loss": 1, "grad": 2}] * 2,
        "validation": [{"loss": 3, "score": 4}, {"loss": 5, "score": 4}],
        "testing": [{"acc": 6}],
    }
