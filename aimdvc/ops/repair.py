"""`fsck --repair`: brings back what is damaged or lost, from the rest of the store, from files, or from any remote.

Order: the files around histories and packs, then git objects, then blobs. Damaged bytes are set aside, not deleted.
Every step is whole and safe to repeat, so a cut run is finished by the next. What could not be healed stays named.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from aimdvc.errors import AimdvcError, CorruptBlob, MissingBlob, StorageError
from aimdvc.fs.system import open_any
from aimdvc.git.mend import lost_tips, mend, mend_own_files
from aimdvc.model.entries import Mode, path_bytes
from aimdvc.model.oid import GitId, Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.connect import Connection, Connector
from aimdvc.ops.fsck import ALL, Checked, Damage, Part, fsck
from aimdvc.ops.inplace import make_writable
from aimdvc.ops.lockfile import read_pins
from aimdvc.ops.repair_history import heal_objects
from aimdvc.ops.scan import CHUNK
from aimdvc.ops.workspace import Workspace
from aimdvc.store.mend import damaged_packs, mend_pack, take_back
from aimdvc.store.state import Head, Place

_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Healed:
    """One thing that was damaged and is no more, and how."""

    what: str
    how: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was healed, and what `fsck` finds now; what of it was tried in vain is in `notes`."""

    healed: list[Healed]
    checked: Checked
    notes: list[str]


def repair(workspace: Workspace, connector: Connector, progress: Progress, part: Part = ALL) -> Repaired:
    """Heals what `fsck` finds, and returns what was healed and what is left."""
    healed = list(_mend_files(workspace))
    found = fsck(workspace, False, progress, part)
    bad_blobs = [damage for damage in found.damage if damage.kind == "blob"]
    notes: list[str] = []
    now = found
    for _ in range(_ROUNDS):
        brought = _heal_objects(workspace, connector, now, notes, progress)
        if not brought:
            break
        # Objects that are here again may name others, and blobs, that nobody missed before.
        healed += brought
        now = fsck(workspace, True, progress, known=bad_blobs)
    blobs = {damage.what: damage for damage in now.damage if damage.kind == "blob"}
    if any(damage.kind in ("file", "artifact", "git-object") for damage in now.damage):
        # Who needs a blob isn't known as long as a history can't be read.
        blobs = {what: damage for what, damage in blobs.items() if damage.size is not None}
    if not blobs:
        now.read = found.read
        return Repaired(healed, now, notes)
    done = _heal_blobs(workspace, connector, blobs, notes, progress)
    after = fsck(workspace, True, progress)
    after.read = found.read
    known = {damage.what for damage in after.damage} | {one.what for one in done}
    after.damage += [damage for damage in [*blobs.values(), *bad_blobs] if damage.what not in known]
    return Repaired(healed + done, after, list(dict.fromkeys(notes)))


def _heal_objects(
    workspace: Workspace, connector: Connector, found: Checked, notes: list[str], progress: Progress
) -> list[Healed]:
    healed = []
    for head in workspace.state.heads():
        history = workspace.history(head.name)
        broken = [one for one in found.damage if one.kind == "git-object" and head.name in one.artifacts]
        wanted = {GitId(damage.what.rpartition(" ")[2]) for damage in broken} | set(lost_tips(history))
        if any(damage.kind == "pin" and damage.artifacts == [head.name] for damage in found.damage):
            wanted.add(read_pins(workspace)[head.name].commit)
        if wanted:
            connections = list(_connections(workspace, connector, head, notes))
            brought, failed = heal_objects(workspace, head, sorted(wanted), connections, progress)
            notes.extend(failed)
            healed += [Healed(f"git object {git_id}", how) for git_id, how in brought]
            healed += _mend_history(workspace, head)
    return healed


def _mend_history(workspace: Workspace, head: Head) -> Iterator[Healed]:
    aside = workspace.blobs.layout.damaged / f"{head.name}.git"
    for path, how in mend_own_files(workspace.repository_path(head.name), workspace.disk, aside):
        yield Healed(str(path), how)
    for path, how in mend(workspace.history(head.name), aside):
        yield Healed(str(path), how)


def _mend_files(workspace: Workspace) -> Iterator[Healed]:
    if workspace.state.faults():
        workspace.forget_state()
        yield Healed(str(workspace.state.path), "set aside; `aimdvc checkout` brings back what aimdvc.lock pins")
    if workspace.blobs.catalog.faults():
        workspace.blobs.catalog.make_anew()
        yield Healed(str(workspace.blobs.catalog.path), "made anew from the blob packs")
    for path, _ in list(damaged_packs(workspace.blobs)):
        kept = mend_pack(workspace.blobs, workspace.disk, path.name)
        yield Healed(str(path), f"set aside; {kept} whole blobs of it are kept")
    for head in workspace.state.heads():
        yield from _mend_history(workspace, head)


def _connections(workspace: Workspace, connector: Connector, head: Head, notes: list[str]) -> Iterator[Connection]:
    """Yields the artifact on each remote of the workspace, its own first."""
    own, path = head.origin
    remotes = workspace.settings.remotes
    for remote in sorted(remotes, key=lambda name: (name != own, name)):
        try:
            yield connector.connect(workspace.disk, remote, remotes[remote], path)
        except AimdvcError as error:
            notes.append(f"{remote}: {error.message}")


def _heal_blobs(
    workspace: Workspace, connector: Connector, damaged: dict[str, Damage], notes: list[str], progress: Progress
) -> list[Healed]:
    _put_aside(workspace, damaged.values())
    wanted = {Oid(what): Pointer(Oid(what), damage.size) for what, damage in damaged.items() if damage.size is not None}
    healed = [Healed(what, "needed by no version; set aside") for what, one in damaged.items() if one.size is None]
    for source in (_from_store, _from_files):
        for oid, how in source(workspace, _missing(workspace, wanted)):
            healed.append(Healed(oid, f"taken from {how}"))
    for head in workspace.state.heads():
        for connection in _connections(workspace, connector, head, notes):
            needed = [one for one in _missing(workspace, wanted) if head.name in damaged[one.oid].artifacts]
            for oid in _from_remote(workspace, connection, needed, notes, progress):
                healed.append(Healed(oid, f"fetched from {connection.url}"))
    return healed


def _missing(workspace: Workspace, wanted: dict[Oid, Pointer]) -> list[Pointer]:
    missing = workspace.blobs.missing(wanted)
    return [pointer for oid, pointer in wanted.items() if oid in missing]


def _put_aside(workspace: Workspace, damaged: Iterable[Damage]) -> None:
    """Takes damaged blobs out of the store; a file that is a hard link to one keeps its bytes, and becomes writable."""
    packs = set()
    inodes: set[int] = set()
    for damage in damaged:
        oid = Oid(damage.what)
        place = workspace.blobs.catalog.find(oid)
        path = workspace.blobs.path_of(oid)
        if place is not None:
            packs.add(place.pack)
        elif path is not None and not workspace.blobs.is_whole(oid):
            if path.stat().st_nlink > 1:
                inodes.add(path.stat().st_ino)
            workspace.blobs.take_out(oid)
    for pack in sorted(packs):
        mend_pack(workspace.blobs, workspace.disk, pack)
    for file in _linked_files(workspace, inodes) if inodes else ():
        make_writable(file)


def _linked_files(workspace: Workspace, inodes: set[int]) -> Iterator[str]:
    for head in workspace.state.heads():
        root = workspace.artifact_root(head)
        for row in workspace.state.rows(head):
            full = os.path.join(root, row.path)
            is_file = row.is_pointer and row.place is Place.DISK and os.path.lexists(full)
            if is_file and os.stat(full, follow_symlinks=False).st_ino in inodes:
                yield full


def _from_store(workspace: Workspace, wanted: list[Pointer]) -> Iterator[tuple[Oid, str]]:
    left = workspace.blobs.rescue({pointer.oid for pointer in wanted})
    for pointer in wanted:
        if pointer.oid not in left and not workspace.blobs.is_whole(pointer.oid):
            workspace.blobs.take_out(pointer.oid)
            left.add(pointer.oid)
        elif pointer.oid not in left:
            yield pointer.oid, "the trash"
    wanted = [pointer for pointer in wanted if pointer.oid in left]
    if wanted:
        with workspace.blobs.writer() as writer:
            yield from list(take_back(workspace.blobs, writer, wanted))


def _from_files(workspace: Workspace, wanted: list[Pointer]) -> Iterator[tuple[Oid, str]]:
    """Stores the blobs that files of the workspace still hold: each is hashed, whatever its stat says."""
    missing = {pointer.oid: pointer for pointer in wanted}
    for head in workspace.state.heads() if missing else ():
        root = path_bytes(workspace.artifact_root(head))
        rows = [row for row in workspace.state.rows(head) if row.oid in missing and row.place is Place.DISK]
        for row in rows:
            pointer = missing.get(row.oid) if row.oid is not None and row.mode != Mode.SYMLINK else None
            if pointer is not None and _take_file(workspace, os.path.join(root, path_bytes(row.path)), pointer):
                del missing[pointer.oid]
                yield pointer.oid, f"the file '{head.name}:{row.path}'"


def _take_file(workspace: Workspace, path: bytes, pointer: Pointer) -> bool:
    try:
        descriptor = open_any(path)
    except OSError:
        return False
    try:
        read: Callable[[], bytes] = lambda: os.read(descriptor, CHUNK)  # noqa: E731
        with workspace.blobs.writer() as writer:
            writer.receive(pointer, iter(read, b""))
    except (CorruptBlob, OSError):
        return False
    finally:
        os.close(descriptor)
    return True


def _from_remote(
    workspace: Workspace, connection: Connection, wanted: list[Pointer], notes: list[str], progress: Progress
) -> list[Oid]:
    """Fetches what a remote has of the blobs: all at once, and then, since one that lacks can spoil it, each alone."""
    for batch in [wanted, *([pointer] for pointer in wanted)] if wanted else ():
        missing = workspace.blobs.missing(pointer.oid for pointer in batch)
        if not missing:
            continue
        try:
            with workspace.blobs.writer() as writer:
                connection.blobs.download([one for one in batch if one.oid in missing], writer, progress)
        except (CorruptBlob, MissingBlob):
            continue
        except StorageError:
            raise
        except AimdvcError as error:
            notes.append(f"{connection.url}: {error.message}")
            break
    left = workspace.blobs.missing(pointer.oid for pointer in wanted)
    return [pointer.oid for pointer in wanted if pointer.oid not in left]
