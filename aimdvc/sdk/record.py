"""What is known of one artifact of the SDK, as a row's JSON and as the dict that the AIMD SDK has."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from aimdvc.model.names import check_artifact_name
from aimdvc.model.oid import is_git_id
from aimdvc.model.references import Reference
from aimdvc.sdk.keys import object_key

KIND = "Artifact"
_NEEDED = ("metadata", "description", "commit", "version", "aliases", "creatingTimestamp")


@dataclass(frozen=True, slots=True)
class Record:
    """One artifact. `commit` and `version` are None until it is uploaded; `remote` has a dict for each upload or load.

    `folder` is the id of the repo's folder on the server, "" until it is known. `repository` is its Git repository in
    the store, `begun` the commit of an upload under way, `can_be_logged` whether a trial may have made it.
    """

    id: str
    name: str
    type: str
    description: str = ""
    aliases: tuple[str, ...] = ()
    created: str = ""
    folder: str = ""
    editor: str = ""
    commit: str | None = None
    version: str | None = None
    remote: tuple[Mapping[str, Any], ...] = ()
    repository: str = ""
    begun: str | None = None
    can_be_logged: bool = True
    trailers: tuple[tuple[str, str], ...] = field(default=())

    @property
    def is_open(self) -> bool:
        """Whether it is not uploaded yet."""
        return self.commit is None

    @property
    def host(self) -> str:
        """The URL of the server that it was last uploaded to, or came from. Only of one that isn't open."""
        return str(self.remote[-1]["host"])

    @property
    def path(self) -> str:
        """Its repo's path on that server, without a slash before it."""
        return str(self.remote[-1]["path"]).strip("/")


def new_record(name: str, kind: str, description: str, aliases: tuple[str, ...]) -> Record:
    """Returns the record of an artifact that begins now."""
    return Record(str(uuid.uuid4()), name, kind, description, aliases, now())


def now() -> str:
    """Returns the time in ISO 8601, with its zone."""
    return datetime.now(timezone.utc).astimezone().isoformat(timespec="milliseconds")


def dump_record(record: Record) -> dict[str, object]:
    """Returns a record as JSON values."""
    return asdict(record)


def load_record(document: Mapping[str, Any]) -> Record:
    """Returns the record of what `dump_record` made."""
    known = dict(document)
    known["trailers"] = tuple((str(key), str(value)) for key, value in known.get("trailers", ()))
    return Record(**{**known, "aliases": tuple(known["aliases"]), "remote": tuple(known["remote"])})


def to_dict(record: Record) -> dict[str, Any]:
    """Returns an artifact's dict, as the AIMD service and its SDK have it."""
    return {
        "kind": KIND,
        "metadata": {
            "folder": record.folder,
            "name": "",
            "editor": record.editor,
            "id": record.id,
            "timestamp": record.created,
        },
        "description": record.description,
        "commit": record.commit,
        "version": record.version,
        "aliases": list(record.aliases) or None,
        "creatingTimestamp": record.created,
        "_remote": [dict(one) for one in record.remote] or None,
    }


def repo_of(data: Mapping[str, Any]) -> tuple[str, str]:
    """Returns name and type of a repo, of a dict that says them. Raises ValueError, InvalidName."""
    if not isinstance(data, Mapping):
        raise TypeError(f"repo_data is {type(data).__name__}, expected a dict")
    missing = [key for key in ("name", "type") if not isinstance(data.get(key), str)]
    if missing:
        raise ValueError(f"the repo's data lack {' and '.join(missing)}")
    return check_artifact_name(data["name"]), data["type"]


def references_of(data: Sequence[Mapping[str, Any]]) -> list[Reference]:
    """Returns the references among dicts of objects. Raises TypeError, ValueError, UnsafePath."""
    if not isinstance(data, Sequence) or not all(isinstance(one, Mapping) for one in data):
        raise TypeError(f"object_data is {type(data).__name__}, expected a list of dicts")
    found = [one for one in data if "uri" in one]
    if not all(isinstance(one.get("key"), str) and isinstance(one["uri"], str) for one in found):
        raise ValueError("an object's data lack its key")
    return [Reference(object_key("", one["key"]), one["uri"]) for one in found]


def parse_dict(record: Record, data: Mapping[str, Any]) -> Record:
    """Returns a record with what an artifact's dict says; all keys but `_remote` are needed.

    Raises ValueError for a dict that is none of an artifact's.
    """
    if not isinstance(data, Mapping):
        raise TypeError(f"artifact_data is {type(data).__name__}, expected a dict")
    if data.get("kind") != KIND:
        raise ValueError(f"kind is {data.get('kind')!r}, expected '{KIND}'")
    missing = [key for key in _NEEDED if key not in data]
    if missing:
        raise ValueError(f"the artifact's data lack {', '.join(missing)}")
    metadata, aliases = data["metadata"], data["aliases"]
    if not isinstance(metadata, Mapping) or "id" not in metadata:
        raise ValueError("metadata is no dict with an id")
    if aliases is not None and not (isinstance(aliases, list) and all(isinstance(one, str) for one in aliases)):
        raise ValueError(f"aliases are {aliases!r}, expected None or a list of texts")
    for key in ("description", "commit", "version"):
        if data[key] is not None and not isinstance(data[key], str):
            raise ValueError(f"{key} is {data[key]!r}, expected None or a text")
    if data["commit"] and not is_git_id(data["commit"]):
        raise ValueError(f"commit is {data['commit'][:80]!r}, expected 40 hex digits")
    remote = data.get("_remote") or ()
    if not isinstance(remote, (list, tuple)) or not all(_is_remote(one) for one in remote):
        raise ValueError("_remote is no list of dicts with host and path")
    try:
        known = str(uuid.UUID(str(metadata["id"])))
    except ValueError as error:
        raise ValueError(f"id is {metadata['id']!r}, expected a UUID") from error
    return replace(
        record,
        id=known,
        folder=str(metadata.get("folder") or ""),
        editor=str(metadata.get("editor") or ""),
        description=data["description"] or "",
        commit=data["commit"] or None,
        version=data["version"] or None,
        aliases=tuple(aliases or ()),
        created=str(data["creatingTimestamp"]),
        remote=tuple(remote),
    )


def _is_remote(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(value.get(key), str) for key in ("host", "path"))
