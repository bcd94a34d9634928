"""The directory of a trial: making it, finding it, and appending to its journal.

    <trials>/<id>/trial.jsonl     the journal (records.py)
    <trials>/<id>/trial.lock      locked by the process that records
    <trials>/outputs/<id>         which trial made an artifact, and where that lies: an artifact has one producer

A trial whose process has ended without saying how is one that failed.
"""

import os
import time
import uuid
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import AimdvcError, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.fs.journal import Journal, is_held
from aimdvc.fs.processes import is_gone
from aimdvc.model.trials import ENDED, FAILED
from aimdvc.sdk.records import FILE, Record, read_header, read_record

_OUTPUTS = "outputs"
_SILENT_S = 24 * 3600


def make_directory(directory: Path, record: Record, disk: Disk) -> None:
    """Makes a trial's directory with its journal, durably: there is either a trial in it or none."""
    disk.make_directory(directory)
    disk.replace_file(directory / FILE, record.header())


def open_journal(directory: Path, disk: Disk) -> Journal:
    """Returns the journal to append to. Raises Busy while another process records this trial, or another object."""
    return Journal.open(directory / FILE, disk)


def read_trial(directory: Path) -> Record:
    """Returns what is recorded of a trial, with the status that it has now.

    Raises UsageError where there is none, and what `read_record` does.
    """
    try:
        record = read_record(directory / FILE)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"there is no trial in '{directory}'") from error
    if record.status not in ENDED and (is_gone(record.process) or not _is_recorded(directory / FILE)):
        record.status = FAILED
    return record


def _is_recorded(journal: Path) -> bool:
    """Returns whether a process records a trial; where no lock can tell, whether it did within the last day."""
    is_held_now = is_held(journal)
    return is_held_now if is_held_now is not None else time.time() - journal.stat().st_mtime < _SILENT_S


def find_trial(trials: Path, name: str) -> Path:
    """Returns the directory of the newest trial of a name. Raises UsageError when there is none.

    A trial that can't be read stands in nobody's way, unless it could be the one: then what is wrong with it is raised.
    """
    found: list[tuple[str, Path]] = []
    faults: list[AimdvcError] = []
    for directory in _directories(trials):
        try:
            header = read_header(directory / FILE)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except AimdvcError as error:
            faults.append(error)
            continue
        if header.name == name:
            found.append((header.created, directory))
    if found:
        return max(found)[1]
    if faults:
        raise faults[0]
    raise UsageError(f"there is no trial '{name}' in '{trials}'", hint="give trial_path where it lies elsewhere")


def _directories(trials: Path) -> list[Path]:
    try:
        return [trials / name for name in sorted(os.listdir(trials))]
    except (FileNotFoundError, NotADirectoryError):
        return []


class Claim(NamedTuple):
    """Which trial made an artifact, by its id and the directory in which it is recorded."""

    trial: str
    directory: str


def claim_output(trials: Path, artifact: str, claim: Claim, disk: Disk) -> Claim:
    """Notes that a trial made an artifact, unless one did before; returns which one did. Durable, safe to repeat."""
    directory = trials / _OUTPUTS
    disk.make_directory(directory)
    with disk.create_temp(directory) as temp:
        temp.write("\n".join(claim).encode("utf-8", "surrogateescape"))
        temp.sync()
        try:
            disk.link(temp.path, directory / artifact)
        except FileExistsError:
            return find_claim(trials, artifact) or claim
    disk.sync_directory(directory)
    return claim


def find_claim(trials: Path, artifact: str) -> Claim | None:
    """Returns which trial made an artifact, None where none is known. Raises StorageError."""
    path = trials / _OUTPUTS / str(uuid.UUID(artifact))
    try:
        with mapped(path):
            trial, _, directory = path.read_text("utf-8", "surrogateescape").partition("\n")
    except FileNotFoundError:
        return None
    return Claim(trial, directory)
