"""What a client of git-upload-pack wants and has, and the lines that answer it before the pack.

One request of Git's stateless protocol v0 (gitprotocol-pack(5), gitprotocol-http(5)): wants, where the client's history
ends and how deep it shall go; then what it has. It is answered in one piece, so nothing is kept between two requests.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dulwich.protocol import pkt_line

from aimdvc.git.graph import NO_ENDS, Deepening, Ends, Graph
from aimdvc.model.oid import GitId, is_git_id
from aimdvc.server.guard import HttpError
from aimdvc.server.refs import VERSION_TAG, Ref
from aimdvc.server.repositories import Repository


@dataclass(frozen=True, slots=True)
class Wish:
    """A request. `depth` is in commits, from the wants or, if relative, from where the client's history ends."""

    wants: tuple[GitId, ...]
    capabilities: frozenset[bytes]
    shallow: frozenset[GitId]
    depth: int | None
    haves: tuple[GitId, ...]
    is_done: bool
    is_cut: bool

    @property
    def is_plain_clone(self) -> bool:
        """Whether the client has nothing and wants all that its wants reach."""
        return self.is_done and not self.haves and not self.shallow and self.depth is None


def parse_wish(raw: bytes, most_lines: int) -> Wish:
    """Returns what a request says. Raises HttpError."""
    ids: dict[bytes, dict[GitId, None]] = {b"want": {}, b"shallow": {}, b"have": {}}
    capabilities: frozenset[bytes] = frozenset()
    depth: int | None = None
    done = False
    parts = 0
    for count, line in enumerate(_lines(raw)):
        if count > most_lines:
            raise HttpError(413, "too many lines in one request")
        word, _, rest = line.partition(b" ")
        if not line:
            parts += 1
        elif line == b"done":
            done = True
        elif word == b"deepen":
            depth = _depth(rest)
        elif word in ids:
            git_id, _, words = rest.partition(b" ")
            if word == b"want" and not ids[word]:
                capabilities = frozenset(words.split())
            ids[word][_git_id(git_id)] = None
        else:
            raise HttpError(400, "a line that no capability here allows")
    wants, shallow, haves = (tuple(found) for found in ids.values())
    return Wish(wants, capabilities, frozenset(shallow), depth, haves, done, parts < 2 and not done and not haves)


def _lines(raw: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(raw):
        try:
            length = int(raw[position : position + 4], 16)
        except ValueError as error:
            raise HttpError(400, "a line without its length") from error
        if length in (0, 1, 2):
            position += 4
            yield b""
            continue
        if length < 4 or position + length > len(raw):
            raise HttpError(400, "a line that breaks off")
        yield raw[position + 4 : position + length].rstrip(b"\n")
        position += length


def _depth(text: bytes) -> int:
    if not text.isdigit() or len(text) > 10 or not 0 < int(text) < 1 << 31:
        raise HttpError(400, "a depth that is no number of commits")
    return int(text)


def _git_id(text: bytes) -> GitId:
    git_id = text.decode("ascii", "replace")
    if not is_git_id(git_id):
        raise HttpError(400, "a git object's id that is none")
    return GitId(git_id)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was agreed: the answer's first lines and, if a pack follows, what the client has and where that ends."""

    lines: bytes
    has_pack: bool
    common: tuple[GitId, ...] = ()
    ends: Ends = NO_ENDS


def negotiate(repository: Repository, graph: Graph, wish: Wish, refs: Mapping[str, Ref]) -> Agreement:
    """Answers a request up to the pack. Raises HttpError.

    What a client says of commits that no ref reaches counts for nothing: else it would be told that they are here, and
    given what they stand on.
    """
    tips = [commit for want in wish.wants if (commit := graph.peel(want)) is not None]
    here = set(filter(repository.has, (*wish.shallow, *wish.haves)))
    known = _published(graph, refs, here)
    shallow = frozenset(wish.shallow & known)
    lines = b""
    ends = Ends(shallow, shallow)
    if wish.depth is not None:
        deepening = _deepen(graph, wish, tips, wish.depth, shallow)
        lines = _ends(deepening, wish.shallow)
        ends = deepening.ends(shallow)
        if wish.is_cut:
            return Agreement(lines, has_pack=False)
    common = tuple(have for have in wish.haves if have in known)
    is_detailed = b"multi_ack_detailed" in wish.capabilities
    for have in common if is_detailed else common[:1]:
        lines += pkt_line(b"ACK " + have.encode() + (b" common\n" if is_detailed else b"\n"))
    if wish.is_done:
        if not common:
            lines += pkt_line(b"NAK\n")
        elif is_detailed:
            lines += pkt_line(b"ACK " + common[-1].encode() + b"\n")
        return Agreement(lines, True, common, ends)
    is_ready = is_detailed and bool(common) and _reaches(graph, tips, common, ends)
    if is_ready:
        lines += pkt_line(b"ACK " + common[-1].encode() + b" ready\n")
    if is_detailed or not common:
        lines += pkt_line(b"NAK\n")
    if is_ready and b"no-done" in wish.capabilities:
        lines += pkt_line(b"ACK " + common[-1].encode() + b"\n")
        return Agreement(lines, True, common, ends)
    return Agreement(lines, has_pack=False)


def _published(graph: Graph, refs: Mapping[str, Ref], here: set[GitId]) -> set[GitId]:
    """Returns those of the commits that a ref reaches. Most are what a ref names: 10,000 versions stay unread then."""
    known = here & {ref.peeled or ref.target for ref in refs.values()}
    versions = {ref.target for name, ref in refs.items() if VERSION_TAG.fullmatch(name)}
    for tips in ({ref.target for ref in refs.values()} - versions, versions):
        left = here - known
        if not left:
            break
        known |= graph.reached(left, filter(None, map(graph.peel, tips)))
    return known


def _deepen(graph: Graph, wish: Wish, tips: list[GitId], depth: int, shallow: frozenset[GitId]) -> Deepening:
    if b"deepen-relative" in wish.capabilities:
        return graph.deepen(shallow, depth + 1, shallow)
    return graph.deepen(tips, depth, shallow)


def _ends(deepening: Deepening, known: frozenset[GitId]) -> bytes:
    lines = [pkt_line(b"shallow " + commit.encode()) for commit in sorted(deepening.shallow - known)]
    lines += [pkt_line(b"unshallow " + commit.encode()) for commit in sorted(deepening.unshallow)]
    return b"".join(lines) + pkt_line(None)


def _reaches(graph: Graph, tips: list[GitId], common: tuple[GitId, ...], ends: Ends) -> bool:
    """Returns whether every line of history from the tips leads to something that both have."""
    known = {commit for git_id in common if (commit := graph.peel(git_id)) is not None}
    return graph.new_commits(tips, known, ends)[1]
