"""A client of AIMD's REST, made from what is known of that service's own: plain `requests`, the key in the query."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

import requests

ARTIFACTS = "/apis/v1/artifacts"
PART = 6 << 20


class AimdClient:
    """Asks one server with one key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key

    def request(self, method: str, path: str, query: dict[str, Any], **more: Any) -> requests.Response:
        params = {"apikey": self.key, **query}
        return requests.request(method, self.url + path, params=params, timeout=60, allow_redirects=False, **more)

    def get(self, path: str, /, **query: Any) -> requests.Response:
        return self.request("GET", path, query)

    def post(self, path: str, /, json: Any = None, **query: Any) -> requests.Response:
        return self.request("POST", path, query, json=json)

    def put(self, path: str, /, data: Any = None, **query: Any) -> requests.Response:
        return self.request("PUT", path, query, data=data)

    def make_folder(self, name: str, folder: str | None = None) -> str:
        metadata = {"name": name, **({"folder": folder} if folder is not None else {})}
        reply = self.post("/apis/v1/folders", json={"kind": "Folder", "metadata": metadata, "type": "normal"})
        assert reply.status_code == 200, reply.text
        return str(reply.json()["id"])

    def begin(self, folder: str, repo: str, name: str | None = None, **fields: Any) -> str:
        """Begins an artifact with a new id, and returns that."""
        wanted = name or str(uuid4())
        reply = self.post(ARTIFACTS, json=document(wanted, **fields), folder=folder, repo=repo, type="dataset")
        assert reply.status_code == 200, reply.text
        assert reply.json() == {"id": wanted}
        return wanted

    def send(self, artifact: str, key: str, content: bytes) -> requests.Response:
        """Sends an object in a form."""
        path = f"{ARTIFACTS}/{artifact}/objects"
        return self.request("POST", path, {"key": key}, files={"content": ("any name", content)})

    def send_parts(self, artifact: str, key: str, parts: Iterable[bytes]) -> requests.Response:
        """Sends an object in parts."""
        begun = self.post(f"{ARTIFACTS}/{artifact}/multipart", key=key)
        assert begun.status_code == 200, begun.text
        path = f"{ARTIFACTS}/{artifact}/multipart/{begun.json()['uploadId']}"
        sent = []
        for number, part in enumerate(parts, 1):
            reply = self.put(path, data=part, key=key, partNum=number)
            assert reply.status_code == 200, reply.text
            sent.append({"etag": reply.json()["etag"], "partNumber": number})
        return self.post(path, json={"parts": sent}, key=key)

    def finalize(self, artifact: str) -> requests.Response:
        return self.put(f"{ARTIFACTS}/{artifact}/finalize")

    def upload(self, folder: str, repo: str, objects: Mapping[str, bytes], **fields: Any) -> dict[str, Any]:
        """Uploads an artifact whole, and returns what the server says of it."""
        artifact = self.begin(folder, repo, **fields)
        for key, content in objects.items():
            reply = self.send(artifact, key, content)
            assert reply.status_code == 200, reply.text
        sealed = self.finalize(artifact)
        assert sealed.status_code == 200, sealed.text
        return dict(sealed.json())

    def show(self, artifact: str) -> requests.Response:
        return self.get(f"{ARTIFACTS}/{artifact}")

    def ls(self, artifact: str) -> dict[str, tuple[int, str]]:
        """Returns size and checksum of the objects, by path."""
        reply = self.get(f"{ARTIFACTS}/{artifact}/objects/ls")
        assert reply.status_code == 200, reply.text
        return {one["path"]: (one["size_bytes"], one["checksum"]) for one in reply.json()["results"]}

    def download(self, artifact: str, key: str) -> requests.Response:
        return self.get(f"{ARTIFACTS}/{artifact}/objects", key=key)


def document(name: str, **fields: Any) -> dict[str, Any]:
    """Returns an artifact's dict as its client has it before it was uploaded."""
    metadata = {"folder": "", "name": "", "editor": "", "id": name, "timestamp": "2024-01-02T03:04:05+08:00"}
    told = {"description": "", "commit": None, "version": None, "aliases": None, **fields}
    return {"kind": "Artifact", "metadata": metadata, **told, "creatingTimestamp": "2024-01-02T03:04:05+08:00"}
