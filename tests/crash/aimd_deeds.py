"""What clients of AIMD's REST have a server do, to be cut as the deeds of deeds.py are."""

import http.client
import json
from uuid import NAMESPACE_URL, uuid5

from tests.contract.server_client import MAIN, Client, Reply
from tests.crash.deeds import Deed, Refused, Unanswered, content

ARTIFACTS = "/apis/v1/artifacts"
PART = 3000


def objects_of(name: str) -> dict[str, bytes]:
    """Returns what is uploaded: one that Git keeps, a small one, a large one."""
    return {"README.md": content(name, 40), "d/small": content(name, 300), "large": content(name, 100_000)}


def _id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


def _ask(client: Client, method: str, url: str, body: bytes | None = None, kind: str = "application/json") -> Reply:
    try:
        reply = client.request(method, url, body, {"Content-Type": kind})
    except (http.client.HTTPException, OSError) as error:
        raise Unanswered from error
    if reply.status != 200:
        raise Refused(reply.status, reply.body)
    return reply


def _root(client: Client) -> str:
    return str(_ask(client, "GET", "/apis/v1/folders/id?path=/").json())


def _begun(client: Client, name: str) -> None:
    """Begins an upload, and sends an object of it in a form."""
    wish = {"metadata": {"id": _id(name)}, "description": name, "aliases": ["prod"]}
    _ask(client, "POST", f"{ARTIFACTS}?folder={_root(client)}&repo={name}&type=x", json.dumps(wish).encode())
    for key, sent in objects_of(name).items():
        _send(client, name, key, sent)


def _send(client: Client, name: str, key: str, sent: bytes) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="content"; filename="f"\r\n\r\n'
    form = head + sent + b"\r\n--b--\r\n"
    _ask(client, "POST", f"{ARTIFACTS}/{_id(name)}/objects?key={key}", form, "multipart/form-data; boundary=b")


def _upload(client: Client, name: str) -> None:
    """Does all of an upload; what has become a version already is only sealed once more."""
    there = client.request("GET", f"{ARTIFACTS}/{_id(name)}")
    if there.status != 200 or there.json()["version"] is None:
        _begun(client, name)
    _seal(client, name)


def _seal(client: Client, name: str) -> None:
    told = _ask(client, "PUT", f"{ARTIFACTS}/{_id(name)}/finalize").json()
    assert (told["metadata"]["id"], told["version"], told["aliases"]) == (_id(name), "v1", ["prod"])


def _is_version(client: Client, name: str) -> bool:
    """Returns whether the version is there: then all of it is, and once; else nothing of it."""
    told = client.request("GET", f"{ARTIFACTS}?folder={_root(client)}&repo={name}")
    if told.status == 404:
        refs = client.request("GET", f"/{name}.git/info/refs?service=git-upload-pack")
        assert refs.status == 404 or client.refs(name) == {}
        return False
    assert told.status == 200, told.body
    commit = told.json()["commit"]
    assert client.refs(name) == dict.fromkeys(("HEAD", MAIN, "refs/tags/v1", "refs/aliases/prod"), commit)
    for key, expected in objects_of(name).items():
        assert client.request("GET", f"{ARTIFACTS}/{_id(name)}/objects?key={key}").body == expected
    return True


def _parted(client: Client, name: str) -> None:
    """Sends an object in two parts, and makes a version of it."""
    there = client.request("GET", f"{ARTIFACTS}/{_id(name)}")
    if there.status != 200 or there.json()["version"] is None:
        _begun(client, name)
        whole, made = objects_of(name)["large"], []
        url = f"{ARTIFACTS}/{_id(name)}/multipart"
        upload = _ask(client, "POST", f"{url}?key=large").json()["uploadId"]
        for number, part in enumerate((whole[:PART], whole[PART:]), 1):
            told = _ask(client, "PUT", f"{url}/{upload}?key=large&partNum={number}", part, "x/y").json()
            made.append({"etag": told["etag"], "partNumber": number})
        _ask(client, "POST", f"{url}/{upload}?key=large", json.dumps({"parts": made}).encode())
    _seal(client, name)


TRIALS = "/apis/v1/trials"


def _log(client: Client, name: str) -> None:
    """Makes a trial, logs to it in two requests, and ends it."""
    wish = {
        "kind": "Trial",
        "metadata": {"id": _id(name), "name": name, "folder": _root(client)},
        "parameters": {"a": 1},
    }
    if client.request("GET", f"{TRIALS}/{_id(name)}?metrics=no").status != 200:
        _ask(client, "POST", TRIALS, json.dumps({**wish, "status": "Running"}).encode())
    for start in (0, 2):
        elements = json.dumps([{"value": {"loss": number}} for number in (start, start + 1)]).encode()
        _ask(client, "POST", f"{TRIALS}/{_id(name)}/metrics/train?start={start}", elements)
    _ask(client, "POST", f"{TRIALS}/{_id(name)}/status", b'{"status": "Succeeded"}')


def _is_logged(client: Client, name: str) -> bool:
    """Returns whether the trial has ended: then all of it is there, once; and never a gap."""
    told = client.request("GET", f"{TRIALS}/{_id(name)}")
    if told.status == 404:
        return False
    doc = told.json()["doc"]
    losses = [one["value"]["loss"] for one in doc["metrics"].get("training", [])]
    assert (losses, doc["parameters"]) == (list(range(len(losses))), {"a": 1})
    assert doc["status"] == "Running" or len(losses) == 4
    return bool(doc["status"] == "Succeeded")


def _nothing(client: Client, name: str) -> None:
    """Nothing is there before."""


AIMD_DEEDS = {
    "aimd upload": Deed(_nothing, _upload, _is_version),
    "aimd parts": Deed(_nothing, _parted, _is_version),
    "aimd finalize": Deed(_begun, _seal, _is_version),
    "trial": Deed(_nothing, _log, _is_logged),
}
