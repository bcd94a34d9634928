"""Callbacks by which Keras and Lightning record their metrics in a trial.

Neither framework is loaded before its callback is asked for: the class is made then, of what is written here and the
framework's own base class. They only record: the trial is made before the training and finished after it, best by
`with`, so that a training that fails makes a trial that has failed.
"""

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from aimdvc.model.trials import TESTING, TRAINING, VALIDATION
from aimdvc.sdk.trial import Trial

HOME = "aimdvc.callbacks"
"""The module under whose name the classes are found, by pickle too."""

_PREFIXES = {
    VALIDATION: ("val_", "val/", "valid_", "valid/", "validation_", "validation/"),
    TESTING: ("test_", "test/", "eval_", "eval/"),
    TRAINING: ("train_", "train/", "training_", "training/"),
}


class KerasHooks:
    """What the callback for Keras does, in `fit` and in `evaluate`.

    Metrics of an epoch go to training, those that begin with `val_` to validation, without that; those of `evaluate`
    outside of `fit` to testing. Steps are batches, counted on from one `fit` to the next. `every_batches` also records
    each so many batches.
    """

    def __init__(self, trial: Trial, every_batches: int | None = None) -> None:
        super().__init__()
        self.trial = trial
        self.every_batches = every_batches
        self._step = 0
        self._epoch: int | None = None
        self._is_fitting = False

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Notes that `fit` runs: an evaluation is its validation."""
        self._is_fitting = True

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Notes that `fit` has ended."""
        self._is_fitting = False

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Counts, and records every so many batches."""
        self._step += 1
        if self.every_batches is not None and self._step % self.every_batches == 0:
            _log(self.trial, logs or {}, TRAINING, self._step, self._epoch)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Records an epoch."""
        given = logs or {}
        validated = {name: value for name, value in given.items() if name.startswith("val_")}
        trained = {name: value for name, value in given.items() if name not in validated}
        _log(self.trial, trained, TRAINING, self._step, epoch)
        _log(self.trial, validated, VALIDATION, self._step, epoch)

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Records an evaluation by itself."""
        if not self._is_fitting:
            _log(self.trial, logs or {}, TESTING, self._step, self._epoch)


class LightningHooks:
    """What the callback for Lightning does: it records what the module logs, at the end of each epoch and stage.

    Names go to training, validation or testing by how they begin (`val_loss`, `val/loss`), which is taken off, else by
    the stage in which they were logged. The module's hyperparameters become parameters of the trial, where it has none
    of their names. `every_n_steps` also records training metrics each so many steps.
    """

    def __init__(self, trial: Trial, every_n_steps: int | None = None) -> None:
        super().__init__()
        self.trial = trial
        self.every_n_steps = every_n_steps
        self._before: dict[str, float] = {}
        self._validated: set[str] = set()

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Takes over the hyperparameters."""
        known = dict(getattr(pl_module, "hparams", None) or {})
        new = {name: value for name, value in known.items() if name not in self.trial.params}
        if new and trainer.is_global_zero:
            self.trial.params.parse(new)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Records every so many steps."""
        if self.every_n_steps is not None and trainer.global_step % self.every_n_steps == 0:
            self._record(trainer, self._trained(trainer), TRAINING)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Records what was logged in training."""
        self._record(trainer, self._trained(trainer), TRAINING)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Notes what there is, to tell what the validation logs."""
        self._before = _numbers(trainer.callback_metrics)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Records what was logged in validation."""
        if trainer.sanity_checking:
            return
        found = _numbers(trainer.callback_metrics)
        changed = {name for name, value in found.items() if self._before.get(name) != value}
        self._validated |= {name for name in changed if _kind(name) in (None, VALIDATION)}
        self._record(
            trainer,
            {name: value for name, value in found.items() if name in self._validated or _kind(name) == VALIDATION},
            VALIDATION,
        )

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Records what was logged in the test."""
        self._record(trainer, _numbers(trainer.callback_metrics), TESTING)

    def _trained(self, trainer: Any) -> dict[str, float]:
        found = _numbers(trainer.callback_metrics)
        return {
            name: value
            for name, value in found.items()
            if name not in self._validated and _kind(name) in (None, TRAINING)
        }

    def _record(self, trainer: Any, metrics: Mapping[str, float], kind: str) -> None:
        # All of them compute the metrics, which takes all; one records.
        if trainer.is_global_zero:
            _log(self.trial, metrics, kind, trainer.global_step, trainer.current_epoch)


@cache
def keras_callback() -> type:
    """Returns the class of the callback for Keras. Raises ImportError where Keras is not installed."""
    return _made("KerasCallback", KerasHooks, ("keras.callbacks", "tensorflow.keras.callbacks"), "keras")


@cache
def lightning_callback() -> type:
    """Returns the class of the callback for Lightning. Raises ImportError where Lightning is not installed."""
    places = ("lightning.pytorch.callbacks", "pytorch_lightning.callbacks")
    return _made("LightningCallback", LightningHooks, places, "lightning")


def _made(name: str, hooks: type, places: tuple[str, ...], package: str) -> type:
    for place in places:
        try:
            base = importlib.import_module(place).Callback
        except ModuleNotFoundError as error:
            # One that is there, but lacks what it needs itself, says so.
            if error.name is None or not place.startswith(error.name):
                raise
            continue
        return type(name, (hooks, base), {"__module__": HOME, "__qualname__": name, "__doc__": hooks.__doc__})
    raise ImportError(f"{name} needs {package}, which is not installed: `pip install {package}`")


def _log(trial: Trial, metrics: Mapping[str, Any], kind: str, step: int, epoch: int | None) -> None:
    """Records what are numbers among metrics, without what their names begin with."""
    named = {_without_prefix(name, kind): value for name, value in _numbers(metrics).items()}
    if named:
        trial.log(kind, named, step, epoch)


def _without_prefix(name: str, kind: str) -> str:
    prefix = next((prefix for prefix in _PREFIXES[kind] if name.startswith(prefix)), "")
    return name[len(prefix) :] or name


def _kind(name: str) -> str | None:
    """Returns the type of metrics that a name tells by how it begins, None where it doesn't."""
    return next((kind for kind, prefixes in _PREFIXES.items() if name.startswith(prefixes)), None)


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Returns the metrics that are one number each; frameworks have others beside them."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        try:
            found[name] = float(value)
        except (TypeError, ValueError, RuntimeError):
            continue
    return found
