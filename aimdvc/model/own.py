"""aimdvc's own entries in an artifact's tree: what lies below `.aimd/`, and the `.gitattributes` at its root."""

METADATA = ".aimd/metadata.json"
REFERENCES = ".aimd/references"
ATTRIBUTES = ".gitattributes"
AIMD_DIRECTORY_ATTRIBUTES = ".aimd/.gitattributes"


def is_own(path: str) -> bool:
    """Returns whether an entry lies below `.aimd/`: no file of the user's."""
    return path.startswith(".aimd/")


def is_told(path: str) -> bool:
    """Returns whether an entry below `.aimd/` is what a user set, and so is shown as changed."""
    return path in (METADATA, REFERENCES)
