"""`aimdvc server verify`: whether everything that a server's refs and rows name is there, and is what it should be.

Every git pack is read whole, each object hashed and checked, so what is in it is right and names nothing that is not
there: then whatever a ref reaches is here, too. Safe beside pushes: refs are read before packs, packs before rows.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from aimdvc.errors import CorruptRepository, StorageError
from aimdvc.fs.faults import is_unreadable, mapped
from aimdvc.git.fsck import BadObjectError
from aimdvc.git.kinds import BLOB, COMMIT
from aimdvc.model.oid import GitId, Oid
from aimdvc.model.pointer import POINTER_LIMIT, find_pointer
from aimdvc.model.progress import Progress
from aimdvc.server.audit import verify_audit
from aimdvc.server.backup import Kept
from aimdvc.server.bytecopy import Damage, artifact_path, iter_artifacts, iter_owned
from aimdvc.server.catalogue import is_kept
from aimdvc.server.database import Database
from aimdvc.server.limits import CHUNK_BYTES
from aimdvc.server.numbered import Marks, numbered
from aimdvc.server.ownership import owned
from aimdvc.server.packclosure import TOLD, Named
from aimdvc.server.packkinds import PackKinds
from aimdvc.server.packverify import verify_pack
from aimdvc.server.reaching import mark_reached
from aimdvc.server.refs import VERSION_TAG, Ref, read_refs
from aimdvc.server.repositories import GitPack, Repository
from aimdvc.server.rowcheck import faults_of_rows
from aimdvc.server.scrub import examine, owners_of

_PAGE = 800
_SHOWN = 20
_COMMITS = ("refs/heads/", "refs/aliases/")


@dataclass(slots=True)
class Verified:
    """What was looked at, and what is wrong with it. `size` is the bytes of blobs that were read."""

    artifacts: int = 0
    refs: int = 0
    objects: int = 0
    blobs: int = 0
    size: int = 0
    entries: int = 0
    damage: list[Damage] = field(default_factory=list)


def verify(kept: Kept, with_data: bool, progress: Progress) -> Verified:
    """Checks a server's rows, refs, git packs and blobs; with `with_data` reads and hashes every blob, too.

    Changes nothing, save that a blob which is found damaged is set aside: it counts as missing from then on.
    """
    done = Verified()
    done.damage += (Damage("", "the database", fault) for fault in faults_of_rows(kept.database))
    try:
        done.entries = verify_audit(kept.database).entries
    except CorruptRepository as error:
        done.damage.append(Damage("", "the audit log", error.message.partition(": ")[2]))
    progress.start("checking artifacts", None, "files")
    for artifact in iter_artifacts(kept.database):
        done.artifacts += 1
        damage = list(_check_artifact(kept, artifact, done))
        if damage:
            path = artifact_path(kept.database, artifact)
            done.damage += (Damage(path, what, reason) for what, reason in damage)
        progress.advance(1)
    progress.finish()
    progress.start("reading blobs" if with_data else "checking blobs", None, "bytes")
    _check_stored(kept, with_data, done, progress)
    progress.finish()
    return done


def _check_artifact(kept: Kept, artifact: str, done: Verified) -> Iterator[tuple[str, str]]:
    # As in a push: nothing that packs name is dropped from others meanwhile.
    with kept.database.using_packs(artifact):
        if not is_kept(kept.database, artifact):
            return
        yield from _check_history(kept, artifact, done)
    for page in iter_owned(kept.database, artifact):
        done.blobs += len(page)
        gone = kept.storage.blobs.missing(dict(page))
        # Asked again, since gc may have taken it from the artifact meanwhile.
        yield from ((f"blob {oid}", "is gone") for oid in sorted(owned(kept.database, artifact, gone)))


def _check_history(kept: Kept, artifact: str, done: Verified) -> Iterator[tuple[str, str]]:
    refs = read_refs(kept.database, artifact)
    done.refs += len(refs)
    with kept.storage.repository(artifact) as repository:
        found = _Found(kept.database, artifact, Named(repository.absent, lambda name: _content(repository, name)))
        try:
            for pack in repository.iter_packs():
                yield from _check_pack(pack, found, done)
            found.settle()
            yield from _absent(sorted(found.named.absent))
            yield from _check_refs(repository, refs)
            if found.has_unowned:
                yield from _needed(kept.database, artifact, repository, refs)
        except _FAULTS as error:
            yield "git packs", _reason(error)


def _check_pack(pack: GitPack, found: "_Found", done: Verified) -> Iterator[tuple[str, str]]:
    # What is gone was joined with others, which come later.
    with suppress(FileNotFoundError):
        try:
            # What the disk can't give is an error here; beneath a map it would end the process.
            for path in (pack.path, pack.path.with_suffix(".idx")):
                _read_through(path)
            with PackKinds(pack.path, pack.count) as stored:
                verify_pack(stored, found.take)
                done.objects += stored.count
        except _FAULTS as error:
            yield f"git pack {pack.path.name}", _reason(error)


_FAULTS = (BadObjectError, CorruptRepository, StorageError)


def _reason(error: BadObjectError | CorruptRepository | StorageError) -> str:
    """Returns what is wrong with a pack. Raises the error again where the storage can't be used at all."""
    if isinstance(error, StorageError) and not is_unreadable(error):
        raise error
    return error.message


def _read_through(path: Path) -> None:
    """Raises FileNotFoundError, StorageError."""
    with mapped(path), path.open("rb", buffering=0) as file:
        while file.read(CHUNK_BYTES):
            pass


class _Found:
    """Takes the objects of an artifact's packs: checks their forms, what they name, and which blobs pointers name."""

    def __init__(self, database: Database, artifact: str, named: Named) -> None:
        self._database = database
        self._artifact = artifact
        self._pointers: dict[Oid, int] = {}
        self.named = named
        self.has_unowned = False

    def take(self, _: bytes, kind: int, content: bytes) -> None:
        self.named.take(kind, content)
        pointer = find_pointer(content) if kind == BLOB and len(content) < POINTER_LIMIT else None
        if pointer is not None and not self.has_unowned:
            if self._pointers.setdefault(pointer.oid, pointer.size) != pointer.size:
                raise BadObjectError(f"blob {pointer.oid} is named with two sizes")
            if len(self._pointers) >= _PAGE:
                self._ask()

    def settle(self) -> None:
        self.named.settle()
        self._ask()

    def _ask(self) -> None:
        self.has_unowned = self.has_unowned or any(_unowned(self._database, self._artifact, self._pointers))
        self._pointers.clear()


def _content(repository: Repository, name: bytes) -> bytes:
    return repository.read(GitId(name.hex()))[1]


def _unowned(database: Database, artifact: str, pointers: dict[Oid, int]) -> list[Oid]:
    found = owned(database, artifact, pointers)
    return [oid for oid, size in pointers.items() if found.get(oid) != size]


def _check_refs(repository: Repository, refs: dict[str, Ref]) -> Iterator[tuple[str, str]]:
    commits = {name for name in refs if name.startswith(_COMMITS) or VERSION_TAG.fullmatch(name)}
    wrong = set(repository.absent({bytes.fromhex(refs[name].target): COMMIT for name in commits}))
    for name, ref in refs.items():
        is_wrong = bytes.fromhex(ref.target) in wrong if name in commits else not repository.has(ref.target)
        if is_wrong:
            yield name, f"names git object {ref.target}, which is not there or no commit"


def _absent(absent: list[bytes]) -> Iterator[tuple[str, str]]:
    reason = "is named by another, and is not there or of another type"
    yield from ((f"git object {name.hex()}", reason) for name in absent[:_SHOWN])
    if len(absent) > _SHOWN:
        at_least = "at least " if len(absent) == TOLD else ""
        yield "git objects", f"{at_least}{len(absent) - _SHOWN} more are not there"


def _needed(
    database: Database, artifact: str, repository: Repository, refs: dict[str, Ref]
) -> Iterator[tuple[str, str]]:
    """Yields the blobs that a ref leads to and the artifact does not own: what nothing reaches needs none."""
    reason = "a version names it, and the artifact does not own it at that size"
    with numbered(repository) as objects:
        marks = Marks(objects.count)
        for ref in refs.values():
            mark_reached(objects, bytes.fromhex(ref.target), marks)
        pointers: dict[Oid, int] = {}
        for number in marks.within(0, objects.count):
            kind, content = objects.read(number)
            pointer = find_pointer(content) if kind == BLOB and len(content) < POINTER_LIMIT else None
            if pointer is not None:
                pointers[pointer.oid] = pointer.size
            if len(pointers) >= _PAGE:
                yield from ((f"blob {oid}", reason) for oid in _unowned(database, artifact, pointers))
                pointers.clear()
        yield from ((f"blob {oid}", reason) for oid in _unowned(database, artifact, pointers))


def _check_stored(kept: Kept, with_data: bool, done: Verified, progress: Progress) -> None:
    """Checks sizes, and with the data hashes, of the stored blobs that somebody owns."""
    stored = iter(kept.storage.keeping.iter_stored())
    while page := list(islice(stored, _PAGE)):
        owners = owners_of(kept.database, [one.oid for one in page])
        for one in page:
            if one.oid not in owners:
                continue
            reason = f"has {one.size} bytes, and is owned at another size"
            wrong = [artifact for artifact, size in owners[one.oid] if size != one.size]
            done.damage += (
                Damage(artifact_path(kept.database, artifact), f"blob {one.oid}", reason) for artifact in wrong
            )
            if with_data:
                done.size += one.size
                done.damage += examine(kept, one.oid, progress.advance)
            else:
                progress.advance(one.size)
