"""`aimdvc server verify`: whether everything that a server's refs and rows name is there, and is what it should be.

Every git pack is read whole, by the same checks as a push, so what is in it is right and names nothing that is not
there: then whatever a ref reaches is here, too. Safe beside pushes: refs are read before packs, packs before rows.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from aimdvc.errors import CorruptRepository
from aimdvc.git.fsck import BadObjectError
from aimdvc.git.graph import Graph
from aimdvc.git.kinds import BLOB, COMMIT
from aimdvc.git.packcheck import Checked, check_pack
from aimdvc.git.packindex import read_entries
from aimdvc.git.packlimits import ClientLimits
from aimdvc.model.oid import GitId, Oid
from aimdvc.model.pointer import Pointer, find_pointer
from aimdvc.model.progress import Progress
from aimdvc.server.audit import verify_audit
from aimdvc.server.backup import Kept
from aimdvc.server.bytecopy import Damage, artifact_path, iter_artifacts, iter_owned
from aimdvc.server.database import Database
from aimdvc.server.ownership import owned
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
        outside: dict[bytes, int] = {}
        unowned: dict[Oid, int] = {}
        try:
            for pack, found in _iter_checked(repository):
                if isinstance(found, str):
                    yield f"git pack {pack.path.name}", found
                    continue
                done.objects += len(found.kinds)
                outside |= found.outside()
                unowned |= _unowned(kept.database, artifact, found)
            yield from _absent(repository, outside, "is named by another, and is not there or of another type")
            yield from _check_refs(repository, refs)
            if unowned:
                yield from _needed(repository, refs, unowned)
        except (BadObjectError, CorruptRepository) as error:
            yield "git packs", error.message


def _iter_checked(repository: Repository) -> Iterator[tuple[GitPack, Checked | str]]:
    """Yields each pack with what it holds, or why it can't be trusted."""
    for pack in repository.iter_packs():
        # What is gone was joined with others, which come later.
        with suppress(FileNotFoundError):
            try:
                with pack.path.open("rb") as file:
                    entries = read_entries(pack.path.with_suffix(".idx"))
                    checked = check_pack(file.fileno(), pack.size, ClientLimits())
            except (BadObjectError, CorruptRepository) as error:
                yield pack, error.message
                continue
            is_same = sorted(checked.entries, key=lambda entry: entry[1]) == entries
            yield pack, checked if is_same else "its index is that of another"


def _unowned(database: Database, artifact: str, checked: Checked) -> dict[Oid, int]:
    found = owned(database, artifact, (Oid(oid) for oid in checked.pointers))
    return {Oid(oid): size for oid, size in checked.pointers.items() if found.get(Oid(oid)) != size}


def _check_refs(repository: Repository, refs: dict[str, Ref]) -> Iterator[tuple[str, str]]:
    commits = {name for name in refs if name.startswith(_COMMITS) or VERSION_TAG.fullmatch(name)}
    wrong = set(repository.absent({bytes.fromhex(refs[name].target): COMMIT for name in commits}))
    for name, ref in refs.items():
        is_wrong = bytes.fromhex(ref.target) in wrong if name in commits else not repository.has(ref.target)
        if is_wrong:
            yield name, f"names git object {ref.target}, which is not there or no commit"


def _absent(repository: Repository, wanted: dict[bytes, int], reason: str) -> Iterator[tuple[str, str]]:
    absent = repository.absent(wanted)
    yield from ((f"git object {name.hex()}", reason) for name in absent[:_SHOWN])
    if len(absent) > _SHOWN:
        yield "git objects", f"{len(absent) - _SHOWN} more are not there"


def _needed(repository: Repository, refs: dict[str, Ref], unowned: dict[Oid, int]) -> Iterator[tuple[str, str]]:
    """Yields those of the blobs that a ref leads to: what nothing reaches needs none."""
    graph = Graph(repository.read, "the repository")
    left = dict(unowned)
    for git_id in graph.iter_missing({ref.target for ref in refs.values()}, ()):
        pointer = _pointer(repository, git_id)
        if pointer is not None and left.get(pointer.oid) == pointer.size:
            del left[pointer.oid]
            yield f"blob {pointer.oid}", "a version names it, and the artifact does not own it at that size"


def _pointer(repository: Repository, git_id: GitId) -> Pointer | None:
    kind, content = repository.read(git_id)
    return find_pointer(content) if kind == BLOB else None


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
