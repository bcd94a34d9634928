"""What a trial's journal says, line by line, and what comes of it: the one place that knows the format.

A line is a JSON object whose first key says its kind. The first line is the header; the others come as things happen:

    {"trial": {"format": 1, "id", "name", "created", "platform", "git", "command", "target"}}
    {"status": "Running", "time", "process"}      what the trial is from now on, and whose process says so
    {"metrics": "training", "value": {…}, "sequence": {…}}
    {"params": {…}, "gone": […]}                  parameters that are set, and that go
    {"input": {"id", …}}  {"output": {"id", …}}
    {"platform": {…}}                             what was found out later

Kinds that this version doesn't know are passed over. Lines are read anew each time: a run of a million steps must not
hold them all in memory.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimdvc.errors import CorruptRepository, UnsupportedFormat
from aimdvc.fs.journal import iter_lines
from aimdvc.model.trials import ENDED, INITIALIZING
from aimdvc.sdk import jsonvalues
from aimdvc.sdk.arguments import check_id, optional_flag, optional_text
from aimdvc.sdk.metrics import Element, Value, plain_values, read_element

FORMAT = 1
FILE = "trial.jsonl"

STRATEGIES = ("skip", "error", "new", "replace")
"""What becomes of a trial whose name another one has on the server."""

_METRICS = b'{"metrics":'
_VALUE = b',"value":'


@dataclass(slots=True)
class Target:
    """Where a trial is to be uploaded to, and what happens when a trial of its name is there."""

    folder_id: str | None = None
    folder_path: str | None = None
    make_folder: bool = False
    conflict_strategy: str = "new"

    def changed(
        self,
        folder_id: str | None,
        folder_path: str | None,
        make_folder: bool | None,
        conflict_strategy: str | None,
    ) -> "Target":
        """Returns the target with what is given in the place of what was. Raises ValueError for another strategy."""
        strategy = conflict_strategy or self.conflict_strategy
        if strategy not in STRATEGIES:
            raise ValueError(f"conflict strategy {strategy!r}: expected one of {', '.join(STRATEGIES)}")
        if folder_id is not None:
            check_id("folder_id", folder_id)
        optional_text("folder_path", folder_path)
        optional_flag("make_folder", make_folder)
        is_elsewhere = folder_id is not None or folder_path is not None
        return Target(
            folder_id if is_elsewhere else self.folder_id,
            folder_path if is_elsewhere else self.folder_path,
            self.make_folder if make_folder is None else make_folder,
            strategy,
        )


@dataclass(slots=True)
class Record:
    """A trial without its metrics, as its journal tells it. Times are ISO 8601 in UTC."""

    id: str
    name: str
    created: str
    platform: dict[str, Any] = field(default_factory=dict)
    git: dict[str, Any] = field(default_factory=dict)
    target: Target = field(default_factory=Target)
    params: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: str = INITIALIZING
    ended: str | None = None
    process: str = ""
    command: str = ""

    def header(self) -> bytes:
        """Returns the first line of its journal."""
        target = {name: getattr(self.target, name) for name in Target.__slots__}
        values = {"id": self.id, "name": self.name, "created": self.created, "platform": self.platform}
        return line({"trial": {"format": FORMAT, **values, "git": self.git, "command": self.command, "target": target}})

    def apply(self, kind: str, said: dict[str, Any]) -> None:
        """Takes in what a line says. Raises KeyError, TypeError, ValueError for what no line says."""
        if kind == "params":
            for name in said.get("gone", ()):
                self.params.pop(name, None)
            self.params.update(said["params"])
        elif kind in ("input", "output"):
            marked = self.inputs if kind == "input" else self.outputs
            marked[str(said[kind]["id"])] = dict(said[kind])
        elif kind == "status":
            self.status, self.process = str(said["status"]), str(said.get("process", ""))
            self.ended = str(said["time"]) if self.status in ENDED else None
        elif kind == "platform":
            self.platform = {**self.platform, **said["platform"]}


def line(said: dict[str, Any]) -> bytes:
    """Returns a line of a journal."""
    return jsonvalues.dump(said).encode("ascii") + b"\n"


def metrics_line(kind: str, element: Element) -> bytes:
    """Returns the line of an element of metrics."""
    try:
        return line_of_metrics(kind, element["value"], element["sequence"])
    except ValueError:
        return line_of_metrics(kind, plain_values(element["value"]), element["sequence"])


def line_of_metrics(kind: str, values: "dict[str, Value] | dict[str, Value | str]", sequence: dict[str, Any]) -> bytes:
    """Returns the line. Raises ValueError where a value is no JSON."""
    return jsonvalues.encode({"metrics": kind, "value": values, "sequence": sequence}).encode("ascii") + b"\n"


def read_record(path: Path) -> Record:
    """Returns what a journal tells, metrics aside. Raises FileNotFoundError, CorruptRepository, UnsupportedFormat."""
    record: Record | None = None
    for number, (_, raw) in enumerate(iter_lines(path), 1):
        if raw.startswith(_METRICS):
            continue
        try:
            said = jsonvalues.parse(raw)
            if record is None:
                record = _parse_header(path, said["trial"])
            else:
                record.apply(next(iter(said)), said)
        except (ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError) as error:
            raise _damaged(path, f"line {number}") from error
    if record is None:
        raise _damaged(path, "it")
    return record


def read_header(path: Path) -> Record:
    """Returns what the first line of a journal tells: who it is. Raises as `read_record`."""
    for _, raw in iter_lines(path):
        try:
            return _parse_header(path, jsonvalues.parse(raw)["trial"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _damaged(path, "line 1") from error
    raise _damaged(path, "it")


def iter_raw_metrics(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yields (where the next line begins, line) of the metrics from a position on."""
    return ((position, raw) for position, raw in iter_lines(path, start) if raw.startswith(_METRICS))


def raw_kind(raw: bytes) -> bytes:
    """Returns what in a line of metrics is the same for all of one type, without reading the line: it takes longer."""
    return raw[len(_METRICS) : raw.find(_VALUE)]


def iter_metrics(path: Path, start: int = 0) -> Iterator[tuple[int, str, Element]]:
    """Yields (where the next line begins, type, element) from a position on. Raises CorruptRepository."""
    for position, raw in iter_raw_metrics(path, start):
        try:
            said = json.loads(raw)
            yield position, str(said["metrics"]), read_element(said)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _damaged(path, f"the line before byte {position}") from error


def _parse_header(path: Path, said: dict[str, Any]) -> Record:
    if said["format"] != FORMAT:
        raise UnsupportedFormat(str(path), said["format"], FORMAT)
    target = Target(**{name: said["target"][name] for name in Target.__slots__})
    made, name, created = (str(said[key]) for key in ("id", "name", "created"))
    command = str(said.get("command", ""))
    return Record(made, name, created, dict(said["platform"]), dict(said["git"]), target, command=command)


def _damaged(path: Path, what: str) -> CorruptRepository:
    error = CorruptRepository(str(path), f"{what} is damaged")
    error.hint = "the other lines are as they were: take the damaged one out, and load the trial again"
    return error
