"""`aimd://FOLDER/NAME@REV/PATH` for fsspec: pandas, pyarrow, datasets and torch read artifacts by their URL.

Reads only; an artifact is made with `create_artifact`. Files that are not on this machine are read on the server, in
the parts that are asked for. Registered under the name `aimd` by the package's entry point; needs the extra `fsspec`.
"""

from typing import Any, BinaryIO

from fsspec.spec import AbstractFileSystem

from aimdvc.errors import AimdvcError, NotAuthorised, RemoteError
from aimdvc.sdk.artifact import Artifact
from aimdvc.sdk.artifacts import grab_artifact

PROTOCOL = "aimd"
_READ_ONLY = "a version never changes; make another with aimdvc.create_artifact"
_FORM = "aimd://FOLDER/NAME@REV/PATH"


class AimdFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """The artifacts of the server that the user is logged in to, as a file system.

    A revision is a version, an alias or `latest`, and is looked up once for each instance.
    """

    protocol = PROTOCOL
    cachable = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._artifacts: dict[str, Artifact] = {}
        self._listings: dict[str, dict[str, list[dict[str, Any]]]] = {}

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        return str(path).removeprefix(f"{PROTOCOL}://").strip("/")

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        """Returns what is directly in a directory of an artifact, or the file at the path. Raises FileNotFoundError."""
        root, inside = self._split(path)
        listing = self._listing(root)
        if inside in listing:
            found = listing[inside]
        else:
            parent, _, _ = inside.rpartition("/")
            found = [one for one in listing.get(parent, ()) if one["name"] == f"{root}/{inside}"]
        if not found and inside:
            raise FileNotFoundError(path)
        return found if detail else [one["name"] for one in found]

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Returns name, size in bytes, type and sha256 of a file or a directory. Raises FileNotFoundError."""
        root, inside = self._split(path)
        listing = self._listing(root)
        if inside in listing or not inside:
            return {"name": f"{root}/{inside}".rstrip("/"), "size": 0, "type": "directory"}
        return dict(self.ls(path)[0])

    def _open(self, path: str, mode: str = "rb", **options: Any) -> BinaryIO:
        if mode != "rb":
            self._refuse()
        root, inside = self._split(path)
        try:
            return self._artifact(root).open(inside)
        except KeyError:
            raise FileNotFoundError(path) from None

    def _refuse(self, *arguments: Any, **options: Any) -> None:
        # Its own `mkdir` would say nothing.
        raise NotImplementedError(_READ_ONLY)  # No stub: a version never changes, and so fsspec's classes refuse.

    mkdir = makedirs = rmdir = rm = cp_file = touch = _refuse

    def ukey(self, path: str) -> str:
        """Returns what tells a file's bytes: their SHA-256."""
        return str(self.info(path).get("sha256") or path)

    def _split(self, path: str) -> tuple[str, str]:
        parts = self._strip_protocol(path).split("/")
        at = next((number for number, part in enumerate(parts) if "@" in part), None)
        if at is None:
            raise ValueError(f"'{path}' names no version: the form is {_FORM}")
        return "/".join(parts[: at + 1]), "/".join(parts[at + 1 :])

    def _artifact(self, root: str) -> Artifact:
        if root not in self._artifacts:
            path, _, revision = root.rpartition("@")
            try:
                self._artifacts[root] = grab_artifact(artifact_ref=f"{path}:{revision}")
            except (RemoteError, NotAuthorised):
                raise
            except AimdvcError as error:
                raise FileNotFoundError(f"{PROTOCOL}://{root}: {error.message}") from error
        return self._artifacts[root]

    def _listing(self, root: str) -> dict[str, list[dict[str, Any]]]:
        """Returns what is in each directory of an artifact, by the directory's path."""
        if root not in self._listings:
            listing: dict[str, list[dict[str, Any]]] = {"": []}
            for one in self._artifact(root).files():
                if one.uri is None:
                    entry = {"name": f"{root}/{one.key}", "size": one.size, "type": "file", "sha256": one.sha256}
                    listing.setdefault(_parent(listing, root, one.key), []).append(entry)
            self._listings[root] = listing
        return self._listings[root]


def _parent(listing: dict[str, list[dict[str, Any]]], root: str, key: str) -> str:
    """Returns a key's directory, listed with those around it."""
    parent = key.rpartition("/")[0]
    if parent and parent not in listing:
        listing[parent] = []
        listing[_parent(listing, root, parent)].append({"name": f"{root}/{parent}", "size": 0, "type": "directory"})
    return parent
