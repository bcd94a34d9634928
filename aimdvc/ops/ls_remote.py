"""`ls-remote`: what a remote has of an artifact, asked anew. Nothing is brought, and no ref moves."""

from dataclasses import dataclass

from aimdvc.model.oid import GitId
from aimdvc.ops.connect import Connection


@dataclass(frozen=True, slots=True)
class RemoteRef:
    """One ref of a remote, in full, such as `refs/tags/v3`, and the commit or tag object that it names."""

    ref: str
    git_id: GitId


def list_remote_refs(connection: Connection) -> list[RemoteRef]:
    """Returns the refs that a remote has of an artifact, by name in Git's order. One round trip.

    Raises RemoteError, NotAuthorised.
    """
    found = connection.transport.read_refs(for_push=False).refs
    return [RemoteRef(ref, found[ref]) for ref in sorted(found, key=lambda ref: ref.encode("utf-8", "surrogateescape"))]
