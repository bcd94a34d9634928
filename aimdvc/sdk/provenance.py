"""What the trial that made an artifact says in the artifact's commit: its inputs, code, id and command.

Asked when an artifact is uploaded: by then the trial knows its inputs. It is found by what `mark_output` noted, on this
machine alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aimdvc.errors import AimdvcError
from aimdvc.model.lineage import MOST_INPUTS, Input, Making, find_input, trailers_of, unique_inputs
from aimdvc.model.oid import is_git_id
from aimdvc.sdk.environment import data_directory, read_environment
from aimdvc.sdk.recording import find_claim, read_trial
from aimdvc.sdk.records import Record


def trailers_of_output(artifact: str) -> tuple[tuple[str, str], ...]:
    """Returns the trailers of what a trial made; none of what no trial of this machine did."""
    claim = find_claim(data_directory(read_environment()) / "trials", artifact)
    if claim is None:
        return ()
    try:
        record = read_trial(Path(claim.directory))
    except AimdvcError:
        # The trial was removed, or is damaged: the artifact is what it is all the same, and whose it is is known.
        return trailers_of(Making(trial=claim.trial))
    return trailers_of(making_of(record))


def making_of(record: Record) -> Making:
    """Returns what a trial is to what it makes."""
    inputs = unique_inputs(one for marked in record.inputs.values() if (one := _input(marked)) is not None)
    commit = str(record.git.get("commit") or "")
    code = f"{commit}{'+dirty' if record.git.get('is_dirty') else ''}" if is_git_id(commit) else None
    return Making(inputs[:MOST_INPUTS], code, record.id, record.command or None)


def _input(marked: Mapping[str, Any]) -> Input | None:
    """Returns an input by its path on the server that it was last seen on, else by its name."""
    remote = marked.get("_remote") or [{}]
    path = str(remote[-1].get("path") or marked.get("name") or marked["id"]).strip("/")
    return find_input(f"{path}@{marked.get('commit') or ''}")
