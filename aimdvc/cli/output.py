"""What commands print: lines for people, one JSON object for programs. The only place that writes to stdout."""

import dataclasses
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import TextIO

from aimdvc.errors import AimdvcError
from aimdvc.model.commits import Signature

# C0, C1, line separators, what turns the direction of writing, and surrogates that stand for no byte.
_STEERING = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udc7f\udd00-\udfff]")

_C_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
}


class Output:
    """The output of one command."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def result(self, value: Mapping[str, object], lines: Iterable[str], fields: Iterable[str] | None = None) -> None:
        """Prints a result: the mapping as JSON, the fields of `-z` as they are, or the lines."""
        if self.as_json:
            sys.stdout.write(json.dumps(plain(value), ensure_ascii=True) + "\n")
            return
        if fields is not None:
            self.fields(fields)
            return
        for line in lines:
            self.line(line)

    def fields(self, fields: Iterable[str]) -> None:
        """Prints what `-z` asks for: each field byte for byte as it is, and a NUL after it."""
        for text in fields:
            sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape") + b"\0")

    def line(self, text: str = "") -> None:
        """Prints one line, with what could steer the terminal escaped; bytes that are no UTF-8 come out as they are."""
        sys.stdout.buffer.write(shown_text(text).encode("utf-8", "surrogateescape") + b"\n")

    def raw(self, content: bytes) -> None:
        """Writes bytes as they are."""
        sys.stdout.buffer.write(content)

    def note(self, text: str) -> None:
        """Prints a remark to stderr."""
        sys.stderr.write(f"note: {shown_path(text)}\n")


def say_error(message: str, hint: str) -> None:
    """Prints an error to stderr: one line, what was wrong, and after a semicolon what to run next."""
    line = f"aimdvc: {message}" + (f"; {hint}" if hint else "")
    clean = "".join(char if char.isprintable() else " " for char in line)
    try:
        sys.stderr.write(clean.encode("utf-8", "backslashreplace").decode() + "\n")
        sys.stderr.flush()
    except OSError:
        drop(sys.stderr)  # Where nothing can be said, the exit code still tells.


def drop(stream: TextIO) -> None:
    """Throws away what a stream still holds: nobody takes it, and Python would complain when it flushes at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def kind_of(error: AimdvcError) -> str:
    """Returns the name of an error as `--json` and docs/errors.md have it: its class's, in kebab-case."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()


def described(error: AimdvcError) -> dict[str, object]:
    """Returns an error as an object of `--json`."""
    return {"error": kind_of(error), "message": error.message, "hint": error.hint, "exit_code": error.exit_code}


def plain(value: object) -> object:
    """Returns a value as JSON knows it: dataclasses and named tuples as objects."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    return value


def shown_text(text: str) -> str:
    """Returns a line of anyone's words, fit for a terminal; tabs and the `\\r` of a line's end stay."""
    body = text.removesuffix("\r")
    return _STEERING.sub(_escaped, body) + text[len(body) :]


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return {"\n": "\\n", "\r": "\\r"}.get(char) or (f"\\x{ord(char):02x}" if char < "\u0100" else f"\\u{ord(char):04x}")


def shown_path(path: str) -> str:
    """Returns a path fit for a line, on a terminal as in a pipe: as Git quotes it with `core.quotePath=false`.

    In quotes, and escaped as in C, when it holds what is no printable UTF-8, a quote or a backslash; bytes in octal.
    """
    if path.isprintable() and '"' not in path and "\\" not in path:
        return path
    return '"' + "".join(map(_quoted, path)) + '"'


def _quoted(char: str) -> str:
    if char in _C_ESCAPES:
        return _C_ESCAPES[char]
    return char if char.isprintable() else "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape"))


def plural(count: int, word: str) -> str:
    """Returns `1 file`, `2 files`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def date_text(who: Signature) -> str:
    """Returns when somebody signed, in the time of the place."""
    sign, offset = ("-" if who.zone_s < 0 else "+"), abs(who.zone_s) // 60
    local = time.gmtime(who.time_s + who.zone_s)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', local)} {sign}{offset // 60:02}{offset % 60:02}"
