"""`create_trial` and `load_trial`: where trials lie, what they are called, and what is known of them at their start.

A trial lies in `<data directory>/trials/<id>/`, or in `<trial_path>/<id>/`; where that is, is settled once.
"""

import uuid
from os import PathLike
from pathlib import Path
from typing import Any

from aimdvc.model.trials import check_name
from aimdvc.sdk import recording
from aimdvc.sdk.arguments import optional_absolute_path, optional_text
from aimdvc.sdk.environment import data_directory, read_environment
from aimdvc.sdk.git_state import command_line, entry_point, read_git_state
from aimdvc.sdk.metrics import now
from aimdvc.sdk.place import current_directory
from aimdvc.sdk.platform_info import read_platform
from aimdvc.sdk.progress import OnProgress
from aimdvc.sdk.ranks import find_rank
from aimdvc.sdk.records import FILE, Record, Target
from aimdvc.sdk.trial import Place, Trial, begin_trial


def create_trial(
    trial_path: str | PathLike[str] | None = None,
    trial_name: str | None = None,
    trial_params: Any = None,
    folder_id: str | None = None,
    folder_path: str | None = None,
    make_folder: bool | None = None,
    conflict_strategy: str | None = None,
) -> Trial:
    """Returns a new trial, recorded from now on; asks no server.

    `trial_path` is a directory that holds trials, the user's data directory by default; a trial without a name gets one
    of time and id. `trial_params` is what `params.parse` takes. The folder (`folder_id` beats `folder_path`, which
    beats `/default`) and the conflict strategy (skip, error, new or replace; new by default) are for the upload.

    In a process that trains together with others, and is not the first of them, nothing is recorded, and the trial's
    calls do nothing. Raises ValueError for a name or strategy that can't be, StorageError.
    """
    environment = read_environment()
    trials = data_directory(environment) / "trials"
    made = str(uuid.uuid4())
    created = now()
    name = check_name(trial_name) if trial_name is not None else f"trial-{created[:19].replace(':', '')}-{made[:4]}"
    target = Target().changed(folder_id, folder_path, make_folder, conflict_strategy)
    record = Record(made, name, created, target=target)
    is_recording = find_rank(environment) == 0
    if is_recording:
        record.platform, record.git = read_platform(), read_git_state(entry_point(), current_directory())
        record.command = command_line()
    directory = (optional_absolute_path("trial_path", trial_path) or trials) / made
    trial = begin_trial(Place(trials, directory), record, is_recording)
    if trial_params is not None:
        trial.params.parse(trial_params)
    return trial


def load_trial(trial_path: str | PathLike[str] | None = None, trial_name: str | None = None) -> Trial:
    """Returns a trial that was recorded before, on this machine; asks no server.

    `trial_path` is the directory of the trial, or, with a name, one that holds trials. By a name the newest trial of
    that name is found. What is logged to it goes on where it ended; while another process records it, it can be read.

    Raises UsageError where there is none, CorruptRepository for one that is damaged, ValueError without a path and a
    name.
    """
    environment = read_environment()
    trials = data_directory(environment) / "trials"
    directory = find_directory(trials, trial_path, trial_name)
    return Trial(Place(trials, directory), recording.read_trial(directory), None, find_rank(environment) == 0)


def upload_trial(
    trial_path: str | PathLike[str] | None = None,
    trial_dir: str | PathLike[str] | None = None,
    trial_name: str | None = None,
    folder_id: str | None = None,
    folder_path: str | None = None,
    make_folder: bool = False,
    conflict_strategy: str | None = None,
    *,
    progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Uploads a trial that was recorded before, and returns what the server has of it, metrics aside.

    The trial is that of the directory `trial_path`, else the newest of its name in `trial_dir`, a directory that holds
    trials, or in the user's data directory. The rest, and what is raised, is as in `Trial.upload` and `load_trial`.
    """
    optional_absolute_path("trial_dir", trial_dir)
    trial = load_trial(trial_path if trial_path is not None else trial_dir, trial_name)
    return trial.upload(folder_id, folder_path, make_folder or None, conflict_strategy, progress=progress)


def find_directory(trials: Path, trial_path: str | PathLike[str] | None, trial_name: str | None) -> Path:
    """Returns the directory of a trial, as `load_trial` says."""
    given = optional_absolute_path("trial_path", trial_path)
    optional_text("trial_name", trial_name)
    if trial_name is None:
        if given is None:
            raise ValueError("which trial? give trial_path or trial_name")
        return given
    if given is not None and (given / FILE).exists():
        return given
    return recording.find_trial(given or trials, trial_name)
