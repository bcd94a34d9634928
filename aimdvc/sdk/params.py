"""The parameters of a trial: a mapping of JSON values that is saved at every change.

Items are read and written as of a dictionary, or as attributes where the name is one. A dictionary inside is a view: a
change of it is saved, too. A list comes as a copy, since nothing tells that it was changed: assign it anew.
"""

import copy
import dataclasses
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from aimdvc.sdk.jsonvalues import parse as parse_json
from aimdvc.sdk.jsonvalues import plain

Values = dict[str, Any]
Save = Callable[[Values, list[str]], None]
"""Takes what is set, by name, and the names that go."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf|nan")
_MOST_BYTES = 4 << 20
"""Of one parameter: a server takes 8 MiB in one request."""
_LITERALS = {"True": True, "False": False, "None": None}


class Params(MutableMapping[str, Any]):
    """A mapping of names to JSON values. `read` gives the values that there are, `save` changes them, durably."""

    __slots__ = ("_read", "_save")
    _read: Callable[[], Values]
    _save: Save

    def __init__(self, read: Callable[[], Values], save: Save) -> None:
        object.__setattr__(self, "_read", read)
        object.__setattr__(self, "_save", save)

    def __getitem__(self, name: str) -> Any:
        value = self._read()[name]
        if isinstance(value, dict):
            return Params(lambda: self._inner(name), lambda new, gone: self._set_inner(name, new, gone))
        return copy.deepcopy(value) if isinstance(value, list) else value

    def _inner(self, name: str) -> Values:
        value = self._read().get(name)
        return value if isinstance(value, dict) else {}

    def _set_inner(self, name: str, new: Values, gone: list[str]) -> None:
        kept = {key: value for key, value in self._inner(name).items() if key not in gone}
        self._save({name: kept | new}, [])

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __delitem__(self, name: str) -> None:
        if name not in self._read():
            raise KeyError(name)
        self._save({}, [name])

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._read()))

    def __len__(self) -> int:
        return len(self._read())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self._read():
            raise AttributeError(f"there is no parameter '{name}'")
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            raise AttributeError(f"'{name}' is a method: write params['{name}'] = …")
        self[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self._read():
            raise AttributeError(f"there is no parameter '{name}'")
        del self[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._read()]

    def __repr__(self) -> str:
        return f"Params({self._read()!r})"

    def clear(self) -> None:
        """Removes all, in one change."""
        self._save({}, list(self._read()))

    def update(self, *given: Any, **named: Any) -> None:
        """Sets what a mapping, pairs or named arguments say, in one change. Raises TypeError for what is no JSON."""
        self._set(dict(*given, **named), is_lenient=False)

    def parse(self, given: Any) -> None:
        """Sets what is found in the arguments of a command line, or in what was parsed from one, in one change.

        Takes an `argparse.Namespace` or any object with attributes, a dataclass, a mapping, and what was typed: a text
        such as `"--lr 0.1 --epochs=10 --verbose"` or `"lr=0.1 size=3"`, or a list such as `sys.argv[1:]`. Of what was
        typed a value that is JSON, or Python's True, False and None, is taken as that, else as a text; an option
        without a value is True, one with several a list; dashes in a name become underscores. What JSON can't hold
        becomes its text.

        Raises ValueError for words that belong to no name, TypeError for what holds no parameters.
        """
        self._set(_found_in(given), is_lenient=True)

    def _set(self, given: Mapping[Any, Any], is_lenient: bool) -> None:
        new = {}
        for name, value in given.items():
            if not isinstance(name, str) or not name:
                raise TypeError(f"parameter {name!r}: expected a name")
            held = value.to_dict() if isinstance(value, Params) else value
            new[str(name)] = plain(held, f"parameter '{name}'", is_lenient)
        if new:
            _check_size(new)
            self._save(new, [])

    def to_dict(self) -> Values:
        """Returns a copy, of plain dictionaries."""
        return copy.deepcopy(self._read())


def _check_size(new: Values) -> None:
    """Raises ValueError for parameters that no server would take: told where they are set, not at the upload."""
    for name, value in new.items():
        # A text that is short, or a number, needs no measuring.
        size = len(json.dumps(value)) if isinstance(value, (dict, list, str)) else 0
        if size > _MOST_BYTES:
            raise ValueError(
                f"parameter '{name}' has {size >> 10} KiB as JSON, expected at most {_MOST_BYTES >> 10} KiB"
            )


def _found_in(given: Any) -> Mapping[Any, Any]:
    if isinstance(given, str):
        return parse_words(shlex.split(given))
    if isinstance(given, Mapping):
        return given
    if isinstance(given, Sequence) and not isinstance(given, (bytes, bytearray)):
        return parse_words([str(word) for word in given])
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        return {field.name: getattr(given, field.name) for field in dataclasses.fields(given)}
    if hasattr(given, "__dict__") and not isinstance(given, type):
        return {name: value for name, value in vars(given).items() if not name.startswith("_")}
    raise TypeError(f"parameters can't be read from {type(given).__name__}")


def parse_words(words: Sequence[str]) -> Values:
    """Returns the parameters in the words of a command line, as `Params.parse` says. Raises ValueError."""
    found: dict[str, list[Any]] = {}
    current: str | None = None
    for word in words:
        name, equals, text = word.partition("=")
        if _is_option(word):
            current = _name(name.lstrip("-"), word)
            found[current] = [_value(text)] if equals else []
            current = None if equals else current
        elif equals and _is_name(name) and not (current is not None and not found[current]):
            current = None
            found[_name(name, word)] = [_value(text)]
        elif current is not None:
            found[current].append(_value(word))
        else:
            raise ValueError(f"'{word}' belongs to no parameter: expected --name VALUE or name=VALUE")
    return {name: True if not values else values[0] if len(values) == 1 else values for name, values in found.items()}


def _is_option(word: str) -> bool:
    if not word.startswith("-") or word.strip("-") == "":
        return False
    return word.startswith("--") or not _is_number(word)


def _is_number(word: str) -> bool:
    return _NUMBER.fullmatch(word) is not None


def _is_name(text: str) -> bool:
    return all(part.replace("-", "_").isidentifier() for part in text.split("."))


def _name(text: str, word: str) -> str:
    if not text:
        raise ValueError(f"'{word}' has no name")
    return text.replace("-", "_")


def _value(text: str) -> Any:
    if text in _LITERALS:
        return _LITERALS[text]
    try:
        return parse_json(text)
    except (ValueError, RecursionError):
        # .5 and 1e-3 are JSON or not, to whoever types them they are numbers alike.
        return float(text) if _is_number(text) else text
