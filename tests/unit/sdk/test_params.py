"""Parameters: what is taken, what is refused, and that each change is saved."""

import argparse
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimdvc.sdk import jsonvalues
from aimdvc.sdk.params import Params, parse_words

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


class Saved:
    """Parameters, with every change that was saved."""

    def __init__(self, **values: Any) -> None:
        self.values = values
        self.changes: list[tuple[dict[str, Any], list[str]]] = []
        self.params = Params(lambda: self.values, self.save)

    def save(self, new: dict[str, Any], gone: list[str]) -> None:
        self.changes.append((new, gone))
        self.values = {name: value for name, value in self.values.items() if name not in gone} | new


def test_items_and_attributes_are_the_same_and_each_change_is_saved() -> None:
    saved = Saved()
    saved.params["lr"] = 0.1
    saved.params.epochs = 3
    saved.params.update({"a": 1, "b": 2}, c=3)
    del saved.params.a
    del saved.params["b"]
    assert (saved.params.lr, saved.params["epochs"], dict(saved.params)) == (0.1, 3, {"lr": 0.1, "epochs": 3, "c": 3})
    changes = [({"lr": 0.1}, []), ({"epochs": 3}, []), ({"a": 1, "b": 2, "c": 3}, []), ({}, ["a"]), ({}, ["b"])]
    assert saved.changes == changes
    saved.params.clear()
    assert not saved.params
    with pytest.raises(AttributeError, match="no parameter 'lr'"):
        _ = saved.params.lr
    with pytest.raises(AttributeError):
        del saved.params.lr
    with pytest.raises(KeyError):
        del saved.params["lr"]


def test_a_change_deep_inside_is_saved_too() -> None:
    saved = Saved()
    saved.params.model = {"head": {"size": 1, "kind": "x"}, "tail": 2}
    saved.params.model.head.size = 5
    del saved.params["model"]["head"]["kind"]
    assert saved.values == {"model": {"head": {"size": 5}, "tail": 2}}
    assert saved.params.model == {"head": {"size": 5}, "tail": 2}
    assert saved.changes[-1] == ({"model": {"head": {"size": 5}, "tail": 2}}, [])
    saved.params.copy_of = saved.params.model
    assert saved.values["copy_of"] == saved.values["model"]
    assert saved.params.to_dict() == saved.values


def test_what_was_given_and_what_is_read_is_not_shared() -> None:
    saved = Saved()
    sizes = [1, 2]
    saved.params.sizes = sizes
    sizes.append(3)
    saved.params.sizes.append(4)
    assert saved.params.sizes == [1, 2]


def test_a_name_of_a_method_is_taken_as_an_item_only() -> None:
    saved = Saved()
    saved.params["update"] = 1
    assert saved.params["update"] == 1
    with pytest.raises(AttributeError, match="'update' is a method"):
        saved.params.__setattr__("update", 2)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", {"a": [object()]}, {(1, 2): 3}])
def test_what_json_cannot_hold_is_refused_and_nothing_is_saved(value: object) -> None:
    saved = Saved()
    with pytest.raises(TypeError):
        saved.params.update(good=1, bad=value)
    assert not saved.changes
    with pytest.raises(TypeError):
        saved.params.update({1: 2})
    nested: list[Any] = []
    nested.append(nested)
    with pytest.raises(ValueError, match="deeper"):
        saved.params["round"] = nested


class Kind(enum.Enum):
    FAST = "fast"


class Scalar:
    """As NumPy's and PyTorch's: `tolist` gives what it holds."""

    def tolist(self) -> list[float]:
        return [1.5, 2.5]


def test_values_of_other_kinds_become_what_they_stand_for() -> None:
    saved = Saved()
    saved.params.update(path=Path("a/b"), kind=Kind.FAST, pair=(1, 2), array=Scalar(), names={1: "cat"})
    assert saved.values == {
        "path": "a/b",
        "kind": "fast",
        "pair": [1, 2],
        "array": [1.5, 2.5],
        "names": {"1": "cat"},
    }


@dataclass
class Settings:
    lr: float
    tags: tuple[str, ...]


def test_parse_takes_namespaces_objects_mappings_and_what_was_typed() -> None:
    saved = Saved()
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float)
    parser.add_argument("--out", type=Path)
    saved.params.parse(parser.parse_args(["--lr", "0.5", "--out", "x/y"]))
    assert saved.values == {"lr": 0.5, "out": "x/y"}
    saved.params.parse(argparse.Namespace(strange=print))
    assert isinstance(saved.values["strange"], str)
    saved.params.parse(Settings(0.25, ("a", "b")))
    assert saved.values["tags"] == ["a", "b"]
    saved.params.parse({"lr": 1})
    saved.params.parse("--name 'two words'")
    saved.params.parse(["--n", "3"])
    assert (saved.values["lr"], saved.values["name"], saved.values["n"]) == (1, "two words", 3)
    for wrong in (5, Settings, b"--x"):
        with pytest.raises(TypeError):
            saved.params.parse(wrong)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("--lr 0.1 --epochs=10 --verbose", {"lr": 0.1, "epochs": 10, "verbose": True}),
        ("lr=1e-3 model.depth=4 name=a=b", {"lr": 0.001, "model.depth": 4, "name": "a=b"}),
        ("--weight-decay .5 -n -3 --clip inf", {"weight_decay": 0.5, "n": -3, "clip": float("inf")}),
        ("--sizes 1 2 3 size=4 --filter a=b", {"sizes": [1, 2, 3], "size": 4, "filter": "a=b"}),
        ("--flag True --none None --yes true --empty=", {"flag": True, "none": None, "yes": True, "empty": ""}),
        ('--dims "[1, 2]" --opt \'{"a": 1}\' --version 1.2.3 --id 1_000', None),
        ("", {}),
    ],
)
def test_what_was_typed_is_read_as_it_was_meant(typed: str, found: dict[str, Any] | None) -> None:
    saved = Saved()
    saved.params.parse(typed)
    expected = {"dims": [1, 2], "opt": {"a": 1}, "version": "1.2.3", "id": "1_000"} if found is None else found
    assert saved.values == expected


@pytest.mark.parametrize("words", [["train.py"], ["--"], ["-"], ["--=3"], ["=3"]])
def test_words_without_a_name_are_refused(words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"name|parameter"):
        parse_words(words)


@given(JSON)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert jsonvalues.plain(value, "x") == value
    assert jsonvalues.parse(jsonvalues.dump(value)) == value


def test_floats_that_json_has_not_come_back_too_and_strict_readers_take_them() -> None:
    value = {"a": [float("inf"), float("-inf")], "b": "NaN"}
    text = jsonvalues.dump(value)
    assert jsonvalues.parse(text) == value
    assert "Infinity" not in text.replace('"Infinity"', "").replace('"-Infinity"', "")
    assert str(jsonvalues.parse(jsonvalues.dump(float("nan")))) == "nan"
    with pytest.raises(ValueError, match="NaN is not JSON"):
        jsonvalues.parse("NaN")


def test_what_no_server_would_take_is_refused_where_it_is_set() -> None:
    saved = Saved()
    with pytest.raises(ValueError, match=r"parameter 'big' has 5120 KiB as JSON, expected at most 4096 KiB"):
        saved.params["big"] = "x" * (5 << 20)
    assert not saved.changes
    saved.params["fits"] = "x" * (3 << 20)
    assert len(saved.changes) == 1
