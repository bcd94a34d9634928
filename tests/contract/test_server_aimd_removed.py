"""What was removed is not there for AIMD's clients either, by no id of it, and comes back as it was; or is purged."""

from uuid import uuid4

import pytest
from requests import Response
from sqlalchemy import select

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.purging import purge_now
from aimdvc.server.rights import SYSTEM
from aimdvc.server.schema import drafts, trials
from tests.contract.aimd_client import ARTIFACTS, AimdClient


class Ground:
    """A folder with an artifact, another that is being uploaded, and a trial."""

    def __init__(self, server: EmbeddedServer) -> None:
        assert server.admin_key is not None
        self.site = server.site
        self.client = AimdClient(server.url, server.admin_key)
        self.folder = self.client.make_folder("work")
        self.made = str(self.client.upload(self.folder, "data", {"x": b"1"})["metadata"]["id"])
        self.begun = self.client.begin(self.folder, "data")
        assert self.client.send(self.begun, "y", b"2" * 2000).status_code == 200
        metadata = {"name": "run", "folder": self.folder, "id": str(uuid4())}
        said = {"kind": "Trial", "metadata": metadata, "status": "Running", "parameters": {"lr": 1}}
        self.trial = metadata["id"]
        assert self.client.post("/apis/v1/trials", json=said).status_code == 200

    def asked(self) -> dict[str, Response]:
        """Returns the answers to what names something in the folder."""
        get = self.client.get
        return {
            "folder": get(f"/apis/v1/folders/{self.folder}"),
            "path": get("/apis/v1/folders/id", path="/work"),
            "artifact": self.client.show(self.made),
            "reference": get(ARTIFACTS, folder=self.folder, repo="data"),
            "objects": get(f"{ARTIFACTS}/{self.made}/objects/ls"),
            "bytes": self.client.download(self.made, "x"),
            "draft": self.client.show(self.begun),
            "draft's objects": get(f"{ARTIFACTS}/{self.begun}/objects/ls"),
            "trial": get(f"/apis/v1/trials/{self.trial}"),
            "trial by name": get("/apis/v1/trials/id", folder=self.folder, name="run"),
            "metrics": get(f"/apis/v1/trials/{self.trial}/metrics"),
        }

    def repos(self) -> list[str]:
        return [one["path"] for one in self.client.get("/apis/v1/repos", scope="all").json()["repos"]]


@pytest.fixture
def ground(server: EmbeddedServer) -> Ground:
    return Ground(server)


def test_nothing_that_was_removed_is_told_until_it_is_back(ground: Ground) -> None:
    before = {name: reply.text for name, reply in ground.asked().items()}
    ground.site.removals.remove(SYSTEM, "admin/work", True)
    assert {name: reply.status_code for name, reply in ground.asked().items() if reply.status_code < 400} == {}
    assert ground.repos() == []
    client = ground.client
    tried = [
        client.send(ground.begun, "z", b"3"),
        client.finalize(ground.begun),
        client.post(f"/apis/v1/trials/{ground.trial}/parameters", json={"lr": 2}),
        client.post(f"/apis/v1/trials/{ground.trial}/status", json={"status": "Failed"}),
        client.request("DELETE", f"/apis/v1/trials/{ground.trial}", {}),
    ]
    assert [reply.status_code for reply in tried if reply.status_code < 400] == []
    ground.site.removals.restore(SYSTEM, "admin/work")
    assert {name: reply.text for name, reply in ground.asked().items()} == before
    assert ground.repos() == ["/admin/work/data"]
    assert client.finalize(ground.begun).json()["version"] == "v2"


def test_a_purge_takes_uploads_and_trials_with_it(ground: Ground) -> None:
    gone = ground.site.removals.remove(SYSTEM, "admin/work", True)
    purge_now(ground.site.database, ground.site.storage, gone.id)
    with ground.site.database.read() as connection:
        assert connection.execute(select(drafts.c.id)).all() == []
        assert connection.execute(select(trials.c.id)).all() == []
    assert ground.client.finalize(ground.begun).status_code in (404, 500)
    assert {name: reply.status_code for name, reply in ground.asked().items() if reply.status_code < 400} == {}
