"""`login`: whether a server takes a key, asked before the key is kept."""

from aimdvc.errors import NotAuthorised
from aimdvc.remote.session import Session
from aimdvc.remote.urls import shown

_ANSWER_BYTES = 64 << 10


def try_key(session: Session, origin: str) -> str | None:
    """Returns whose the key is that a session has for an origin, None where the host tells nothing of that.

    One round trip, tried once. Raises NotAuthorised when the key is refused, RemoteUnreachable.
    """
    reply = session.send("GET", f"{origin}/api/v1/whoami", {"Accept": "application/json"}, is_repeatable=False)
    if reply.status in (401, 403):
        reply.message()
        raise NotAuthorised(
            f"'{shown(origin)}' refuses the key", hint="nothing was stored; type it again as it was shown"
        )
    if reply.status != 200 or not reply.headers.get("content-type", "").startswith("application/json"):
        reply.message()
        return None
    user = reply.read_json(_ANSWER_BYTES).get("user")
    return user if isinstance(user, str) and user.isprintable() else None
