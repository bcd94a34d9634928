"""Metrics of a trial: the words for their types, their values, and how these are written as JSON.

An element is `{"value": {name: number}, "sequence": {"epoch", "step", "timestamp"}}`. JSON has no NaN and no infinity:
as a metric's value they are written as the texts "NaN", "Infinity" and "-Infinity", which every JSON reader takes, and
which can be nothing else there: a metric's value is never a text. They are read back as the numbers that they were.
"""

import operator
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from math import isfinite
from typing import Any

from aimdvc.model.trials import NAME_LENGTH, STRANGE_NUMBERS

_MOST = 5000
"""Metrics of one call: a server takes 8 MiB in one request."""

_NO_NAME = re.compile("[\0\ud800-\udfff]")
"""What no server can keep: with it in a name no metric after it would ever be uploaded."""

Value = int | float
Element = dict[str, Any]


def read_values(metrics: Mapping[str, Any]) -> dict[str, Value]:
    """Returns metrics as plain numbers: those of NumPy, PyTorch and the like are taken for what they hold.

    Raises TypeError for what is no number, ValueError for a name that is empty or no text, or no metric at all.
    """
    if not isinstance(metrics, Mapping):
        raise TypeError(f"metrics are {type(metrics).__name__}, expected a mapping of names to numbers")
    if not 0 < len(metrics) <= _MOST:
        raise ValueError(f"{len(metrics)} metrics are given at once, expected 1 to {_MOST}")
    found: dict[str, Value] = {}
    for name, value in metrics.items():
        if type(name) is not str or not 0 < len(name) <= NAME_LENGTH or _NO_NAME.search(name):
            raise ValueError(f"metric {name!r}: expected a name of 1 to {NAME_LENGTH} characters of UTF-8")
        kind = type(value)
        found[name] = value if kind is float or kind is int else _number(name, value)
    return found


def _number(name: str, value: Any) -> Value:
    if isinstance(value, (str, bytes)) or value is None:
        raise TypeError(f"metric '{name}' is {value!r}, expected a number")
    item = getattr(value, "item", None)
    try:
        plain = item() if callable(item) else value
        return operator.index(plain) if isinstance(plain, int) or hasattr(plain, "__index__") else float(plain)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        # RuntimeError is what a tensor of several values raises.
        raise TypeError(f"metric '{name}' is {type(value).__name__}, expected one number") from error


def read_place(step: Any, epoch: Any) -> tuple[int, Value | None]:
    """Returns step and epoch as plain numbers; an epoch may be a fraction. Raises TypeError, ValueError."""
    try:
        number = operator.index(step)
    except TypeError as error:
        raise TypeError(f"step is {step!r}, expected a whole number") from error
    if epoch is None or type(epoch) is int:
        return number, epoch
    found = _number("epoch", epoch)
    if not _is_finite(found):
        raise ValueError(f"epoch is {epoch!r}, expected a finite number")
    return number, found


def element(values: Mapping[str, Value], step: int, epoch: Value | None) -> Element:
    """Returns what is recorded of metrics that were measured now."""
    sequence = {"epoch": epoch, "step": step, "timestamp": now()}
    return {"value": values, "sequence": sequence}


def now() -> str:
    """Returns the time as trials keep it: ISO 8601 in UTC, with its zone."""
    return datetime.now(timezone.utc).isoformat()


def plain_values(values: Mapping[str, Value]) -> dict[str, Value | str]:
    """Returns metrics as JSON can hold them."""
    return {name: value if _is_finite(value) else _word(value) for name, value in values.items()}


def parse_values(values: Mapping[str, Any]) -> dict[str, Value]:
    """Returns metrics that JSON held; `parse_values(plain_values(v)) == v`, NaN aside. Raises TypeError, ValueError."""
    return read_values(
        {name: STRANGE_NUMBERS.get(value, value) if type(value) is str else value for name, value in values.items()}
    )


def read_element(said: Mapping[str, Any]) -> Element:
    """Returns an element of a line that we wrote ourselves: looked at no closer. Raises KeyError, TypeError."""
    values = said["value"]
    if any(type(value) is str for value in values.values()):
        values = {name: STRANGE_NUMBERS[value] if type(value) is str else value for name, value in values.items()}
    return {"value": values, "sequence": said["sequence"]}


def parse_element(given: Any) -> Element:
    """Returns an element that JSON held. Raises ValueError."""
    try:
        values, sequence = parse_values(given["value"]), given.get("sequence") or {}
        step, epoch = read_place(sequence.get("step", 0) or 0, sequence.get("epoch"))
        return {"value": values, "sequence": {"epoch": epoch, "step": step, "timestamp": sequence.get("timestamp")}}
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"an element of metrics is malformed: {error}") from error


def _is_finite(value: Value) -> bool:
    return isinstance(value, int) or isfinite(value)


def _word(value: Value) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
