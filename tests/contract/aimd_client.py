"""A client of AIMD's REST, made from what is known of that service's own: plain `requests`, the key in the query."""

from typing import Any

import requests


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
