"""Finds damaged files of an artifact's repository, and mends what can be from the rest of it.

Git objects are checked where they are read (ops/fsck.py); here are the files around them: HEAD, config, refs, packs and
their indexes. What is replaced is copied to a directory first: nothing is deleted.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from aimdvc.errors import ConfigSyntaxError, CorruptRepository
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.fs.leftovers import remove_leftovers
from aimdvc.git.fsck import BadObjectError
from aimdvc.git.history import History
from aimdvc.git.layout import iter_loose
from aimdvc.git.packcheck import check_pack
from aimdvc.git.packedrefs import is_packed_line
from aimdvc.git.packindex import encode_index, iter_names
from aimdvc.git.packlimits import ClientLimits
from aimdvc.git.packs import PackWriter, clean_repository
from aimdvc.git.refnames import is_safe_ref
from aimdvc.git.refs import Refs
from aimdvc.model.gitconfig import parse
from aimdvc.model.oid import GitId

_CHUNK = 1 << 20
_PACKED = "packed-refs"


def find_damaged_files(history: History) -> Iterator[tuple[Path, str]]:
    """Yields the damaged refs, packs and indexes with what is wrong with each; changes nothing."""
    for name, reason in _damaged_refs(history).items():
        yield history.path / name, reason + _suggestion(history, name)
    for pack in _packs(history):
        index = pack.with_suffix(".idx")
        if reason := _pack_fault(pack):
            yield pack, reason
        if reason := _index_fault(index, pack):
            yield index, reason


def mend(history: History, aside: Path) -> Iterator[tuple[Path, str]]:
    """Mends the damaged refs, packs and indexes that the rest of the repository can mend, and yields each with how.

    `aside` is where the damaged ones are copied. Safe to repeat. Objects that are lost with a damaged pack, or were
    damaged as loose ones, are missing afterwards: whoever has them can bring them.
    """
    yield from _mend_refs(history, aside)
    for pack in list(_packs(history)):
        index = pack.with_suffix(".idx")
        if _pack_fault(pack):
            kept = _salvage(history, pack)
            for path in (index, pack):
                _set_aside(history.path, history.disk, path, aside)
                history.disk.unlink(path)
            yield pack, f"set aside; {kept} whole git objects of it are kept"
        elif _index_fault(index, pack) and _index_again(history, pack, aside):
            yield index, "made anew from its pack"
    for path in _damaged_loose(history):
        _set_aside(history.path, history.disk, path, aside)
        history.disk.unlink(path)
        yield path, "set aside"
    history.close()


def lost_tips(history: History) -> Iterator[GitId]:
    """Yields where damaged refs stood by their reflogs, so long as what they stood at is not here, or not whole."""
    for name in _damaged_refs(history):
        log = history.reflog(name)
        if log and log[-1].new is not None and _last_logged(history, name) is None:
            yield log[-1].new


def mend_own_files(repository: Path, disk: Disk, aside: Path) -> Iterator[tuple[Path, str]]:
    """Makes a damaged HEAD and config anew, without which the repository can't be opened."""
    for path, _ in list(find_damaged_own_files(repository)):
        _set_aside(repository, disk, path, aside)
        disk.unlink(path)
        History.create(repository, disk)
        yield path, "made anew"


def find_damaged_own_files(repository: Path) -> Iterator[tuple[Path, str]]:
    """Yields HEAD and config if they are damaged, with what is wrong. A later format is none of that."""
    head, config = repository / "HEAD", repository / "config"
    if head.exists():
        text = head.read_text("utf-8", "surrogateescape").strip()
        if not text.startswith("ref: ") or not is_safe_ref(text[len("ref: ") :].strip()):
            yield head, f"holds '{text[:60]}', expected a branch"
    if config.exists():
        try:
            parsed = parse(config.read_bytes(), str(config))
        except ConfigSyntaxError as error:
            yield config, error.message
        else:
            is_ours = parsed.get("core", None, "repositoryformatversion") in ("0", "1", None)
            if is_ours and not _is_true(parsed.get("core", None, "bare")):
                yield config, "doesn't say that this is a bare repository"


def _is_true(value: str | None) -> bool:
    return value is not None and value.lower() in ("true", "yes", "on", "1")


def _damaged_refs(history: History) -> dict[str, str]:
    """Returns the refs that can't be read or are gone, and `packed-refs`, with what is wrong.

    Gone is a ref whose reflog tells of more than its making, and not of its end.
    """
    refs = Refs(history.path, history.disk)
    known, faults = refs.readable()
    found = {name: message.partition(": ")[2] for name, message in sorted(faults.items())}
    for name in sorted(_logged(refs) - known.keys() - faults.keys()):
        log = refs.reflog(name)
        if log and log[-1].new is not None and log[-1].old is not None:
            found[name] = "is gone"
    return found


def _logged(refs: Refs) -> set[str]:
    return {name for name in refs.logged() if name.startswith("refs/")}


def _suggestion(history: History, ref: str) -> str:
    found = _last_logged(history, ref)
    return f"; by its reflog it stood at {found}" if found is not None else ""


def _last_logged(history: History, ref: str) -> GitId | None:
    """Returns where a ref stood last, by its reflog, when that is here and whole."""
    log = history.reflog(ref)
    last = log[-1].new if log else None
    return last if last is not None and history.is_whole_tip(last) else None


def _mend_refs(history: History, aside: Path) -> Iterator[tuple[Path, str]]:
    """Puts damaged refs where their reflogs say; those of a remote go, since the next fetch brings them."""
    for name in sorted(_damaged_refs(history), key=lambda name: name == _PACKED):
        path = history.path / name
        target = _last_logged(history, name)
        if name == _PACKED:
            _set_aside(history.path, history.disk, path, aside)
            yield from _mend_packed_refs(history, path)
        elif target is not None:
            if path.exists():
                _set_aside(history.path, history.disk, path, aside)
            _replace(history, path, target.encode() + b"\n")
            yield path, f"put to {target[:12]}, where its reflog says it stood"
        elif name.startswith("refs/remotes/"):
            _set_aside(history.path, history.disk, path, aside)
            history.disk.unlink(path)
            yield path, "set aside: the next fetch brings it"


def _mend_packed_refs(history: History, path: Path) -> Iterator[tuple[Path, str]]:
    """Keeps the lines that can be read; what was in the others comes back from the reflogs."""
    refs = Refs(history.path, history.disk)
    for name in sorted(_logged(refs) - refs.readable()[0].keys()):
        target = _last_logged(history, name)
        if target is not None:
            _replace(history, history.path / name, target.encode() + b"\n")
            yield history.path / name, f"put to {target[:12]}, where its reflog says it stood"
    lines = path.read_text("utf-8", "surrogateescape").splitlines(keepends=True)
    kept = "".join(line for line in lines if is_packed_line(line.rstrip("\n")))
    _replace(history, path, kept.encode("utf-8", "surrogateescape"))
    yield path, "kept the lines that can be read"


def _packs(history: History) -> Iterator[Path]:
    yield from sorted((history.path / "objects" / "pack").glob("pack-*.pack"))


def _pack_fault(pack: Path) -> str:
    """Returns what is wrong with a pack's bytes, "" for nothing."""
    return "" if _digests_agree(pack) else "its bytes have another checksum"


def _index_fault(index: Path, pack: Path) -> str:
    if not index.exists():
        return "is missing, and its pack is there"
    if not _digests_agree(index):
        return "its bytes have another checksum"
    with index.open("rb") as file, pack.open("rb") as other:
        file.seek(-40, 2)
        other.seek(-20, 2)
        return "" if file.read(20) == other.read(20) else "belongs to another pack"


def _digests_agree(path: Path) -> bool:
    """Returns whether a file ends with the SHA-1 of all before it, as packs and their indexes do."""
    left = path.stat().st_size - 20
    if left < 12:
        return False
    digest = hashlib.sha1(usedforsecurity=False)
    with mapped(path), path.open("rb") as file:
        while left:
            chunk = file.read(min(_CHUNK, left))
            digest.update(chunk)
            left -= len(chunk)
        return file.read() == digest.digest()


def _index_again(history: History, pack: Path, aside: Path) -> bool:
    """Writes a pack's index anew; returns False for a pack that can't be read by itself."""
    index = pack.with_suffix(".idx")
    with pack.open("r+b" if pack.stat().st_mode & 0o200 else "rb") as file:
        try:
            checked = check_pack(file.fileno(), pack.stat().st_size, ClientLimits())
        except BadObjectError:
            return False
    if index.exists():
        _set_aside(history.path, history.disk, index, aside)
    _replace(history, index, encode_index(checked.entries, checked.trailer), 0o444)
    return True


def _salvage(history: History, pack: Path) -> int:
    """Copies the whole objects of a damaged pack into a new one; returns how many there were."""
    writer = PackWriter(history.disk, pack.parent)
    try:
        for raw in iter_names(pack.with_suffix(".idx")):
            git_id = GitId(raw.hex())
            try:
                writer.add(*history.read_object(git_id), git_id)
            except CorruptRepository:
                continue
        if len(writer):
            writer.publish(pack.parent)
        return len(writer)
    finally:
        writer.discard()


def _damaged_loose(history: History) -> Iterator[Path]:
    for git_id, path in iter_loose(history.path / "objects"):
        if not _is_whole_loose(git_id, path):
            yield path


def _is_whole_loose(git_id: GitId, path: Path) -> bool:
    inflate: Callable[[bytes], bytes] = zlib.decompressobj().decompress
    digest = hashlib.sha1(usedforsecurity=False)
    try:
        with mapped(path), path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(inflate(chunk))
    except zlib.error:
        return False
    return digest.hexdigest() == git_id


def _replace(history: History, path: Path, content: bytes, mode: int = 0o644) -> None:
    """Makes a file hold these bytes. What a kill leaves lies where no ref and no pack is looked for."""
    clean_repository(history.path)
    history.disk.make_directory(path.parent)
    history.disk.replace_file(path, content, mode, scratch=history.path)


def _set_aside(repository: Path, disk: Disk, path: Path, aside: Path) -> None:
    """Copies a damaged file; the copy is durable before anything happens to the file."""
    if not path.exists():
        return
    target = aside / path.relative_to(repository)
    disk.make_directory(target.parent)
    remove_leftovers(target.parent)
    with mapped(path), disk.create_temp(target.parent) as temp, path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            temp.write(chunk)
        disk.publish(temp, target, 0o444)
