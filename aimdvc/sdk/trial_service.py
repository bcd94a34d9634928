"""Trials on a server: the calls of its REST under `/apis/v1/trials`, each of which may be sent again."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from aimdvc.errors import ProtocolError, RemoteRefused, UsageError
from aimdvc.remote.session import Reply
from aimdvc.sdk import jsonvalues
from aimdvc.sdk.answers import Answer
from aimdvc.sdk.service import Service

_TAKEN = "already exists"
_ANSWER_BYTES = 64 << 20
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class TrialService:
    """The trials of one server."""

    service: Service

    def folder_id(self, path: str) -> str:
        """Returns the id of the folder at a whole path."""
        told = self._object("GET", f"/api/v1/folders/{quote(path)}?limit=1")
        return told.id("id")

    def find(self, trial: str) -> dict[str, Any] | None:
        """Returns what the server has of a trial, without its metrics; None where the user sees none."""
        reply = self._send("GET", f"/apis/v1/trials/{trial}?metrics=no")
        if reply.status == 404:
            reply.message()
            return None
        doc = self._read(reply, "trial").object("doc")
        for name in ("folder", "name"):
            doc.object("metadata").text(name)
        return dict(doc.values)

    def find_name(self, folder: str, name: str) -> str | None:
        """Returns the id of the trial of a name in a folder, None where there is none."""
        reply = self._send("GET", f"/apis/v1/trials/id?{urlencode({'folder': folder, 'name': name})}")
        if reply.status == 404:
            reply.message()
            return None
        self._require(reply, "trials/id")
        try:
            return str(uuid.UUID(json.loads(reply.read(1000))))
        except (ValueError, TypeError, AttributeError) as error:
            raise ProtocolError(self.service.host, "expected the id of a trial") from error
        finally:
            reply.close()

    def make(self, document: Mapping[str, Any]) -> bool:
        """Makes a trial; returns whether it was made, False where its name is taken. Raises UsageError for a folder."""
        reply = self._send("POST", "/apis/v1/trials", document)
        if reply.status == 400:
            message = reply.message()
            if message.endswith(_TAKEN):
                return False
            raise RemoteRefused(self.service.host, message)
        if reply.status == 404:
            if not reply.message():
                raise RemoteRefused(self.service.host, "it keeps no trials")
            folder = document["metadata"]["folder"]
            raise UsageError(f"'{self.service.host}' has no folder with the id '{folder}'")
        self._require(reply, "trials").message()
        return True

    def change(self, trial: str, document: Mapping[str, Any]) -> None:
        """Makes a trial what a document says; its metrics stay."""
        self._require(self._send("PUT", f"/apis/v1/trials/{trial}", document), "trial").message()

    def remove(self, trial: str) -> None:
        """Removes a trial; one that is gone is fine."""
        reply = self._send("DELETE", f"/apis/v1/trials/{trial}")
        if reply.status != 404:
            self._require(reply, "trial")
        reply.message()

    def counts(self, trial: str) -> dict[str, int]:
        """Returns how many elements of metrics the server has of each type."""
        told = self._object("GET", f"/apis/v1/trials/{trial}/metrics?limit=0").object("counts")
        return {kind: int(told.number(kind)) for kind in told.values}

    def append(self, trial: str, kind: str, elements: Sequence[Mapping[str, Any]], start: int) -> None:
        """Appends elements, of which the first has the number `start`; what is there is passed over."""
        url = f"/apis/v1/trials/{trial}/metrics/{quote(kind, safe='')}?start={start}"
        self._require(self._send("POST", url, {"metrics": elements}), "metrics").message()

    def set_status(self, trial: str, status: str, ended: str | None) -> None:
        """Says what became of a trial."""
        said = {"status": status, "endTime": ended}
        self._require(self._send("POST", f"/apis/v1/trials/{trial}/status", said), "status").message()

    def _object(self, method: str, path: str) -> Answer:
        return self._read(self._send(method, path), path)

    def _read(self, reply: Reply, what: str) -> Answer:
        return Answer(f"{self.service.host}/apis/v1/{what}", self._require(reply, what).read_json(_ANSWER_BYTES))

    def _send(self, method: str, path: str, said: Mapping[str, Any] | None = None) -> Reply:
        body = jsonvalues.dump(said).encode("ascii") if said is not None else None
        session = self.service.connector.session()
        return session.send(method, f"{self.service.host}{path}", _JSON, body)

    def _require(self, reply: Reply, what: str) -> Reply:
        if not 200 <= reply.status < 300:
            raise self.service.connector.session().refusal(f"{self.service.host}/apis/v1/{what}", reply)
        return reply
