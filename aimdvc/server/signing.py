"""Signed hrefs: permission to move one blob, or one aimd-pack, without a key, for a few minutes.

A signature binds artifact, user, oid (or the direction of an aimd-pack), size, method and expiry; changing one of them
breaks it. The secret lies in the database, so all processes of a server agree; rotating it ends all hrefs (secret.py).
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from aimdvc.server.guard import HttpError


class Grant(NamedTuple):
    """What a signature permits. `what` is an oid, or one direction of an aimd-pack, whose size is 0."""

    artifact: str
    user: str
    method: str
    what: str
    size: int


HELD_S = 1.0
"""How long a process goes by the secret that it read last: a transfer looks up no row (docs/decisions/0021)."""


class Signer:
    """Signs and checks grants, by the secret that `read_secret` returns now. May be used from any thread."""

    def __init__(
        self,
        read_secret: Callable[[], bytes],
        lifetime_s: int,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_secret = read_secret
        self._now = now
        self._monotonic = monotonic
        self._held = hmac.new(b"", digestmod="sha256"), -HELD_S
        """A MAC with the secret alone in it, to be copied for each grant, and when the secret was read."""
        self.lifetime_s = lifetime_s
        self.renew()

    def renew(self) -> bytes:
        """Reads the secret again, and returns it. For whoever signs: so no href is given that has ended already."""
        # The time of before: it was true then, and perhaps no longer when it was read.
        begun_s = self._monotonic()
        secret = self._read_secret()
        self._held = hmac.new(secret, digestmod="sha256"), begun_s
        return secret

    def generation(self) -> str:
        """Reads the secret again, and returns what stands for it: another one after it was made anew."""
        return hmac.new(self.renew(), b"generation", hashlib.sha256).hexdigest()

    def query(self, grant: Grant) -> str:
        """Returns the query string that carries a grant, signed by the secret that was read last."""
        expires = int(self._now()) + self.lifetime_s
        # Ids are hex digits: nothing in it has to be quoted.
        return (
            f"artifact={grant.artifact}&user={grant.user}&size={grant.size}&expires={expires}"
            f"&signature={_sign(self._held[0], grant, expires)}"
        )

    def check(self, query: Mapping[str, str], method: str, what: str) -> Grant:
        """Returns the grant that a request carries. Raises HttpError (403) when it carries none that holds now."""
        try:
            size, expires = int(query["size"]), int(query["expires"])
            grant = Grant(query["artifact"], query["user"], method, what, size)
            signature = query["signature"]
        except (KeyError, ValueError) as error:
            raise HttpError(403, "the href is not signed") from error
        if self._monotonic() - self._held[1] >= HELD_S:
            self.renew()
        if not _is_signed(self._held[0], grant, expires, signature):
            # Another process may have signed it by a newer secret.
            self.renew()
            if not _is_signed(self._held[0], grant, expires, signature):
                raise HttpError(403, "the href's signature is wrong")
        if expires < self._now():
            raise HttpError(403, "the href has expired, ask for a new one")
        return grant


def _is_signed(mac: hmac.HMAC, grant: Grant, expires: int, signature: str) -> bool:
    return hmac.compare_digest(_sign(mac, grant, expires).encode(), signature.encode())


def _sign(mac: hmac.HMAC, grant: Grant, expires: int) -> str:
    artifact, user, method, what, size = grant
    # Copied: to begin with the secret each time takes OpenSSL twice as long as all the rest.
    signed = mac.copy()
    signed.update(f"{artifact}\0{user}\0{method}\0{what}\0{size}\0{expires}".encode())
    return signed.hexdigest()
