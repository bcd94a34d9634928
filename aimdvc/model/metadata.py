"""`.aimd/metadata.json`: what is known of an artifact beside its files. Unknown keys are kept."""

import json
from dataclasses import dataclass, field
from typing import Any

from aimdvc.errors import CorruptRepository
from aimdvc.model.own import METADATA


@dataclass(frozen=True, slots=True)
class Metadata:
    """Description, labels, free metadata and type; `unknown` are keys of a later aimdvc or another program."""

    description: str = ""
    labels: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    type: str = ""
    unknown: dict[str, Any] = field(default_factory=dict)


def parse_metadata(raw: bytes) -> Metadata:
    """Returns the metadata of a file. Raises CorruptRepository for anything but one JSON object of the right types."""
    try:
        loaded = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CorruptRepository(METADATA, "is not JSON") from error
    if not isinstance(loaded, dict):
        raise CorruptRepository(METADATA, "is not a JSON object")
    description = loaded.pop("description", "")
    labels = loaded.pop("labels", [])
    metadata = loaded.pop("metadata", {})
    kind = loaded.pop("type", "")
    if not (isinstance(description, str) and isinstance(kind, str) and isinstance(metadata, dict)):
        raise CorruptRepository(METADATA, "has a value of the wrong type")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise CorruptRepository(METADATA, "has labels that are no list of texts")
    return Metadata(description, tuple(labels), metadata, kind, loaded)


def dump_metadata(metadata: Metadata) -> bytes:
    """Returns the file: sorted keys, two spaces, one final newline; valid UTF-8 whatever the texts hold."""
    content = {
        **metadata.unknown,
        "description": metadata.description,
        "labels": list(metadata.labels),
        "metadata": metadata.metadata,
        "type": metadata.type,
    }
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode(
        "utf-8", "backslashreplace"
    )
