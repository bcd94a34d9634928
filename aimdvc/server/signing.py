"""Signed hrefs: permission to move one blob, or one aimd-pack, without a key, for a few minutes.

A signature binds artifact, user, oid (or the direction of an aimd-pack), size, method and expiry; changing one of them
breaks it. The secret lies in the database, so all processes of a server agree; rotating it ends all hrefs (secret.py).
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aimdvc.server.guard import HttpError


@dataclass(frozen=True, slots=True)
class Grant:
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
        self._held = b"", -HELD_S
        self.lifetime_s = lifetime_s
        self.renew()

    def renew(self) -> bytes:
        """Reads the secret again, and returns it. For whoever signs: so no href is given that has ended already."""
        # The time of before: it was true then, and perhaps no longer when it was read.
        begun_s = self._monotonic()
        secret = self._read_secret()
        self._held = secret, begun_s
        return secret

    def generation(self) -> str:
        """Reads the secret again, and returns what stands for it: another one after it was made anew."""
        return hmac.new(self.renew(), b"generation", hashlib.sha256).hexdigest()

    def query(self, grant: Grant) -> str:
        """Returns the query string that carries a grant, signed by the secret that was read last."""
        expires = int(self._now()) + self.lifetime_s
        secret = self._held[0]
        # Ids are hex digits: nothing in it has to be quoted.
        return (
            f"artifact={grant.artifact}&user={grant.user}&size={grant.size}&expires={expires}"
            f"&signature={_sign(secret, grant, expires)}"
        )

    def check(self, query: Mapping[str, str], method: str, what: str) -> Grant:
        """Returns the grant that a request carries. Raises HttpError (403) when it carries none that holds now."""
        try:
            size, expires = int(query["size"]), int(query["expires"])
            grant = Grant(query["artifact"], query["user"], method, what, size)
            signature = query["signature"]
        except (KeyError, ValueError) as error:
            raise HttpError(403, "the href is not signed") from error
        secret, read_s = self._held
        if self._monotonic() - read_s >= HELD_S:
            secret = self.renew()
        # Another process may have signed it by a newer one.
        if not _is_signed(secret, grant, expires, signature) and not _is_signed(
            self.renew(), grant, expires, signature
        ):
            raise HttpError(403, "the href's signature is wrong")
        if expires < self._now():
            raise HttpError(403, "the href has expired, ask for a new one")
        return grant


def _is_signed(secret: bytes, grant: Grant, expires: int, signature: str) -> bool:
    return hmac.compare_digest(_sign(secret, grant, expires).encode(), signature.encode())


def _sign(secret: bytes, grant: Grant, expires: int) -> str:
    fields = (grant.artifact, grant.user, grant.method, grant.what, str(grant.size), str(expires))
    return hmac.digest(secret, "\0".join(fields).encode(), "sha256").hex()
