"""What a server answers in JSON, with its values taken as what they have to be.

An answer that lacks something, or has another kind of value there, is a ProtocolError that names the URL: whatever a
server says, the SDK fails in words that tell whose fault it is.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aimdvc.errors import ProtocolError, UnsafePath
from aimdvc.model.paths import check_entry_path


@dataclass(frozen=True, slots=True)
class Answer:
    """An object of an answer. All methods raise ProtocolError."""

    url: str
    values: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Returns a text."""
        value = self.values.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return value

    def optional_text(self, name: str) -> str | None:
        """Returns a text, None where there is none."""
        return None if self.values.get(name) is None else self.text(name)

    def number(self, name: str) -> float:
        """Returns a number."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(name, "a number")
        return value

    def id(self, name: str) -> str:
        """Returns an id, with dashes."""
        try:
            return str(uuid.UUID(self.text(name)))
        except ValueError:
            raise self._wrong(name, "an id") from None

    def path(self, name: str) -> str:
        """Returns a path on the server, which leads nowhere else."""
        try:
            return check_entry_path(self.text(name))
        except UnsafePath:
            raise self._wrong(name, "a path") from None

    def object(self, name: str) -> "Answer":
        """Returns an object inside of it."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return Answer(self.url, value)

    def objects(self, name: str) -> "list[Answer]":
        """Returns the objects of a list inside of it."""
        value = self.values.get(name)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self._wrong(name, "a list of objects")
        return [Answer(self.url, one) for one in value]

    def _wrong(self, name: str, expected: str) -> ProtocolError:
        return ProtocolError(self.url, f"'{name}' is not {expected}")
