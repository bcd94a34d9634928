"""Fuzzers of what a client of git-upload-pack says: it is understood, or refused with a status of the client's."""

from hypothesis import given

from aimdvc.server.guard import HttpError
from aimdvc.server.negotiation import Wish, parse_wish
from tests.fuzz.hostile_bytes import made_of, nearly

ID = b"1" * 40
GOOD = b"0052want " + ID + b" side-band-64k ofs-delta\n0035shallow " + ID + b"000cdeepen 30000" + b"0009done\n"
PARTS = (
    b"0000",
    b"0001",
    b"0003",
    b"0009done\n",
    b"000cdeepen 3",
    b"000ddeepen -1",
    b"0032have " + ID + b"\n",
    b"0032want " + ID + b"\n",
    b"0034shallow " + ID,
    b"zzzz",
    b"ffff",
    b"\0",
)


@given(raw=nearly(GOOD, PARTS) | made_of(PARTS))
def test_any_request_is_understood_or_refused(raw: bytes) -> None:
    try:
        wish = parse_wish(raw, 100)
    except HttpError as error:
        assert 400 <= error.status < 500
        return
    assert isinstance(wish, Wish)
    assert all(len(git_id) == 40 for git_id in (*wish.wants, *wish.shallow, *wish.haves))
    assert wish.depth is None or 0 < wish.depth < 1 << 31
