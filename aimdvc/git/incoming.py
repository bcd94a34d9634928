"""Takes a git pack that arrives: into a temporary file, checked whole, then published. Nothing refers to it before."""

import struct
import zlib
from collections.abc import Iterable, Sequence

from dulwich.errors import ApplyDeltaError, ChecksumMismatch, FileFormatException
from dulwich.object_store import DiskObjectStore
from dulwich.pack import UnresolvedDeltas

from aimdvc.errors import ProtocolError
from aimdvc.fs.disk import TempFile
from aimdvc.fs.leftovers import temporary_name
from aimdvc.fs.system import pread
from aimdvc.git.closure import check_closed
from aimdvc.git.fsck import BadObjectError
from aimdvc.git.history import History
from aimdvc.git.packcheck import Checked, check_pack
from aimdvc.git.packindex import encode_index
from aimdvc.git.packlimits import ClientLimits
from aimdvc.git.packs import clean_repository, publish_pack
from aimdvc.model.oid import GitId

_EMPTY_PACK_BYTES = 32
FAULTS = (
    ApplyDeltaError,
    ChecksumMismatch,
    FileFormatException,
    zlib.error,
    struct.error,
    ValueError,
    AssertionError,
    IndexError,
    OverflowError,
    TypeError,
    EOFError,
)
"""What dulwich raises for damaged packs, and for deltas that can't be applied."""


def take_pack(history: History, chunks: Iterable[bytes], source: str, wants: Sequence[GitId]) -> None:
    """Stores a pack durably; a thin one is completed from what the history has.

    Raises ProtocolError for a pack that is cut, malformed, holds what no repository should (fsck), lacks what was
    wanted, or names what is neither in it nor in the history; nothing is kept.
    """
    directory = history.path / "objects" / "pack"
    history.disk.make_directory(directory)
    clean_repository(history.path)
    with history.disk.create_temp(directory) as temp:
        size = 0
        for chunk in chunks:
            temp.write(chunk)
            size += len(chunk)
        if size <= _EMPTY_PACK_BYTES and _count(temp) == 0:
            check_closed(history, Checked(), source, wants)
            return
        try:
            checked = check_pack(temp.fd, size, ClientLimits())
        except BadObjectError as error:
            if not is_thin(error):
                raise ProtocolError(source, str(error)) from error
            _complete(history, temp, source, wants)
            return
        check_closed(history, checked, source, wants)
        publish_pack(history.disk, temp, directory, encode_index(checked.entries, checked.trailer), checked.trailer)


def is_thin(error: BadObjectError) -> bool:
    """Returns whether a check failed only since a delta's base is not in the pack."""
    return "not in the pack" in str(error)


def _count(temp: TempFile) -> int:
    return int.from_bytes(pread(temp.fd, 4, 8), "big")


def _complete(history: History, temp: TempFile, source: str, wants: Sequence[GitId]) -> None:
    """Appends the missing bases, as dulwich does, into a store of its own, and checks the result like any pack."""
    directory = history.path / "objects" / "pack"
    quarantine = directory.parent / temporary_name("incoming-")
    history.disk.make_directory(quarantine / "pack")
    store = DiskObjectStore(str(quarantine))
    try:
        store.add_alternate_path(str(history.path / "objects"))
        with temp.path.open("rb") as file:
            store.add_thin_pack(file.read, None)
        for pack in sorted((quarantine / "pack").glob("*.pack")):
            with history.disk.create_temp(directory) as whole:
                with pack.open("rb") as file:
                    while chunk := file.read(1 << 20):
                        whole.write(chunk)
                try:
                    checked = check_pack(whole.fd, pack.stat().st_size, ClientLimits())
                except BadObjectError as error:
                    raise ProtocolError(source, str(error)) from error
                check_closed(history, checked, source, wants)
                index = encode_index(checked.entries, checked.trailer)
                publish_pack(history.disk, whole, directory, index, checked.trailer)
    except (KeyError, UnresolvedDeltas) as error:
        raise ProtocolError(source, f"a delta's base is neither in the pack nor here: {error}") from error
    except FAULTS as error:
        raise ProtocolError(source, f"a pack can't be completed: {error or type(error).__name__}") from error
    finally:
        store.close()
        for path in sorted(quarantine.rglob("*"), key=lambda path: -len(path.parts)):
            path.rmdir() if path.is_dir() else path.unlink()
        quarantine.rmdir()
