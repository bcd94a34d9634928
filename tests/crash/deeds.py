"""What clients have a server do, each thing so that it can be cut, looked at, and done again.

`act` does what a client does, reading first what is there; it raises Unanswered or Refused unless all of it was
acknowledged. `holds` tells whether it has happened, and fails where only a part of it has.
"""

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aimdvc.model.pointer import Pointer
from tests.contract.git_packs import EMPTY_PACK, Made
from tests.contract.server_client import LFS, MAIN, Client, Reply, aimd_pack, pointer_of, report_of, version_with

TRY = "refs/heads/try"
TUS = "application/offset+octet-stream"
PIECES = 1_100_000
ALIASES = [f"refs/aliases/{name}" for name in ("a", "b", "c")]


class Unanswered(Exception):
    """The connection broke."""


class Refused(Exception):
    """The server answered that it failed, with this status."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status = status


@dataclass(frozen=True)
class Deed:
    """One thing to do to an artifact, all of whose contents follow from its name."""

    prepare: Callable[[Client, str], None]
    act: Callable[[Client, str], None]
    holds: Callable[[Client, str], bool]


def content(name: str, size: int) -> bytes:
    """Returns bytes that are an artifact's own."""
    return (f"{name} {size} ".encode() * size)[:size]


def small(name: str) -> list[bytes]:
    return [content(name, size) for size in (20, 300, 5000)]


def _ask(act: Callable[[], Reply], *fine: int) -> Reply:
    try:
        reply = act()
    except (http.client.HTTPException, OSError) as error:
        raise Unanswered from error
    if reply.status not in (fine or (200,)):
        raise Refused(reply.status, reply.body)
    return reply


def _nothing(client: Client, name: str) -> None:
    """Nothing is there before."""


def _put(client: Client, name: str, *contents: bytes) -> None:
    by_oid = {pointer_of(one).oid: one for one in contents}
    reply = _ask(lambda: client.batch(name, "upload", [pointer_of(one) for one in contents]))
    for blob in reply.json()["objects"]:
        if "actions" in blob:
            _send(client, blob, by_oid[blob["oid"]])


def _send(client: Client, blob: Mapping[str, Any], body: bytes) -> None:
    headers = {"Content-Type": LFS}
    hrefs = {action: str(blob["actions"][action]["href"]) for action in ("upload", "verify")}
    message = json.dumps({"oid": blob["oid"], "size": blob["size"]}).encode()
    _ask(lambda: client.request("PUT", hrefs["upload"], body, headers, key=False))
    _ask(lambda: client.request("POST", hrefs["verify"], message, headers, key=False))


def _pack(client: Client, name: str) -> None:
    reply = _ask(lambda: client.batch(name, "upload", [pointer_of(one) for one in small(name)], "aimd-pack")).json()
    wanted = {blob["oid"] for blob in reply["objects"] if "actions" in blob}
    if wanted:
        body = aimd_pack(*(one for one in small(name) if pointer_of(one).oid in wanted))
        kind = {"Content-Type": "application/x-aimd-pack"}
        _ask(lambda: client.request("POST", reply["aimd_pack"]["href"], body, kind, key=False))


def _in_pieces(client: Client, name: str) -> None:
    """Sends a blob in two pieces, or what is missing of them."""
    whole = content(name, PIECES)
    reply = _ask(lambda: client.batch(name, "upload", [pointer_of(whole)], "aimd-pack", "tus")).json()
    actions = reply["objects"][0].get("actions")
    if actions is None:
        return
    at, href = actions["tus"]["offset"], actions["tus"]["href"]
    if at < PIECES // 2:
        _patch(client, href, at, whole[at : PIECES // 2])
        at = PIECES // 2
    _patch(client, href, at, whole[at:])


def _patch(client: Client, href: str, at: int, piece: bytes) -> None:
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(at), "Content-Type": TUS}
    _ask(lambda: client.request("PATCH", href, piece, headers, key=False), 204)


def _have(client: Client, name: str, *contents: bytes) -> bool:
    """Returns whether all of the blobs are the artifact's; those that are come back as they were sent."""
    pointers = [pointer_of(one) for one in contents]
    reply = client.batch(name, "download", pointers)
    if reply.status == 404:
        return False
    assert reply.status == 200, reply.body
    got = 0
    for blob, expected in zip(reply.json()["objects"], contents, strict=True):
        if "actions" in blob:
            found = client.request("GET", blob["actions"]["download"]["href"], key=False)
            assert (found.status, found.body) == (200, expected)
            got += 1
    return got == len(contents)


class Line:
    """The versions of an artifact: one, then three more, and two commits beside them."""

    def __init__(self, name: str) -> None:
        self.pointer: Pointer = pointer_of(content(name, 300))
        self._made = Made()
        self.first = version_with(self._made, self.pointer)
        self.packs = [self._pack()]
        self.more: list[str] = []
        for number in range(3):
            text = b"%s %d\n" % (name.encode(), number)
            tree = self._made.tree([(b"100644", b"n.txt", self._made.blob(text))])
            self.more.append(self._made.commit(tree, ((self.first, *self.more)[-1],), text))
        self.packs.append(self._pack())
        self.beside = [self._made.commit(self._made.tree([]), (self.first,), b"%d\n" % n) for n in range(2)]
        self.packs.append(self._pack())

    def _pack(self) -> bytes:
        pack, self._made.entries = self._made.pack(), []
        return pack


def _refs(client: Client, name: str) -> dict[str, str]:
    reply = client.request("GET", f"/{name}.git/info/refs?service=git-upload-pack")
    return {} if reply.status == 404 else client.refs(name)


def _push(client: Client, name: str, wanted: Mapping[str, str | None], pack: bytes, caps: str = "") -> None:
    """Pushes as Git does: from what the server has, and only what differs."""
    try:
        found = client.refs(name, "git-receive-pack")
    except (http.client.HTTPException, OSError) as error:
        raise Unanswered from error
    updates = [(found.get(ref), new, ref) for ref, new in wanted.items() if found.get(ref) != new]
    if updates:
        report = report_of(_ask(lambda: client.push(name, updates, pack, caps)))
        assert report[0] == "unpack ok" and all(line.startswith("ok ") for line in report[1:]), report


def _started(client: Client, name: str) -> None:
    _put(client, name, content(name, 300))


def _versioned(client: Client, name: str) -> None:
    _started(client, name)
    line = Line(name)
    _push(client, name, {MAIN: line.first}, line.packs[0])


def _branched(client: Client, name: str) -> None:
    _versioned(client, name)
    line = Line(name)
    _push(client, name, {TRY: line.beside[0]}, line.packs[2])


def _is_one(found: Mapping[str, str], *states: Mapping[str, str]) -> bool:
    """Returns whether refs are as in the last of the states; they have to be as in one of them."""
    shown = {ref: target for ref, target in found.items() if ref != "HEAD"}
    assert shown in states, shown
    return shown == states[-1]


def _first_state(line: Line) -> dict[str, str]:
    return {MAIN: line.first, "refs/tags/v1": line.first}


def _pushed_first(client: Client, name: str) -> bool:
    return _is_one(_refs(client, name), {}, _first_state(Line(name)))


def _pushed_more(client: Client, name: str) -> bool:
    line = Line(name)
    numbers = {f"refs/tags/v{number}": commit for number, commit in enumerate(line.more, start=2)}
    before = _first_state(line)
    return _is_one(_refs(client, name), before, {**before, **numbers, MAIN: line.more[-1]})


def _pushed_try(client: Client, name: str, *, is_gone: bool = False) -> bool:
    line = Line(name)
    before = {**_first_state(line), TRY: line.beside[0]}
    after = _first_state(line) if is_gone else {**before, TRY: line.beside[1]}
    return _is_one(_refs(client, name), before, after)


def _pushed_aliases(client: Client, name: str) -> bool:
    line = Line(name)
    before = _first_state(line)
    return _is_one(_refs(client, name), before, before | dict.fromkeys(ALIASES, line.first))


def _lock(client: Client, name: str) -> None:
    url, headers = f"/{name}.git/info/lfs/locks", {"Content-Type": LFS}
    _ask(lambda: client.request("POST", url, b'{"path": "f0000"}', headers), 201, 409)


def _is_locked(client: Client, name: str) -> bool:
    found = client.request("GET", f"/{name}.git/info/lfs/locks").json()["locks"]
    assert [lock["path"] for lock in found] in ([], ["f0000"])
    return bool(found)


def _make_key(client: Client, name: str) -> None:
    if not _has_key(client, name):
        body = json.dumps({"name": name, "scope": "read"}).encode()
        reply = _ask(lambda: client.request("POST", "/api/v1/keys", body, {"Content-Type": "application/json"}), 201)
        assert Client(client.url, reply.json()["key"]).request("GET", "/api/v1/whoami").status == 200


def _has_key(client: Client, name: str) -> bool:
    found = client.request("GET", "/api/v1/keys").json()["keys"]
    return name in [key["name"] for key in found]


DEEDS = {
    "large blob": Deed(
        _nothing, lambda c, n: _put(c, n, content(n, 200_000)), lambda c, n: _have(c, n, content(n, 200_000))
    ),
    "blob in pieces": Deed(_nothing, _in_pieces, lambda c, n: _have(c, n, content(n, PIECES))),
    "small blob": Deed(_nothing, lambda c, n: _put(c, n, content(n, 99)), lambda c, n: _have(c, n, content(n, 99))),
    "aimd-pack": Deed(_nothing, _pack, lambda c, n: _have(c, n, *small(n))),
    "first push": Deed(_started, lambda c, n: _push(c, n, {MAIN: Line(n).first}, Line(n).packs[0]), _pushed_first),
    "push": Deed(_versioned, lambda c, n: _push(c, n, {MAIN: Line(n).more[-1]}, Line(n).packs[1]), _pushed_more),
    "forced push": Deed(_branched, lambda c, n: _push(c, n, {TRY: Line(n).beside[1]}, EMPTY_PACK), _pushed_try),
    "deletion": Deed(
        _branched, lambda c, n: _push(c, n, {TRY: None}, b""), lambda c, n: _pushed_try(c, n, is_gone=True)
    ),
    "atomic push": Deed(
        _versioned,
        lambda c, n: _push(c, n, dict.fromkeys(ALIASES, Line(n).first), EMPTY_PACK, "atomic"),
        _pushed_aliases,
    ),
    "lock": Deed(_started, _lock, _is_locked),
    "key": Deed(_nothing, _make_key, _has_key),
}
