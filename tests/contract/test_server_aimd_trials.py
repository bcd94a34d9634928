"""AIMD's REST of trials, as its clients call it: made, read, changed and removed; metrics go on where they were cut."""

import json
import threading
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.rights import SYSTEM
from aimdvc.server.schema import lineage
from tests.contract.aimd_client import AimdClient
from tests.contract.backing import back_up

DOCUMENT: dict[str, Any] = {
    "kind": "Trial",
    "platform": {"hostname": "h", "os": "Linux", "python": "3.11", "pypkgs": {"a": "1"}, "framework": None},
    "startTime": "2026-11-28T09:00:00+00:00",
    "endTime": None,
    "status": "Running",
    "parameters": {"lr": 0.1, "metrics": {}, "deep": {"a": [1, None, "x"]}},
    "inputArtifacts": [],
    "outputArtifacts": [],
    "_git": {"commit": "0" * 40, "is_dirty": True},
}


def element(step: int, **values: object) -> dict[str, object]:
    return {"value": values or {"loss": step / 4}, "sequence": {"epoch": 1, "step": step, "timestamp": "t"}}


@pytest.fixture
def alice(server: EmbeddedServer) -> AimdClient:
    return user(server, "alice")


def user(server: EmbeddedServer, name: str, scope: str = "write") -> AimdClient:
    return AimdClient(server.url, server.site.accounts.add_key(server.site.accounts.add_user(name), scope))


def make(client: AimdClient, folder: str, name: str = "run", **more: object) -> str:
    said = {**DOCUMENT, "metadata": {"name": name, "folder": folder, "id": str(uuid4())}, **more}
    reply = client.post("/apis/v1/trials", json=said)
    assert reply.status_code == 200, reply.text
    assert reply.json()["id"] == said["metadata"]["id"]
    return str(reply.json()["id"])


def test_a_trial_is_told_as_it_was_told(alice: AimdClient) -> None:
    folder = alice.make_folder("runs")
    metrics = {"train": [element(0), element(1, loss="NaN", acc=1)], "gpu": [element(0, heat=70)]}
    trial = make(alice, folder, metrics=metrics)
    doc = alice.get(f"/apis/v1/trials/{trial}").json()["doc"]
    assert doc == {
        **DOCUMENT,
        "metadata": {"editor": "", "timestamp": None, "folder": folder, "name": "run", "id": trial},
        "metrics": {"gpu": metrics["gpu"], "training": metrics["train"]},
    }
    assert alice.get(f"/apis/v1/trials/{UUID(trial).hex}").json()["doc"] == doc
    reply = alice.get("/apis/v1/trials/id", folder=folder, name="run")
    assert (reply.status_code, reply.text) == (200, f'"{trial}"')
    assert alice.get(f"/apis/v1/trials/{trial}/parameters").json() == DOCUMENT["parameters"]
    assert alice.post(f"/apis/v1/trials/{trial}/parameters", json={"x": 1}).status_code == 200
    assert alice.get(f"/apis/v1/trials/{trial}/parameters").json() == {"x": 1}
    ended = {"status": "Succeeded", "endTime": "2026-11-28T10:00:00+00:00"}
    assert alice.post(f"/apis/v1/trials/{trial}/status", json=ended).status_code == 200
    doc = alice.get(f"/apis/v1/trials/{trial}").json()["doc"]
    assert (doc["status"], doc["endTime"], doc["startTime"]) == (*ended.values(), DOCUMENT["startTime"])
    assert alice.request("DELETE", f"/apis/v1/trials/{trial}", {}).status_code == 200
    assert alice.get(f"/apis/v1/trials/{trial}").status_code == 404


def test_a_name_is_taken_once_in_a_folder_and_the_same_trial_is_made_once(alice: AimdClient) -> None:
    folder, other = alice.make_folder("runs"), alice.make_folder("more")
    said = {**DOCUMENT, "metadata": {"name": "run", "folder": folder, "id": str(uuid4())}}
    assert [alice.post("/apis/v1/trials", json=said).status_code for _ in range(2)] == [200, 200]
    for wrong in ({"name": "run", "folder": folder}, {**said["metadata"], "name": "else"}):
        reply = alice.post("/apis/v1/trials", json={**said, "metadata": wrong})
        assert (reply.status_code, reply.text.endswith("already exists")) == (400, True)
    # What would not be kept is not said to be.
    changed = alice.post("/apis/v1/trials", json={**said, "status": "Succeeded"})
    assert (changed.status_code, changed.text) == (400, "trial 'run' already exists")
    alice.post(f"/apis/v1/trials/{said['metadata']['id']}/metrics/train", json=[{"value": {"loss": 1}}])
    assert alice.post("/apis/v1/trials", json=said).status_code == 400
    second = make(alice, other)
    third = make(alice, folder, "third")
    moved = alice.request("PUT", f"/apis/v1/trials/{second}", {}, json={"metadata": {"folder": folder}})
    assert (moved.status_code, moved.text) == (400, "trial 'run' already exists")
    renamed = {"metadata": {"name": "other"}, "status": "Failed"}
    assert alice.request("PUT", f"/apis/v1/trials/{third}", {}, json=renamed).status_code == 200
    doc = alice.get(f"/apis/v1/trials/{third}").json()["doc"]
    assert (doc["metadata"]["name"], doc["status"], doc["parameters"]) == ("other", "Failed", DOCUMENT["parameters"])
    root = alice.post("/apis/v1/trials", json={"metadata": {"name": "in the root"}})
    assert root.status_code == 200


def test_metrics_go_on_where_they_were_cut_and_none_comes_twice(alice: AimdClient) -> None:
    trial = make(alice, alice.make_folder("runs"))
    url = f"/apis/v1/trials/{trial}/metrics"

    def send(elements: object, **query: object) -> tuple[int, int | None]:
        reply = alice.request("POST", f"{url}/train", query, json=elements)
        return reply.status_code, reply.json()["count"] if reply.status_code == 200 else None

    assert send(element(0)) == (200, 1)
    assert send([element(1), element(2)], start=1) == (200, 3)
    assert send([element(1), element(2), element(3)], start=1) == (200, 4)
    assert send({"metrics": [element(4)]}, start=4) == (200, 5)
    assert send([element(9)], start=9) == (409, None)
    found = alice.get(url).json()
    assert found == {"counts": {"training": 5}, "metrics": {"training": [element(step) for step in range(5)]}}
    assert alice.get(url, limit=0).json() == {"counts": {"training": 5}, "metrics": {}}
    part = alice.get(url, type="training", after=1, limit=2).json()["metrics"]["training"]
    assert part == [element(1), element(2)]
    assert alice.get(url, type="val").json()["metrics"] == {}
    changed = {"metrics": {"val": [element(7)]}}
    assert alice.request("PUT", f"/apis/v1/trials/{trial}", {}, json=changed).status_code == 200
    assert alice.get(url).json()["metrics"] == {"validation": [element(7)]}


def test_what_is_no_metric_is_refused(alice: AimdClient) -> None:
    trial = make(alice, alice.make_folder("runs"))
    wrongs: list[object] = [[], [1], {}, {"metrics": []}, {"metrics": [{}]}]
    values: list[object] = [{}, {"a": "x"}, {"a": None}, {"": 1}, {"x" * 201: 1}, [], 5]
    wrongs += [{"value": value} for value in values]
    for wrong in wrongs:
        assert alice.post(f"/apis/v1/trials/{trial}/metrics/train", json=wrong).status_code == 422, wrong
    assert alice.post(f"/apis/v1/trials/{trial}/metrics/a%20b", json=element(1)).status_code == 400
    assert alice.post(f"/apis/v1/trials/{trial}/status", json={"status": "Done"}).status_code == 422
    assert alice.get(f"/apis/v1/trials/{trial}").json()["doc"]["metrics"] == {}


def test_a_nan_as_python_writes_it_is_the_text_that_it_is(alice: AimdClient) -> None:
    trial = make(alice, alice.make_folder("runs"))
    bodies = {
        "metrics/train": b'[{"value": {"loss": NaN, "high": Infinity, "low": -Infinity}}]',
        "parameters": b'{"limit": Infinity}',
    }
    for path, raw in bodies.items():
        assert alice.request("POST", f"/apis/v1/trials/{trial}/{path}", {}, data=raw).status_code == 200
    doc = json.loads(alice.get(f"/apis/v1/trials/{trial}").content, parse_constant=pytest.fail)["doc"]
    assert doc["metrics"]["training"][0]["value"] == {"loss": "NaN", "high": "Infinity", "low": "-Infinity"}
    assert doc["parameters"] == {"limit": "Infinity"}
    folders = alice.request("POST", "/apis/v1/folders", {}, data=b'{"metadata": {"name": "x", "y": NaN}}')
    assert folders.status_code == 400


def test_many_metrics_are_given_whole_and_concurrent_ones_are_all_there(alice: AimdClient) -> None:
    trial = make(alice, alice.make_folder("runs"))
    url = f"/apis/v1/trials/{trial}/metrics/train"
    many = [element(step, loss=step, note=1) for step in range(12_000)]
    for start in range(0, len(many), 6000):
        reply = alice.request("POST", url, {"start": start}, data=json.dumps(many[start : start + 6000]))
        assert reply.status_code == 200

    def append() -> None:
        for _ in range(5):
            assert alice.post(url, json=[element(0), element(1)]).status_code == 200

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    doc = alice.get(f"/apis/v1/trials/{trial}").json()["doc"]
    assert len(doc["metrics"]["training"]) == 12_040
    assert doc["metrics"]["training"][:12_000] == many


def test_who_may_view_a_folder_views_its_trials_and_who_may_edit_it_changes_them(
    server: EmbeddedServer, alice: AimdClient
) -> None:
    trial = make(alice, alice.make_folder("runs"))
    bob = user(server, "bob")
    url = f"/apis/v1/trials/{trial}"
    calls = [("PUT", url, {"status": "Failed"}), ("POST", f"{url}/parameters", {"x": 1})]
    assert bob.get(url).text == alice.get(f"/apis/v1/trials/{uuid4()}").text == "trial not exists"
    for method, path, said in calls:
        assert bob.request(method, path, {}, json=said).status_code == 404
    server.site.folders.share(SYSTEM, "alice/runs", "user", "bob", "view")
    assert bob.get(url).status_code == 200
    for method, path, said in calls:
        assert bob.request(method, path, {}, json=said).status_code == 403
    server.site.folders.share(SYSTEM, "alice/runs", "user", "bob", "edit")
    for method, path, said in calls:
        assert bob.request(method, path, {}, json=said).status_code == 200


def test_an_artifact_has_one_producer_and_many_consumers(server: EmbeddedServer, alice: AimdClient) -> None:
    folder, model, data = alice.make_folder("runs"), str(uuid4()), str(uuid4())
    first = make(alice, folder, "first", outputArtifacts=[model], inputArtifacts=[data, "no uuid"])
    second = make(alice, folder, "second", inputArtifacts=[model, data])
    taken = {"outputArtifacts": [model]}
    reply = alice.request("PUT", f"/apis/v1/trials/{second}", {}, json=taken)
    assert reply.status_code == 409 and "made by another trial" in reply.text
    doc = alice.get(f"/apis/v1/trials/{second}").json()["doc"]
    assert (doc["inputArtifacts"], doc["outputArtifacts"]) == ([model, data], [])
    assert alice.request("DELETE", f"/apis/v1/trials/{first}", {}).status_code == 200
    assert alice.request("PUT", f"/apis/v1/trials/{second}", {}, json=taken).status_code == 200
    with server.site.database.read() as connection:
        rows = connection.execute(lineage.select().where(lineage.c.trial == UUID(second).hex)).all()
    assert {(row.relation, row.version) for row in rows} == {
        ("input", UUID(model).hex),
        ("input", UUID(data).hex),
        ("output", UUID(model).hex),
    }


def test_a_backup_holds_the_trials(server: EmbeddedServer, alice: AimdClient, tmp_path: Path) -> None:
    trial = make(alice, alice.make_folder("runs"), metrics={"train": [element(0)]}, inputArtifacts=[str(uuid4())])
    doc = alice.get(f"/apis/v1/trials/{trial}").json()
    back_up(server, tmp_path / "backup")
    with EmbeddedServer(tmp_path / "backup") as copy:
        assert AimdClient(copy.url, alice.key).get(f"/apis/v1/trials/{trial}").json() == doc


def test_the_trials_of_a_folder_are_listed_with_what_they_came_to(server: EmbeddedServer, alice: AimdClient) -> None:
    folder = alice.make_folder("runs")
    for name in ("b", "a", "c"):
        metrics = {"train": [element(0), element(1, loss=0.25)], "val": [element(1, acc=1)]} if name == "a" else {}
        make(alice, folder, name, metrics=metrics)
    first = alice.get("/api/v1/trials/alice/runs", limit=2).json()
    assert [one["name"] for one in first["trials"]] == ["a", "b"]
    one = first["trials"][0]
    assert (one["owner"], one["status"], one["parameters"]) == ("alice", "Running", DOCUMENT["parameters"])
    assert one["last"] == {"training": element(1, loss=0.25), "validation": element(1, acc=1)}
    rest = alice.get("/api/v1/trials/runs", limit=2, cursor=first["next_cursor"]).json()
    assert [one["name"] for one in rest["trials"]] == ["c"] and "next_cursor" not in rest
    assert user(server, "bob").get("/api/v1/trials/alice/runs").status_code == 404


def test_trials_are_compared_by_parameters_platform_and_step(server: EmbeddedServer, alice: AimdClient) -> None:
    folder = alice.make_folder("runs")
    one = make(alice, folder, "one", metrics={"train": [element(0), element(2), element(2, loss="NaN")]})
    two = make(alice, folder, "two", parameters={"lr": 5}, metrics={"train": [element(2)], "val": [element(2, acc=1)]})
    told = alice.get("/api/v1/compare/trials", trials=f"{one},{two}").json()
    assert [trial["name"] for trial in told["trials"]] == ["one", "two"]
    assert told["parameters"] == {"deep": [DOCUMENT["parameters"]["deep"], None], "lr": [0.1, 5], "metrics": [{}, None]}
    assert told["platform"]["hostname"] == ["h", "h"] and told["code"]["is_dirty"] == [True, True]
    assert told["metrics"] == {
        "training": {"loss": [{"step": 0, "values": [0, None]}, {"step": 2, "values": ["NaN", 0.5]}]},
        "validation": {"acc": [{"step": 2, "values": [None, 1]}]},
    }
    part = alice.get("/api/v1/compare/trials", trials=one, type="train", limit=1, after=1).json()
    assert (part["metrics"]["training"]["loss"], part["next_after"]) == ([{"step": 2, "values": [0.5]}], 2)
    bob = user(server, "bob")
    assert bob.get("/api/v1/compare/trials", trials=f"{one},{two}").status_code == 404
    for wrong in ("", ",".join([one] * 21)):
        assert alice.get("/api/v1/compare/trials", trials=wrong).status_code == 422
