"""The server that the SDK works with: its folders and artifacts over REST, and the connections that move content."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from aimdvc.errors import RemoteRefused, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.model.paths import check_entry_path
from aimdvc.ops.connect import Connection, Connector
from aimdvc.sdk import logins
from aimdvc.sdk.answers import Answer
from aimdvc.sdk.environment import read_environment

DEFAULT_FOLDER = "/default"
_ANSWER_BYTES = 16 << 20
_PAGE = "500"


@dataclass(frozen=True, slots=True)
class Service:
    """One server, with the user's key for it."""

    host: str
    connector: Connector

    def connect(self, remote: str, path: str) -> Connection:
        """Returns the connection to the artifact at a path; `remote` is what its refs are tracked under."""
        return self.connector.connect(Disk(), remote, self.host, path)

    def user(self) -> str:
        """Returns whose the key is. Raises NotAuthorised."""
        return self._ask("GET", "whoami").text("user")

    def ensure_folder(self, path: str | None, make: bool) -> str:
        """Returns a folder's whole path, without a slash before it. Raises UsageError for one that is not there.

        With `make` it is made, and its parents. The default folder always is. Raises UnsafePath for what no path is.
        """
        wanted = check_entry_path((path or DEFAULT_FOLDER).strip("/"))
        found = self._find(f"folders/{quote(wanted)}", limit="1")
        if found is not None:
            return found.path("path")
        if not make and wanted != DEFAULT_FOLDER.strip("/"):
            raise UsageError(f"'{self.host}' has no folder '{wanted}'", hint="pass make_folder=True to make it")
        # A name alone would be a root beside the users' own.
        below = wanted if "/" in wanted else f"{self.user()}/{wanted}"
        return self._ask("PUT", f"folders/{quote(below)}").path("path")

    def path_of(self, node: str) -> str:
        """Returns where a folder or an artifact is, by its id. Raises UsageError."""
        try:
            found = self._find(f"nodes/{uuid.UUID(node).hex}")
        except ValueError:
            found = None
        if found is None:
            raise UsageError(f"'{self.host}' has nothing with the id '{node[:80]}'")
        return found.path("path")

    def artifact(self, path: str) -> Answer | None:
        """Returns what the server tells of the artifact at a path, None where the user sees none."""
        return self._find(f"artifacts/{quote(check_entry_path(path))}")

    def version(self, artifact_id: str) -> Answer | None:
        """Returns an artifact's dict by its id, as the AIMD service has it; None where the user sees none."""
        return self._get(f"{self.host}/apis/v1/artifacts/{quote(artifact_id)}")

    def iter_versions(self, path: str) -> Iterator[Answer]:
        """Yields what the server tells of each version of the artifact at a path, the newest first, in pages."""
        query = {"limit": _PAGE}
        while (page := self._find(f"versions/{quote(path)}", **query)) is not None:
            yield from page.objects("versions")
            cursor = page.optional_text("next_cursor")
            if not cursor:
                return
            query["cursor"] = cursor

    def _ask(self, method: str, what: str) -> Answer:
        found = self._find(what, method=method)
        if found is None:
            raise RemoteRefused(self.host, "it is no AIMD server of this kind: it doesn't know '/api/v1'")
        return found

    def _find(self, what: str, method: str = "GET", **query: str) -> Answer | None:
        return self._get(f"{self.host}/api/v1/{what}" + (f"?{urlencode(query)}" if query else ""), method)

    def _get(self, url: str, method: str = "GET") -> Answer | None:
        session = self.connector.session()
        reply = session.send(method, url, {"Accept": "application/json"})
        if reply.status == 404:
            reply.message()
            return None
        if not 200 <= reply.status < 300:
            raise session.refusal(url, reply)
        return Answer(url, reply.read_json(_ANSWER_BYTES))


@contextmanager
def service(host: str | None = None) -> Iterator[Service]:
    """Opens the server to work with, or another one by its URL, while the `with` lasts. Raises NotAuthorised."""
    environment = read_environment()
    connector = Connector(lambda: logins.session(environment))
    try:
        yield Service(host or logins.current_host(environment), connector)
    finally:
        connector.close()
