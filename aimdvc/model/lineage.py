"""Lineage: what made a version, as the trailers of its commit say (docs/design.md, section 3), read and written.

    Aimd-Input: alice/data/mnist@<commit>      once for each version that was read; the commit is what counts
    Aimd-Code: <commit>[+dirty]                which code, and whether tracked files of it were changed
    Aimd-Trial: <uuid>
    Aimd-Command: python train.py --lr 0.1

Anyone may write a commit: what is no lineage is passed over, and what is kept is bounded, each value one line.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from aimdvc.model.oid import GitId, is_git_id

INPUT, CODE, TRIAL, COMMAND = "Aimd-Input", "Aimd-Code", "Aimd-Trial", "Aimd-Command"

MOST_INPUTS = 256
"""So many inputs of one version count."""

_NAME = 4096
_COMMAND = 4000
_CODE = re.compile(r"[0-9a-f]{40}(?:\+dirty)?")
_SECRETS = (
    (re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s]*@"), r"\1"),
    (re.compile(r"((?:apikey|AIMDVC_API_KEY)=)[^&\s\"';]+"), r"\1…"),
)
"""The user of a URL, and the keys of an AIMD server, which no command's record holds."""

_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", "'": "\\'"}


class Input(NamedTuple):
    """A version that was read: by the artifact's path on its server, or its name; the commit says which one."""

    name: str
    commit: GitId

    @property
    def text(self) -> str:
        """What its trailer holds."""
        return f"{self.name}@{self.commit}"


@dataclass(frozen=True, slots=True)
class Making:
    """What made a version, as far as its commit says. `code` is a commit, with `+dirty` where files were changed.

    `trial` is a UUID with dashes, `command` a command line as a shell takes it.
    """

    inputs: tuple[Input, ...] = ()
    code: str | None = None
    trial: str | None = None
    command: str | None = None

    @property
    def says_something(self) -> bool:
        """Whether anything is known."""
        return bool(self.inputs or self.code or self.trial or self.command)


def trailers_of(making: Making) -> tuple[tuple[str, str], ...]:
    """Returns the trailers that say it, in their order, each value one line."""
    pairs = [(INPUT, one.text) for one in making.inputs]
    others = ((CODE, making.code), (TRIAL, making.trial), (COMMAND, making.command))
    # A name may come from settings that anyone has written.
    return tuple((key, one_line(value)) for key, value in [*pairs, *others] if value)


def parse_making(message: str) -> Making:
    """Returns what the trailers of a commit's message say: the lines of its last paragraph, not those of its first."""
    _, found, paragraph = message.rstrip("\n").rpartition("\n\n")
    if not found or "\nAimd-" not in f"\n{paragraph}":
        return Making()
    inputs: dict[GitId, Input] = {}
    values: dict[str, str] = {}
    for key, value in _iter_trailers(paragraph):
        if key == INPUT and len(inputs) < MOST_INPUTS and (one := find_input(value)) is not None:
            inputs.setdefault(one.commit, one)
        elif key in (CODE, TRIAL, COMMAND):
            values[key] = value
    code = values.get(CODE, "")
    command = one_line(values.get(COMMAND, "")[:_COMMAND])
    return Making(
        tuple(inputs.values()), code if _CODE.fullmatch(code) else None, find_trial(values.get(TRIAL)), command or None
    )


def find_input(text: str) -> Input | None:
    """Returns the input that a trailer's value names, None where it names none."""
    name, _, commit = text.rpartition("@")
    name = name.strip("/ ")
    is_name = 0 < len(name) <= _NAME and name.isprintable()
    return Input(name, GitId(commit)) if is_name and is_git_id(commit) else None


def find_trial(text: str | None) -> str | None:
    """Returns the id of a trial as it is written, None for what is none."""
    try:
        return str(UUID(text or ""))
    except ValueError:
        return None


def command_text(arguments: Sequence[str]) -> str:
    """Returns a command as one line that a shell takes; cut where it is very long, and without users of URLs.

    What else stands in a command's arguments is kept: a secret doesn't belong there.
    """
    text = " ".join(map(_quoted, arguments))
    return text if len(text) <= _COMMAND else text[: _COMMAND - 1] + "…"


def one_line(text: str) -> str:
    """Returns a text with a space for whatever would break its line, or steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in text).strip()


def unique_inputs(inputs: Iterable[Input]) -> tuple[Input, ...]:
    """Returns each version once, by the name that comes first."""
    found: dict[GitId, Input] = {}
    for one in inputs:
        found.setdefault(one.commit, one)
    return tuple(found.values())


def _iter_trailers(paragraph: str) -> Iterator[tuple[str, str]]:
    for line in paragraph.split("\n"):
        key, found, value = line.partition(": ")
        if found:
            yield key, value.strip()


def _quoted(argument: str) -> str:
    for pattern, kept in _SECRETS:
        argument = pattern.sub(kept, argument)
    if argument.isprintable():
        return shlex.quote(argument)
    return "$'" + "".join(map(_escaped, argument)) + "'"


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
