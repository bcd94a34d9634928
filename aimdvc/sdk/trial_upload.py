"""Uploads a trial: what it is, then the metrics that the server lacks, and at last what became of it.

Safe to repeat, also while the trial runs and after whatever stopped it: the server is asked how many metrics it has of
each type, and only the rest is sent. So a trial that is Succeeded on a server is whole there.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimdvc.errors import CorruptRepository, RemoteRefused
from aimdvc.fs.disk import Disk
from aimdvc.model.progress import Progress
from aimdvc.model.trials import ENDED, RUNNING
from aimdvc.sdk import jsonvalues, recording, trial_dict
from aimdvc.sdk.arguments import check_id
from aimdvc.sdk.records import FILE, Record, Target, iter_raw_metrics, raw_kind
from aimdvc.sdk.service import Service
from aimdvc.sdk.trial_service import TrialService

_MARK = "uploaded"
_BATCH = 1000
_BATCH_BYTES = 1 << 20
_NUMBERED = 50


def upload(service: Service, directory: Path, target: Target, progress: Progress) -> dict[str, Any]:
    """Uploads the trial of a directory; returns what the server has of it, metrics aside.

    One that is there already, by its id, is brought up to date where it lies. Else `target` says where it goes, and
    what becomes of a trial of its name there: with `skip` nothing is done, and that one returned; `error` raises
    RemoteRefused; `new` gives this one a number behind its name; `replace` removes that one.

    Raises UsageError for a folder that is not there, NotAuthorised, RemoteError.
    """
    trials = TrialService(service)
    record = recording.read_trial(directory)
    there = trials.find(record.id)
    if there is not None and _was_rewritten(directory, service.host):
        trials.remove(record.id)
        there = None
    if there is None:
        other = _make(trials, record, _folder(trials, target), target.conflict_strategy)
        if other is not None:
            return other
    else:
        kept = {name: there["metadata"][name] for name in ("folder", "name")}
        trials.change(record.id, _document(record, kept["folder"], kept["name"]))
    _mark(directory, service.host)
    _send_metrics(trials, directory / FILE, record.id, progress)
    if record.status in ENDED:
        trials.set_status(record.id, record.status, record.ended)
    return trials.find(record.id) or {}


def _folder(trials: TrialService, target: Target) -> str:
    """Returns the id of the folder that a trial goes to."""
    if target.folder_id is not None:
        return check_id("folder_id", target.folder_id)
    return trials.folder_id(trials.service.ensure_folder(target.folder_path, target.make_folder))


def _make(trials: TrialService, record: Record, folder: str, strategy: str) -> dict[str, Any] | None:
    """Makes the trial on the server. Returns None when it did, else the one that stays in its place."""
    for name in _names(record) if strategy == "new" else [record.name]:
        if trials.make(_document(record, folder, name)):
            return None
    other = trials.find_name(folder, record.name)
    if strategy == "skip" and other is not None:
        return trials.find(other) or {}
    if strategy == "replace" and other is not None:
        trials.remove(other)
        if trials.make(_document(record, folder, record.name)):
            return None
    raise RemoteRefused(
        trials.service.host,
        f"a trial '{record.name}' already exists in that folder",
        hint="pass conflict_strategy='new' to upload this one under another name",
    )


def _names(record: Record) -> Iterator[str]:
    yield record.name
    for number in range(2, _NUMBERED):
        yield f"{record.name}-{number}"
    yield f"{record.name}-{record.id}"


def _document(record: Record, folder: str, name: str) -> dict[str, Any]:
    """Returns what a trial is, without its metrics. Whatever became of it is said when these are there, too."""
    document = trial_dict.dump(record, {})
    document["metadata"] = {**document["metadata"], "folder": folder, "name": name}
    if record.status in ENDED:
        document |= {"status": RUNNING, "endTime": None}
    return {key: jsonvalues.sendable(value) for key, value in document.items()}


def _send_metrics(trials: TrialService, journal: Path, trial: str, progress: Progress) -> None:
    """Sends the metrics that the server lacks, of each type from the number on that it has."""
    have = trials.counts(trial)
    seen: dict[bytes, int] = {}
    missing: dict[bytes, int] = {}
    waiting: dict[str, _Batch] = {}
    position = 0
    progress.start("upload trial", journal.stat().st_size, "bytes")
    for end, raw in iter_raw_metrics(journal):
        word = raw_kind(raw)
        number = seen.get(word, 0)
        seen[word] = number + 1
        if word not in missing:
            missing[word] = have.get(_parse(journal, raw)[0], 0)
        if number < missing[word]:
            continue
        kind, element = _parse(journal, raw)
        batch = waiting.setdefault(kind, _Batch(number))
        batch.elements.append(element)
        batch.size += len(raw)
        if len(batch.elements) >= _BATCH or batch.size >= _BATCH_BYTES:
            trials.append(trial, kind, batch.elements, batch.start)
            del waiting[kind]
            progress.advance(end - position)
            position = end
    for kind, batch in waiting.items():
        trials.append(trial, kind, batch.elements, batch.start)
    progress.finish()


@dataclass(slots=True)
class _Batch:
    """Elements of one type that go together; `start` is the number of the first."""

    start: int
    elements: list[Mapping[str, Any]] = field(default_factory=list)
    size: int = 0


def _parse(journal: Path, raw: bytes) -> tuple[str, Mapping[str, Any]]:
    try:
        said = json.loads(raw)
        return str(said["metrics"]), {"value": said["value"], "sequence": said["sequence"]}
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptRepository(str(journal), f"'{raw[:60]!r}' is damaged") from error


def _was_rewritten(directory: Path, host: str) -> bool:
    """Returns whether the trial was made anew since it was uploaded: then its metrics are no longer the server's."""
    try:
        return bool(json.loads((directory / _MARK).read_bytes()).get("host") != host)
    except (FileNotFoundError, ValueError, AttributeError):
        return True


def _mark(directory: Path, host: str) -> None:
    """Notes where the metrics went that are recorded now."""
    Disk().replace_file(directory / _MARK, json.dumps({"host": host}).encode())


def forget_upload(directory: Path, disk: Disk) -> None:
    """Notes that the metrics which are recorded from now on are others than were uploaded."""
    disk.unlink(directory / _MARK)
