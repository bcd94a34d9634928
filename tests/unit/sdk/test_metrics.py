"""Metrics: the words for their types, their numbers, and the numbers that JSON lacks."""

import json
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimdvc.model.trials import canonical_type
from aimdvc.sdk.metrics import (
    element,
    parse_element,
    parse_values,
    plain_values,
    read_place,
    read_values,
)
from aimdvc.sdk.records import metrics_line

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("train", "training", "Train"), "training"),
        (("val", "validate", "validation"), "validation"),
        (("test", "testing", "eval", "evaluate", "evaluation"), "testing"),
        (("gpu",), "gpu"),
        (("GPU-0",), "GPU-0"),
    ],
)
def test_synonyms_of_a_type_have_one_name(words: tuple[str, ...], name: str) -> None:
    assert {canonical_type(word) for word in words} == {name}


@pytest.mark.parametrize("word", ["", "a b", "a/b", "..", "a\n", "x" * 101, "a\\b", 3])
def test_what_is_no_word_is_no_type(word: Any) -> None:
    with pytest.raises(ValueError, match="metrics type"):
        canonical_type(word)


class Tensor:
    """As PyTorch's of one value, or of several."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def item(self) -> float:
        if len(self.values) != 1:
            raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")
        return self.values[0]


def test_numbers_of_any_kind_are_taken_for_what_they_hold() -> None:
    found = read_values({"a": 1, "b": 0.5, "c": True, "d": Decimal("0.25"), "e": Tensor(3.5), "f": 2**70})
    assert found == {"a": 1, "b": 0.5, "c": 1, "d": 0.25, "e": 3.5, "f": 2**70}
    assert {type(value) for value in found.values()} == {int, float}


@pytest.mark.parametrize("value", ["0.5", None, [1], Tensor(1, 2), {}, 1j, object()])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="metric 'a'"):
        read_values({"a": value})


@pytest.mark.parametrize("wrong", [{}, {"": 1}, {1: 1}, {"x" * 201: 1}])
def test_metrics_without_names_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="metric"):
        read_values(wrong)
    with pytest.raises(TypeError):
        read_values([1])  # type: ignore[arg-type]


def test_a_step_is_a_whole_number_and_an_epoch_may_be_a_fraction() -> None:
    assert read_place(3, None) == (3, None)
    assert read_place(True, 1.5) == (1, 1.5)
    for step, epoch in ((1.5, None), ("1", None), (1, "2")):
        with pytest.raises(TypeError):
            read_place(step, epoch)
    with pytest.raises(ValueError, match="finite"):
        read_place(1, float("nan"))


@given(st.dictionaries(NAMES, st.floats() | st.integers(), min_size=1, max_size=4))
def test_nan_and_infinities_come_back_and_strict_readers_take_the_line(values: dict[str, float]) -> None:
    line = metrics_line("training", element(values, 1, None))

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    said = json.loads(line, parse_constant=refuse)
    found = parse_element(said)["value"]
    assert found.keys() == values.keys()
    assert all(found[name] == values[name] or (math.isnan(values[name]) and math.isnan(found[name])) for name in values)
    assert line.count(b"\n") == 1


def test_a_text_that_stands_for_no_number_is_no_value() -> None:
    assert plain_values({"a": float("-inf"), "b": 10**400}) == {"a": "-Infinity", "b": 10**400}
    with pytest.raises(TypeError):
        parse_values({"a": "inf"})
    wrongs: list[Any] = [{}, {"value": 1}, {"value": {"a": "x"}}, [], None]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="malformed"):
            parse_element(wrong)
