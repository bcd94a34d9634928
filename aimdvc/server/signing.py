"""Signed hrefs: permission to move one blob, or one aimd-pack, without a key, for a few minutes.

A signature binds artifact, user, oid (or the direction of an aimd-pack), size, method and expiry; changing one of them
breaks it. The secret lies in the database, so all processes of a server agree; rotating it ends all hrefs.
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


class Signer:
    """Signs and checks grants. Owns nothing but the secret."""

    def __init__(self, secret: bytes, lifetime_s: int, now: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._now = now
        self.lifetime_s = lifetime_s

    def query(self, grant: Grant) -> str:
        """Returns the query string that carries a grant."""
        expires = int(self._now()) + self.lifetime_s
        # Ids are hex digits: nothing in it has to be quoted.
        return (
            f"artifact={grant.artifact}&user={grant.user}&size={grant.size}&expires={expires}"
            f"&signature={self._sign(grant, expires)}"
        )

    def check(self, query: Mapping[str, str], method: str, what: str) -> Grant:
        """Returns the grant that a request carries. Raises HttpError (403) when it carries none that holds now."""
        try:
            size, expires = int(query["size"]), int(query["expires"])
            grant = Grant(query["artifact"], query["user"], method, what, size)
            signature = query["signature"]
        except (KeyError, ValueError) as error:
            raise HttpError(403, "the href is not signed") from error
        if not hmac.compare_digest(self._sign(grant, expires).encode(), signature.encode()):
            raise HttpError(403, "the href's signature is wrong")
        if expires < self._now():
            raise HttpError(403, "the href has expired, ask for a new one")
        return grant

    def _sign(self, grant: Grant, expires: int) -> str:
        fields = (grant.artifact, grant.user, grant.method, grant.what, str(grant.size), str(expires))
        return hmac.new(self._secret, "\0".join(fields).encode(), hashlib.sha256).hexdigest()
