"""Signed hrefs: what they permit, how long, and how they are all ended."""

from urllib.parse import parse_qsl

import pytest

from aimdvc.server.guard import HttpError
from aimdvc.server.limits import Limits
from aimdvc.server.signing import Grant, Signer

GRANT = Grant("artifact", "user", "PUT", "ab" * 32, 7)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def refusal(signer: Signer, query: dict[str, str], method: str = "PUT", what: str = "ab" * 32) -> str | None:
    try:
        signer.check(query, method, what)
    except HttpError as error:
        assert error.status == 403
        return error.message
    return None


def test_an_href_ends_with_its_minutes_and_with_its_secret() -> None:
    """Case S23. A new secret in the database ends all hrefs at once."""
    assert Limits().href_seconds <= 15 * 60
    clock = Clock()
    secrets = [b"secret"]
    signer = Signer(lambda: secrets[-1], 300, clock, clock)
    query = dict(parse_qsl(signer.query(GRANT)))
    assert signer.check(query, "PUT", "ab" * 32) == GRANT
    clock.now_s += 299
    assert refusal(signer, query) is None
    assert refusal(Signer(lambda: b"another", 300, clock), query) == "the href's signature is wrong"
    clock.now_s += 2
    assert "has expired" in str(refusal(signer, query))


def test_a_signer_goes_by_a_new_secret_within_a_second_and_takes_what_others_signed_by_it_at_once() -> None:
    clock = Clock()
    secrets = [b"first"]
    one, other = (Signer(lambda: secrets[-1], 300, clock, clock) for _ in range(2))
    before = dict(parse_qsl(one.query(GRANT)))
    secrets.append(b"second")
    other.renew()
    assert refusal(one, dict(parse_qsl(other.query(GRANT)))) is None
    assert refusal(one, before) is not None, "it has read the second one"
    secrets.append(b"third")
    after = dict(parse_qsl(one.query(GRANT)))
    clock.now_s += 0.9
    assert refusal(one, after) is None, "read less than a second ago"
    clock.now_s += 0.1
    assert refusal(one, after) == "the href's signature is wrong"


@pytest.mark.parametrize("name", ["artifact", "user", "size", "expires", "signature"])
def test_no_part_of_an_href_can_be_changed_or_left_out(name: str) -> None:
    signer = Signer(lambda: b"secret", 300)
    query = dict(parse_qsl(signer.query(GRANT)))
    for value in ("", "1", query[name] + "0", "\u0661", query[name][::-1] if name != "size" else "8"):
        assert refusal(signer, {**query, name: value}) is not None
    assert refusal(signer, {key: value for key, value in query.items() if key != name}) == "the href is not signed"
    assert refusal(signer, query, method="GET") is not None
    assert refusal(signer, query, what="cd" * 32) is not None
    assert signer.check(dict(parse_qsl(signer.query(GRANT._replace(size=8)))), "PUT", "ab" * 32).size == 8
