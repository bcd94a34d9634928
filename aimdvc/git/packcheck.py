"""Reads a git pack that arrived: limits, every object's hash and form, what it names, and the pointers in it.

Objects in full are checked as they come, in one pass, each inflated once. Deltas follow, resolved from their bases in
the same pack (the server asks for no thin packs). All limits count inflated bytes, before they are allocated.
"""

import hashlib
import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from aimdvc.git.deltas import apply_delta
from aimdvc.git.fsck import BadObjectError, check_depth, check_object, is_link_target
from aimdvc.git.kinds import BLOB, COMMIT, OFS_DELTA, REF_DELTA, TAG, TREE
from aimdvc.git.packlimits import PackLimits, most_inflated, most_objects
from aimdvc.model.pointer import POINTER_LIMIT, find_pointer

_NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
_HELD_BYTES = 64 << 20
BAD_LINK = "a symbolic link's target is empty, too long, or has a NUL byte"


@dataclass
class Checked:
    """What a pack holds. `named` are ids with the type they have to have; commits' and tags' contents are kept.

    `links` are those of `named` that are targets of symbolic links; `trees` are trees that hold trees, with those.
    """

    entries: list[tuple[bytes, int, int]] = field(default_factory=list)
    kinds: dict[bytes, int] = field(default_factory=dict)
    named: dict[bytes, int] = field(default_factory=dict)
    heads: dict[bytes, bytes] = field(default_factory=dict)
    pointers: dict[str, int] = field(default_factory=dict)
    links: set[bytes] = field(default_factory=set)
    trees: dict[bytes, list[bytes]] = field(default_factory=dict)
    trailer: bytes = b""

    def outside(self) -> dict[bytes, int]:
        """Returns what the pack's objects name and it does not hold. Raises BadObjectError where a type is another."""
        kinds = self.kinds
        missing = {}
        for git_id, kind in self.named.items():
            found = kinds.get(git_id)
            if found is None:
                missing[git_id] = kind
            elif found != kind:
                raise BadObjectError(f"git object {git_id.hex()} is not what another takes it for")
        return missing


@dataclass(slots=True)
class _Delta:
    """One deltified object: where its entry and its data begin, and the inflated size of the data."""

    offset: int
    data_at: int
    size: int
    crc: int = 0


@dataclass(slots=True)
class _Level:
    """One object on the way up a chain; `delta` made it from the one below."""

    content: bytes | None
    delta: _Delta | None
    children: Iterator[_Delta]


def check_pack(descriptor: int, size: int, limits: PackLimits) -> Checked:
    """Checks the pack in an open file. Raises BadObjectError; the message is for the pusher."""
    if size < 32:
        raise BadObjectError("the pack is cut")
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as raw:
        return _Reader(raw, limits).run()


def inflate(raw: mmap.mmap, position: int, size: int) -> tuple[bytes, int]:
    """Returns what begins here in a pack, of so many bytes, and where it ends; never holds more than was declared.

    Raises BadObjectError.
    """
    end = len(raw) - 20
    inflater = zlib.decompressobj()
    step = size + 64
    parts, left = [], size + 1
    try:
        while not inflater.eof:
            if position >= end:
                raise BadObjectError("the pack is cut")
            # `unused_data` copies all that is fed beyond the end: feed little.
            chunk = raw[position : min(position + step, end)]
            position += len(chunk)
            part = inflater.decompress(chunk, left)
            left -= len(part)
            parts.append(part)
            if left <= 0 or inflater.unconsumed_tail:
                raise BadObjectError("an object is larger than it says")
            step = 1 << 16
    except zlib.error as error:
        raise BadObjectError("an object can't be inflated") from error
    if left != 1:
        raise BadObjectError("an object is smaller than it says")
    return parts[0] if len(parts) == 1 else b"".join(parts), position - len(inflater.unused_data)


class _Reader:
    def __init__(self, raw: mmap.mmap, limits: PackLimits) -> None:
        self._raw = raw
        self._end = len(raw) - 20
        self._limits = limits
        self._most_inflated = most_inflated(limits, len(raw))
        self._inflated = 0
        self._checked = Checked()
        self._by_offset: dict[int, list[_Delta]] = {}
        self._by_name: dict[bytes, list[_Delta]] = {}
        self._waiting = 0
        self._subtrees: list[bytes] = []
        self._no_links: set[bytes] = set()

    def run(self) -> Checked:
        magic, version, count = struct.unpack(">4sII", self._raw[:12])
        if magic != b"PACK" or version not in (2, 3):
            raise BadObjectError("this is no pack of version 2")
        # The smallest entry takes 1 byte of header and 8 of zlib: a count beyond that is a lie.
        if count * 9 > self._end - 12:
            raise BadObjectError(f"a pack of {len(self._raw)} bytes can't hold {count} objects")
        most = most_objects(self._limits, len(self._raw))
        if count > most:
            raise BadObjectError(f"{count} git objects in a pack of {len(self._raw)} bytes, expected at most {most}")
        position = 12
        for _ in range(count):
            if position + 24 > len(self._raw):
                raise BadObjectError("the pack is cut")
            position = self._read_entry(position)
        if position != self._end:
            raise BadObjectError("bytes follow the pack's last object")
        digest = hashlib.sha1(usedforsecurity=False)
        for start in range(0, self._end, 1 << 20):
            digest.update(self._raw[start : min(start + (1 << 20), self._end)])
        self._checked.trailer = self._raw[self._end :]
        if digest.digest() != self._checked.trailer:
            raise BadObjectError("the pack's checksum is wrong")
        if self._waiting:
            self._resolve()
        if not self._no_links.isdisjoint(self._checked.links):
            raise BadObjectError(BAD_LINK)
        check_depth(self._checked.trees, lambda name: ())
        return self._checked

    def _read_entry(self, offset: int) -> int:
        raw = self._raw
        byte = raw[offset]
        kind, size, shift = (byte >> 4) & 7, byte & 15, 4
        position = offset + 1
        while byte & 0x80:
            byte = raw[position]
            size |= (byte & 0x7F) << shift
            shift += 7
            position += 1
            if shift > 60:
                raise BadObjectError("an object's size can't be read")
        if kind in _NAMES:
            content, end = self._inflate(position, size)
            self._take(kind, content, offset, zlib.crc32(raw[offset:end]))
            return end
        if kind == OFS_DELTA:
            base, position = self._base_offset(offset, position)
            delta = _Delta(offset, position, size)
            self._by_offset.setdefault(base, []).append(delta)
        elif kind == REF_DELTA:
            delta = _Delta(offset, position + 20, size)
            self._by_name.setdefault(raw[position : position + 20], []).append(delta)
        else:
            raise BadObjectError(f"an object has type {kind}")
        _, end = self._inflate(delta.data_at, size)
        delta.crc = zlib.crc32(raw[offset:end])
        self._waiting += 1
        return end

    def _base_offset(self, offset: int, position: int) -> tuple[int, int]:
        byte = self._raw[position]
        distance = byte & 0x7F
        while byte & 0x80:
            position += 1
            byte = self._raw[position]
            distance = ((distance + 1) << 7) | (byte & 0x7F)
            if distance > offset:
                break
        if not 0 < distance < offset:
            raise BadObjectError("a delta's base lies outside the pack")
        return offset - distance, position + 1

    def _inflate(self, position: int, size: int) -> tuple[bytes, int]:
        """Returns the content that begins here and where it ends; never holds more than was declared."""
        self._spend(size)
        return inflate(self._raw, position, size)

    def _spend(self, size: int) -> None:
        if size > self._limits.git_object_bytes:
            raise BadObjectError(f"a git object of {size} bytes, expected at most {self._limits.git_object_bytes}")
        self._inflated += size
        if self._inflated > self._most_inflated:
            raise BadObjectError(
                f"git objects of more than {self._most_inflated} bytes together, push fewer versions at a time"
            )

    def _take(self, kind: int, content: bytes, offset: int, crc: int) -> bytes:
        checked = self._checked
        digest = hashlib.sha1(b"%s %d\0" % (_NAMES[kind], len(content)), usedforsecurity=False)
        digest.update(content)
        name = digest.digest()
        if name in checked.kinds:
            raise BadObjectError(f"git object {name.hex()} comes twice")
        if kind == BLOB:
            if not is_link_target(content):
                self._no_links.add(name)
            if len(content) < POINTER_LIMIT:
                pointer = find_pointer(content)
                if pointer is not None and checked.pointers.setdefault(pointer.oid, pointer.size) != pointer.size:
                    raise BadObjectError(f"blob {pointer.oid} is named with two sizes")
        else:
            check_object(kind, content, self._refer)
            if kind != TREE:
                checked.heads[name] = content
            elif self._subtrees:
                checked.trees[name] = self._subtrees
            self._subtrees = []
        checked.kinds[name] = kind
        checked.entries.append((name, offset, crc))
        return name

    def _refer(self, name: bytes, kind: int, *, is_link: bool = False) -> None:
        if is_link:
            self._checked.links.add(name)
        elif kind == TREE:
            self._subtrees.append(name)
        if self._checked.named.setdefault(name, kind) != kind:
            raise BadObjectError(f"git object {name.hex()} is named with two types")

    def _resolve(self) -> None:
        """Resolves deltas depth first, from the objects in full upwards; what is left over has no base here."""
        roots = [(name, offset) for name, offset, _ in self._checked.entries]
        for name, offset in roots:
            if offset in self._by_offset or name in self._by_name:
                self._resolve_children(name, offset)
        if self._waiting:
            raise BadObjectError("a delta's base is not in the pack (thin packs are not taken)")

    def _read_full(self, offset: int) -> tuple[int, bytes]:
        kind = (self._raw[offset] >> 4) & 7
        size, shift, position = self._raw[offset] & 15, 4, offset + 1
        while self._raw[position - 1] & 0x80:
            size |= (self._raw[position] & 0x7F) << shift
            shift += 7
            position += 1
        return kind, self._inflate(position, size)[0]

    def _resolve_children(self, name: bytes, offset: int) -> None:
        kind, content = self._read_full(offset)
        stack = [_Level(content, None, self._children(name, offset))]
        while stack:
            delta = next(stack[-1].children, None)
            if delta is None:
                stack.pop()
                continue
            if len(stack) > self._limits.delta_depth:
                raise BadObjectError(f"a chain of more than {self._limits.delta_depth} deltas")
            made = self._apply(self._content(stack, offset), delta)
            child = self._take(kind, made, delta.offset, delta.crc)
            self._waiting -= 1
            stack.append(_Level(made, delta, self._children(child, delta.offset)))
            _trim(stack)

    def _children(self, name: bytes, offset: int) -> Iterator[_Delta]:
        return iter(self._by_offset.pop(offset, []) + self._by_name.pop(name, []))

    def _apply(self, base: bytes, delta: _Delta) -> bytes:
        data, _ = self._inflate(delta.data_at, delta.size)
        return apply_delta(base, data, self._spend)

    def _content(self, stack: list[_Level], root_offset: int) -> bytes:
        """Returns the topmost content, made again from the nearest one that is still held."""
        start = len(stack) - 1
        while start and stack[start].content is None:
            start -= 1
        content = stack[start].content
        if content is None:
            content = self._read_full(root_offset)[1]
        for level in stack[start + 1 :]:
            if level.delta is not None:
                content = self._apply(content, level.delta)
        stack[-1].content = content
        return content


def _trim(stack: list[_Level]) -> None:
    """Lets go of contents at the bottom of a chain until what is held is little; they can be made again."""
    held = sum(len(level.content) for level in stack if level.content is not None)
    for level in stack[:-1]:
        if held <= _HELD_BYTES:
            return
        if level.content is not None:
            held -= len(level.content)
            level.content = None
