"""Git LFS as a client: batches, basic transfers with resume, and aimd-pack for small blobs where the server has it.

Protocol: git-lfs, docs/api/batch.md and basic-transfers.md; docs/protocol.md for aimd-pack. Blobs travel in groups; a
group is one batch and its transfers, and one worker's. What breaks is asked for anew: a batch lists only the rest.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from aimdvc.errors import MissingBlob, ProtocolError, RemoteRefused, RemoteUnreachable
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.remote.basic import Action, Expired, get_blob, parse_action, put_blob
from aimdvc.remote.packed import AIMD_PACK, get_pack, put_pack
from aimdvc.remote.ranges import open_ranges
from aimdvc.remote.session import TRIES, Session
from aimdvc.remote.transfer import BlobSink, BlobSource, Transferred
from aimdvc.remote.tus import TUS, put_rest
from aimdvc.remote.urls import shown

MEDIA_TYPE = "application/vnd.git-lfs+json"
_FOREIGN_GROUP = 100
_OWN_GROUP = 5000
_GROUP_BYTES = 64 << 20
_WORKERS = 4
_ANSWER_BYTES = 64 << 20
_ACTIONS = ("upload", "download", "verify", TUS)


class LfsRemote:
    """The blobs of one artifact on a server that speaks Git LFS."""

    def __init__(self, session: Session, url: str) -> None:
        self._session = session
        self._url = url
        self._endpoint = f"{url}/info/lfs"
        self._group_limit = _FOREIGN_GROUP

    def upload(self, pointers: Iterable[Pointer], source: BlobSource, progress: Progress) -> Transferred:
        """Sends the blobs that the server lacks; verified there. Raises RemoteError, MissingBlob, CorruptBlob."""
        progress.start("push", None, "bytes")
        counter = _Counter(progress)

        def send(group: "_Group") -> None:
            for pointer, actions in group.singles:
                put = put_rest if TUS in actions else put_blob
                put(self._session, self._url, pointer, actions, source, counter.advance)
            if group.packed and group.pack is not None:
                put_pack(self._session, self._url, group.pack, group.packed, source, counter.advance)

        return self._transfer("upload", pointers, send, counter)

    def download(self, pointers: Iterable[Pointer], sink: BlobSink, progress: Progress) -> Transferred:
        """Gets blobs, hash-checked, into the sink; large ones go on where they were cut. Raises as `upload`."""
        wanted = list(pointers)
        progress.start("pull", sum(pointer.size for pointer in wanted), "bytes")
        counter = _Counter(progress)

        def get(group: "_Group") -> None:
            if group.packed and group.pack is not None:
                get_pack(self._session, self._url, group.pack, group.packed, sink, counter.advance, group.done)
            for pointer, action in group.singles:
                get_blob(self._session, self._url, pointer, action, sink, counter.advance)
                group.done.add(pointer.oid)

        return self._transfer("download", wanted, get, counter)

    def present(self, pointers: Iterable[Pointer], progress: Progress) -> set[Oid]:
        """Returns those of the blobs that the server would give us now: it is asked about each. Raises RemoteError."""
        found: set[Oid] = set()
        pending = iter(pointers)
        while group := list(islice(pending, self._group_limit)):
            found |= _present(self._ask("download", group), group, self._url)
            progress.advance(len(group))
        return found

    def open(self, pointer: Pointer) -> BinaryIO:
        """Returns a blob as a file of which only the ranges travel that are read; see remote/ranges.py."""
        return open_ranges(self._session, self._url, pointer, lambda: self._single(pointer))

    def _single(self, pointer: Pointer) -> Action:
        group = self._batch("download", [pointer], ("basic",))
        return group.singles[0][1]["download"]

    def _transfer(
        self, operation: str, pointers: Iterable[Pointer], move: Callable[["_Group"], None], counter: "_Counter"
    ) -> Transferred:
        groups = self._groups(pointers)
        first = next(groups, None)
        if first is None:
            counter.progress.finish()
            return Transferred(0, 0)
        # The first batch tells whether the server takes large groups.
        self._run(operation, first, move, counter)
        running: set[Future[None]] = set()
        with ThreadPoolExecutor(_WORKERS) as pool:
            try:
                for group in groups:
                    running.add(pool.submit(self._run, operation, group, move, counter))
                    if len(running) >= 2 * _WORKERS:
                        done, running = wait(running, return_when=FIRST_COMPLETED)
                        for future in done:
                            future.result()
                for future in running:
                    future.result()
            except BaseException:  # An interrupt, too, cancels what hasn't begun; what runs ends by itself.
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        counter.progress.finish()
        return Transferred(counter.blobs, counter.size)

    def _groups(self, pointers: Iterable[Pointer]) -> Iterator[list[Pointer]]:
        group: list[Pointer] = []
        size = 0
        for pointer in pointers:
            group.append(pointer)
            size += pointer.size
            if len(group) >= self._group_limit or size >= _GROUP_BYTES:
                yield group
                group, size = [], 0
        if group:
            yield group

    def _run(
        self, operation: str, pointers: list[Pointer], move: Callable[["_Group"], None], counter: "_Counter"
    ) -> None:
        left = pointers
        failures, least = 0, -1
        while True:
            group = self._batch(operation, left)
            if not 0 <= least <= group.size:
                # Something arrived since the last failure: so long as that goes on, it comes to an end.
                failures, least = 0, group.size
            try:
                move(group)
            except (RemoteUnreachable, Expired) as error:
                failures += 1
                if failures == TRIES:
                    raise (error.refusal if isinstance(error, Expired) else error) from error
                self._session.wait(failures - 1, error.headers if isinstance(error, Expired) else {})
                left = [pointer for pointer in left if pointer.oid not in group.done]
                continue
            counter.count(group)
            return

    def _batch(self, operation: str, pointers: list[Pointer], transfers: Sequence[str] | None = None) -> "_Group":
        answer = self._ask(operation, pointers, transfers)
        return _parse_group(answer, operation, {pointer.oid: pointer for pointer in pointers}, self._url)

    def _ask(
        self, operation: str, pointers: list[Pointer], transfers: Sequence[str] | None = None
    ) -> Mapping[str, object]:
        message = {
            "operation": operation,
            "transfers": transfers or [AIMD_PACK, *([TUS] if operation == "upload" else []), "basic"],
            "hash_algo": "sha256",
            "objects": [{"oid": pointer.oid, "size": pointer.size} for pointer in pointers],
        }
        headers = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE}
        url = f"{self._endpoint}/objects/batch"
        answer = self._session.request("POST", url, headers, json.dumps(message).encode()).read_json(_ANSWER_BYTES)
        if answer.get("transfer") == AIMD_PACK:
            self._group_limit = _OWN_GROUP
        elif answer.get("transfer", "basic") not in ("basic", TUS if operation == "upload" else "basic"):
            raise ProtocolError(shown(url), "it chose a transfer that was not offered")
        return answer


class _Group:
    """What a batch said: blobs to move one by one, and those to move together. `done` arrived already."""

    def __init__(self) -> None:
        self.singles: list[tuple[Pointer, Mapping[str, Action]]] = []
        self.packed: list[Pointer] = []
        self.pack: Action | None = None
        self.done: set[Oid] = set()

    @property
    def size(self) -> int:
        """How many bytes are to be moved, as far as the server has told."""
        begun = sum(action.offset or 0 for _, actions in self.singles for action in actions.values())
        wanted = sum(pointer.size for pointer, _ in self.singles) + sum(pointer.size for pointer in self.packed)
        return wanted - begun


@dataclass(slots=True)
class _Counter:
    """Adds up over the workers; the progress is told by one thread at a time."""

    progress: Progress
    blobs: int = 0
    size: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, amount: int) -> None:
        with self.lock:
            self.progress.advance(amount)

    def count(self, group: _Group) -> None:
        moved = [pointer for pointer, _ in group.singles] + group.packed
        with self.lock:
            self.blobs += len(moved)
            self.size += sum(pointer.size for pointer in moved)


def _parse_group(answer: Mapping[str, object], operation: str, wanted: Mapping[str, Pointer], url: str) -> _Group:
    objects = answer.get("objects")
    if not isinstance(objects, list):
        raise ProtocolError(shown(url), "a batch without objects")
    group = _Group()
    if "aimd_pack" in answer:
        group.pack = parse_action(answer["aimd_pack"], url)
    answered: set[str] = set()
    for blob in objects:
        oid = blob.get("oid") if isinstance(blob, dict) else None
        pointer = wanted.get(oid) if isinstance(oid, str) else None
        if pointer is None or pointer.oid in answered:
            raise ProtocolError(shown(url), "a batch about a blob that was not asked for")
        answered.add(pointer.oid)
        _sort_in(group, pointer, blob, operation, url, answer.get("transfer") == TUS)
    missing = wanted.keys() - answered
    if missing:
        raise ProtocolError(shown(url), f"no word about {len(missing)} of {len(wanted)} blobs")
    return group


def _present(answer: Mapping[str, object], group: list[Pointer], url: str) -> set[Oid]:
    """Returns the blobs that a batch for download offers at the size asked for; an error about one means that not."""
    objects = answer.get("objects")
    if not isinstance(objects, list):
        raise ProtocolError(shown(url), "a batch without objects")
    wanted = {str(pointer.oid): pointer for pointer in group}
    found = set()
    for blob in objects:
        pointer = wanted.get(str(blob.get("oid"))) if isinstance(blob, dict) else None
        if pointer is None or blob.get("error") is not None or blob.get("size") != pointer.size:
            continue
        actions = blob.get("actions")
        if isinstance(actions, dict) and ("download" in actions or AIMD_PACK in actions):
            found.add(pointer.oid)
    return found


def _sort_in(
    group: _Group, pointer: Pointer, blob: Mapping[str, object], operation: str, url: str, is_tus: bool
) -> None:
    error = blob.get("error")
    if isinstance(error, dict):
        _raise_object_error(pointer, error, operation, url)
    size = blob.get("size", pointer.size)
    if size != pointer.size:
        raise ProtocolError(shown(url), f"blob {pointer.oid} has {str(size)[:20]} bytes, expected {pointer.size}")
    actions = blob.get("actions")
    if not isinstance(actions, dict) or not actions:
        if operation == "download":
            raise ProtocolError(shown(url), f"no download for blob {pointer.oid}")
        return
    if AIMD_PACK in actions:
        if group.pack is None:
            raise ProtocolError(shown(url), "an aimd-pack without its address")
        group.packed.append(pointer)
        return
    parsed = {name: parse_action(action, url) for name, action in actions.items() if name in _ACTIONS}
    if is_tus and "upload" in parsed:
        parsed[TUS] = parsed.pop("upload")
    if operation not in parsed and (TUS not in parsed or operation == "download"):
        raise ProtocolError(shown(url), f"no {operation} for blob {pointer.oid}")
    group.singles.append((pointer, parsed))


def _raise_object_error(pointer: Pointer, error: Mapping[str, object], operation: str, url: str) -> None:
    code, message = error.get("code"), str(error.get("message", ""))[:200]
    if operation == "download" and code in (404, 410):
        raise MissingBlob(pointer.oid, hint=f"'{shown(url)}' lacks it too: push from a workspace that has it")
    raise RemoteRefused(shown(url), f"blob {pointer.oid}: {code} {message}")
