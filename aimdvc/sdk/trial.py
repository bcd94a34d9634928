"""Trial: one run, recorded as it goes: parameters, metrics, code, machine, and the artifacts that it reads and makes.

What is logged is in the trial's directory when the call returns, without a server (recording.py). A Trial may be used
from several threads; nothing of it depends on the current directory once it is made.
"""

import os
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from aimdvc.errors import AimdvcError
from aimdvc.fs.disk import Disk
from aimdvc.fs.journal import Journal
from aimdvc.fs.processes import this_process
from aimdvc.model.trials import ENDED, FAILED, INITIALIZING, RUNNING, SUCCEEDED, canonical_type
from aimdvc.sdk import recording, trial_dict, trial_upload
from aimdvc.sdk.metrics import Element, element, now, read_place, read_values
from aimdvc.sdk.params import Params, Values
from aimdvc.sdk.platform_info import find_framework
from aimdvc.sdk.progress import OnProgress, progress_of
from aimdvc.sdk.records import FILE, Record, iter_metrics, line, metrics_line
from aimdvc.sdk.service import service


@runtime_checkable
class MarkedArtifact(Protocol):
    """What a trial asks of an artifact."""

    @property
    def id(self) -> str:
        """Its UUID."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether it was not uploaded yet."""
        ...

    @property
    def can_be_logged(self) -> bool:
        """Whether it was made on this machine."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Returns all that is known of it."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a trial is recorded; `trials` is where all lie that may not make the same artifact."""

    trials: Path
    directory: Path

    def has_trial(self) -> bool:
        """Returns whether one is recorded there: not in a process that records none."""
        return (self.directory / FILE).exists()


def begin_trial(place: Place, record: Record, is_recording: bool) -> "Trial":
    """Returns a new trial, Initializing; on the disk if it is recorded. Raises StorageError."""
    if not is_recording:
        return Trial(place, record, None, False)
    disk = Disk()
    record.process = this_process()
    recording.make_directory(place.directory, record, disk)
    journal = recording.open_journal(place.directory, disk)
    journal.append(line({"status": INITIALIZING, "time": record.created, "process": record.process}))
    return Trial(place, record, journal, True)


class Trial:
    """One run. Made by `create_trial` and `load_trial`; used as a context manager, it ends with the `with`.

    What a call records survives any end of the process once the call has returned; a power cut may take what was
    logged in the last second before it (fs/journal.py). With several processes that train together only rank 0
    records: in the others `is_recording` is False, and what records does nothing.
    """

    def __init__(self, place: Place, record: Record, journal: Journal | None, is_recording: bool) -> None:
        self._place = place
        self._record = record
        self._journal = journal
        self._is_recording = is_recording
        self._is_ended = False
        self._pid = os.getpid()
        # Who records: also what a child of it writes is written for it.
        self._process = record.process
        self._disk = Disk()
        self._changing = threading.RLock()
        self._read_until = 0
        self._metrics: dict[str, list[Element]] = {}

    @property
    def id(self) -> str:
        """Its UUID."""
        return self._record.id

    @property
    def name(self) -> str:
        """Its name."""
        return self._record.name

    @property
    def path(self) -> Path:
        """The directory in which it is recorded."""
        return self._place.directory

    @property
    def is_recording(self) -> bool:
        """Whether this process records: False in all but the first of those that train together."""
        return self._is_recording

    @property
    def status(self) -> str:
        """Initializing, Running, Succeeded or Failed, the last also when its process ended without saying how."""
        return self._current().status

    @property
    def metrics(self) -> dict[str, list[Element]]:
        """All that was logged, by type, in order: `{"value": {name: number}, "sequence": {epoch, step, timestamp}}`.

        Read back from the disk, what is new each time: a long run doesn't hold it in memory until it is asked for.
        """
        with self._changing:
            if self._place.has_trial():
                for position, kind, found in iter_metrics(self.path / FILE, self._read_until):
                    self._metrics.setdefault(kind, []).append(found)
                    self._read_until = position
            return {kind: list(found) for kind, found in self._metrics.items()}

    @property
    def params(self) -> Params:
        """The parameters: a mapping of JSON values that is saved at every change."""
        return Params(lambda: self._record.params, self._set_params)

    @property
    def input_artifacts(self) -> list[str]:
        """The ids of the artifacts that it reads."""
        return list(self._record.inputs)

    @property
    def output_artifacts(self) -> list[str]:
        """The ids of the artifacts that it makes."""
        return list(self._record.outputs)

    def log(self, metrics_type: str, metrics: Mapping[str, Any], step: int, epoch: int | float | None = None) -> None:
        """Records metrics of a step: train, val, test, their synonyms, or any other word as type.

        Values are numbers, those of NumPy and PyTorch too; NaN and infinities are kept. The first call makes the trial
        Running. Raises ValueError and TypeError for what are no metrics, RuntimeError once the trial has ended,
        StorageError when it can't be written; then nothing of it is.
        """
        kind, values = canonical_type(metrics_type), read_values(metrics)
        place = read_place(step, epoch)
        if self._is_recording:
            self._running().append(metrics_line(kind, element(values, *place)))

    def mark_input(self, artifact: MarkedArtifact) -> None:
        """Records that the trial reads an artifact. Safe to repeat. Raises RuntimeError for one not uploaded yet."""
        _require_artifact(artifact)
        if artifact.is_open:
            raise RuntimeError(f"artifact '{artifact.name}' is not uploaded yet: upload it, then mark it as an input")
        if self._is_recording and artifact.id not in self._record.inputs:
            if artifact.id in self._record.outputs:
                raise RuntimeError(f"artifact '{artifact.name}' is an output of this trial already")
            self._mark("input", artifact)

    def mark_output(self, artifact: MarkedArtifact) -> None:
        """Records that the trial makes an artifact: best before that is uploaded, so that its commit says so, too.

        Safe to repeat. Raises RuntimeError for an artifact that was loaded, not made here, or that another trial made.
        """
        _require_artifact(artifact)
        if not self._is_recording or artifact.id in self._record.outputs:
            return
        if not artifact.can_be_logged:
            raise RuntimeError(f"artifact '{artifact.name}' is not new: an output is made in the run that marks it")
        self._require_open()
        mine = recording.Claim(self.id, str(self.path))
        maker = recording.claim_output(self._place.trials, str(uuid.UUID(artifact.id)), mine, self._disk)
        if maker.trial != self.id:
            raise RuntimeError(f"artifact '{artifact.name}' is an output of trial {maker.trial} already")
        self._mark("output", artifact)

    def finish(self) -> None:
        """Ends the trial well: it is Succeeded, on the disk, and takes nothing more. Safe to repeat."""
        self._finish(SUCCEEDED)

    def upload(
        self,
        folder_id: str | None = None,
        folder_path: str | None = None,
        make_folder: bool | None = None,
        conflict_strategy: str | None = None,
        *,
        progress: OnProgress | None = None,
    ) -> dict[str, Any]:
        """Uploads the trial as it is now, and returns what the server has of it, metrics aside.

        Repeated, while it runs or after a failure, it sends what is new. What is not given is as `create_trial` got it:
        `folder_id` beats `folder_path`, which beats `/default`; a folder that is not there is made with `make_folder`
        alone. Where a trial of the name is there already, `conflict_strategy` decides: `new` numbers this one, `skip`
        does nothing, `replace` removes that one, `error` raises RemoteRefused. Once it is uploaded it stays where it
        is.

        In processes that record nothing it does nothing, and returns an empty dictionary. Raises UsageError for a
        folder that is not there, NotAuthorised, RemoteError.
        """
        if not self._is_recording:
            return {}
        target = self._record.target.changed(folder_id, folder_path, make_folder, conflict_strategy)
        with service() as opened:
            return trial_upload.upload(opened, self.path, target, progress_of(progress))

    def to_dict(self) -> dict[str, Any]:
        """Returns all of it as plain values: of NaN and infinities, Python's own."""
        return trial_dict.dump(self._current(), self.metrics)

    def parse_from_dict(self, trial_data: Mapping[str, Any]) -> None:
        """Makes this trial what a dictionary of `to_dict` says; its directory stays. Raises ValueError.

        What was recorded before is replaced, whole or not at all, whatever stops it.
        """
        record, metrics = trial_dict.parse(trial_data, self._record)
        with self._changing:
            if self._is_recording:
                journal = self._opened()
                record.process = self._process
                trial_upload.forget_upload(self.path, self._disk)
                journal.replace(trial_dict.lines(record, metrics))
                metrics = {}
                self._is_ended = record.status in ENDED
                if self._is_ended:
                    self._close()
            self._record, self._metrics, self._read_until = record, metrics, 0

    def _current(self) -> Record:
        """Returns the record, read anew where it may be another process that writes it."""
        with self._changing:
            if self._journal is None and self._place.has_trial():
                self._record = recording.read_trial(self.path)
            return self._record

    def _mark(self, relation: str, artifact: MarkedArtifact) -> None:
        known = artifact.to_dict()
        marked: dict[str, Any] = {"id": str(artifact.id), "name": artifact.name}
        marked |= {key: known.get(key) for key in ("commit", "version", "_remote")}
        self._running()
        self._write(relation, {relation: marked})

    def _set_params(self, new: Values, gone: list[str]) -> None:
        said = {"params": new, "gone": gone}
        if not self._is_recording:
            self._record.apply("params", said)
            return
        with self._changing:
            if self._journal is None:
                self._running()
            self._write("params", said)

    def _finish(self, status: str, **said: str) -> None:
        with self._changing:
            # A child that goes on from a fork, and ends, is not the end of what its parent records.
            if self._is_ended or self._pid != os.getpid():
                return
            if self._is_recording:
                journal = self._running()
                self._write("status", {"status": status, "time": now(), **said})
                journal.sync()
                self._close()
            self._record.status = status
            self._is_ended = True

    def _running(self) -> Journal:
        """Returns the journal of the trial, which is Running from now on. Raises RuntimeError, Busy."""
        journal = self._journal
        if journal is not None and self._record.status == RUNNING:
            return journal
        with self._changing:
            journal = self._opened()
            self._write("status", {"status": RUNNING, "time": now(), "process": self._process})
            if not self._record.platform.get("framework") and (framework := find_framework()):
                self._write("platform", {"platform": {"framework": framework}})
        return journal

    def _write(self, kind: str, said: dict[str, Any]) -> None:
        self._opened().append(line(said))
        self._record.apply(kind, said)

    def _opened(self) -> Journal:
        """Returns the journal, opened if need be; what others wrote meanwhile is read. Raises RuntimeError, Busy."""
        self._require_open()
        if self._journal is None:
            self._journal = recording.open_journal(self.path, self._disk)
            self._process = this_process()
            self._record = recording.read_trial(self.path)
        return self._journal

    def _require_open(self) -> None:
        if self._is_ended:
            raise RuntimeError(f"trial '{self.name}' has ended: load it to go on with it")

    def _close(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    def __enter__(self) -> "Trial":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is None and self._is_recording:
            return  # It has ended, or was loaded and is as it was.
        if kind is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            self.finish()
            return
        # The error that ends the run is what the caller has to see.
        with suppress(AimdvcError, RuntimeError):
            self._finish(FAILED, error=kind.__name__)

    def __copy__(self) -> "Trial":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Trial":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, it is one that records nothing there."""
        return Trial, (self._place, self._record, None, False)

    def __repr__(self) -> str:
        return f"Trial(name={self.name!r}, id={self.id!r}, status={self._record.status!r})"


def _require_artifact(value: object) -> None:
    if not isinstance(value, MarkedArtifact):
        raise TypeError(f"artifact is {type(value).__name__}, expected an Artifact")
