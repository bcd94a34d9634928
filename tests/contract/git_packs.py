"""Makes git packs by hand: good ones, and ones that no git would make."""

import hashlib
import struct
import zlib

COMMIT, TREE, BLOB, TAG, OFS, REF = 1, 2, 3, 4, 6, 7
_NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
WHO = b"A <a@example.org> 1700000000 +0000"


class Made:
    """A pack in the making. Every method returns the hex id of what it added."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self._seen: set[str] = set()

    def add(self, kind: int, content: bytes) -> str:
        name = hashlib.sha1(b"%s %d\0" % (_NAMES[kind], len(content)) + content).hexdigest()
        if name not in self._seen:
            self._seen.add(name)
            self.entries.append(entry(kind, content))
        return name

    def blob(self, content: bytes) -> str:
        return self.add(BLOB, content)

    def tree(self, entries: list[tuple[bytes, bytes, str]]) -> str:
        return self.add(TREE, b"".join(mode + b" " + name + b"\0" + bytes.fromhex(git) for mode, name, git in entries))

    def commit(self, tree: str, parents: tuple[str, ...] = (), message: bytes = b"m\n", who: bytes = WHO) -> str:
        lines = [b"tree " + tree.encode(), *(b"parent " + parent.encode() for parent in parents)]
        lines += [b"author " + who, b"committer " + who, b"", message]
        return self.add(COMMIT, b"\n".join(lines))

    def tag(self, target: str, name: bytes = b"t") -> str:
        text = b"object " + target.encode() + b"\ntype commit\ntag " + name + b"\ntagger " + WHO + b"\n\nm\n"
        return self.add(TAG, text)

    def pack(self) -> bytes:
        return pack_of(self.entries)


def header(kind: int, size: int) -> bytes:
    byte = (kind << 4) | (size & 15)
    size >>= 4
    out = bytearray()
    while size:
        out.append(byte | 0x80)
        byte = size & 0x7F
        size >>= 7
    out.append(byte)
    return bytes(out)


def entry(kind: int, content: bytes, size: int | None = None) -> bytes:
    return header(kind, len(content) if size is None else size) + zlib.compress(content)


def ofs_entry(distance: int, delta: bytes) -> bytes:
    out = bytearray([distance & 0x7F])
    distance >>= 7
    while distance:
        distance -= 1
        out.insert(0, 0x80 | (distance & 0x7F))
        distance >>= 7
    return header(OFS, len(delta)) + bytes(out) + zlib.compress(delta)


def ref_entry(base: str, delta: bytes) -> bytes:
    return header(REF, len(delta)) + bytes.fromhex(base) + zlib.compress(delta)


def varint(size: int) -> bytes:
    out = bytearray()
    while True:
        byte = size & 0x7F
        size >>= 7
        out.append(byte | (0x80 if size else 0))
        if not size:
            return bytes(out)


def pack_of(entries: list[bytes], count: int | None = None) -> bytes:
    body = b"PACK" + struct.pack(">II", 2, len(entries) if count is None else count) + b"".join(entries)
    return body + hashlib.sha1(body).digest()


EMPTY_PACK = pack_of([])
