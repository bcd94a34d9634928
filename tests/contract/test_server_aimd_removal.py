"""What is removed is gone for lineage and lists, gc keeps its uploads, and a purge takes what made its versions."""

from uuid import uuid4

import pytest
from sqlalchemy import Table, func, select

from aimdvc.model.progress import Silent
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.gc import Graces, collect
from aimdvc.server.guard import HttpError
from aimdvc.server.purging import purge_now
from aimdvc.server.rights import SYSTEM
from aimdvc.server.schema import aimd_versions, draft_objects, draft_parts, drafts, lineage, made_from, makings, trials
from aimdvc.server.verify import verify
from tests.contract.aimd_client import ARTIFACTS, PART, AimdClient
from tests.contract.backing import kept
from tests.contract.server_client import Client
from tests.contract.test_server_aimd_trials import DOCUMENT
from tests.contract.test_server_gc import age
from tests.contract.test_server_lineage import commits, publish
from tests.contract.test_server_lineage import lineage as asked

CONTENT = b"of a version " * 9000
BEGUN = b"of a draft " * 9000


class Ground:
    """The folder admin/sets with a version, a draft, a trial and a version that admin/model was made from."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.site = server.site
        assert server.admin_key is not None
        self.client, self.admin = Client(server.url, server.admin_key), AimdClient(server.url, server.admin_key)
        site = server.site
        self.bob = AimdClient(server.url, site.accounts.add_key(site.accounts.add_user("bob"), "write"))
        self.folder = self.admin.make_folder("sets")
        site.folders.share(SYSTEM, "admin/sets", "user", "bob", "edit")
        self.version = self.admin.upload(self.folder, "a", {"x.bin": CONTENT})["metadata"]["id"]
        self.draft = self.admin.begin(self.folder, "a")
        assert self.admin.send(self.draft, "y.bin", BEGUN).status_code == 200
        begun = self.admin.post(f"{ARTIFACTS}/{self.draft}/multipart", key="z.bin").json()["uploadId"]
        self.part = f"{ARTIFACTS}/{self.draft}/multipart/{begun}"
        self.etag = self.admin.put(self.part, data=bytes(PART), key="z.bin", partNum=1).json()["etag"]
        made = {
            "metadata": {"name": "run", "folder": self.folder, "id": str(uuid4())},
            "inputArtifacts": [self.version],
        }
        reply = self.admin.post("/apis/v1/trials", json={**DOCUMENT, **made})
        assert reply.status_code == 200, reply.text
        self.trial = str(reply.json()["id"])
        self.raw = publish(self.client, "admin/sets/raw", "Aimd-Command: secret")
        self.model = publish(self.client, "admin/model", f"Aimd-Input: admin/sets/raw@{self.raw}")

    def told(self) -> dict[str, str]:
        """Returns the answers to what names something in the folder, those that succeed."""
        get = self.admin.get
        replies = {
            "folder": get(f"/apis/v1/folders/{self.folder}"),
            "path": get("/apis/v1/folders/id", path="/sets"),
            "artifact": self.admin.show(self.version),
            "reference": get(ARTIFACTS, folder=self.folder, repo="a"),
            "objects": get(f"{ARTIFACTS}/{self.version}/objects/ls"),
            "bytes": self.admin.download(self.version, "x.bin"),
            "draft": self.admin.show(self.draft),
            "draft's objects": get(f"{ARTIFACTS}/{self.draft}/objects/ls"),
            "trial": get(f"/apis/v1/trials/{self.trial}"),
            "trial by name": get("/apis/v1/trials/id", folder=self.folder, name="run"),
            "metrics": get(f"/apis/v1/trials/{self.trial}/metrics"),
        }
        return {name: reply.text for name, reply in replies.items() if reply.status_code == 200}

    def repos(self, who: AimdClient) -> set[str]:
        return {one["path"] for one in who.get("/apis/v1/repos").json()["repos"]}

    def count(self, table: Table) -> int:
        with self.site.database.read() as connection:
            return int(connection.scalar(select(func.count()).select_from(table)) or 0)


@pytest.fixture
def ground(server: EmbeddedServer) -> Ground:
    return Ground(server)


def test_what_is_removed_is_gone_for_lineage_and_gc_keeps_all_that_it_has(
    ground: Ground, server: EmbeddedServer
) -> None:
    everything = {"/admin/sets/a", "/admin/sets/raw", "/admin/model"}
    assert ground.repos(ground.admin) == everything
    assert commits(asked(ground.client, "admin/model")) == [ground.model, ground.raw]
    ground.site.removals.remove(SYSTEM, "admin/sets", True)
    assert (ground.repos(ground.admin), ground.repos(ground.bob)) == ({"/admin/model"}, set())
    assert commits(asked(ground.client, "admin/model")) == [ground.model]
    assert ground.bob.get("/apis/v1/folders").json()["pointers"] == []
    for _ in range(2):
        age(server, 0)
        assert collect(ground.site.database, ground.site.storage, Graces(-60, -60), True, Silent()).unowned == 0
    ground.site.removals.restore(SYSTEM, "admin/sets")
    assert ground.repos(ground.admin) == everything
    assert ground.admin.download(ground.version, "x.bin").content == CONTENT
    parts = {"parts": [{"etag": ground.etag, "partNumber": 1}]}
    assert ground.admin.post(ground.part, json=parts, key="z.bin").status_code == 200
    assert ground.admin.finalize(ground.draft).json()["version"] == "v2"
    assert ground.admin.download(ground.draft, "y.bin").content == BEGUN
    assert verify(kept(ground.site), True, Silent()).damage == []


def test_nothing_that_was_removed_is_told_or_changed_until_it_is_back(ground: Ground) -> None:
    before = ground.told()
    assert len(before) == 11
    ground.site.removals.remove(SYSTEM, "admin/sets", True)
    assert ground.told() == {}
    admin, trial = ground.admin, f"/apis/v1/trials/{ground.trial}"
    tried = [
        admin.send(ground.draft, "z", b"3"),
        admin.finalize(ground.draft),
        admin.post(f"{trial}/parameters", json={"lr": 2}),
        admin.post(f"{trial}/status", json={"status": "Failed"}),
        admin.request("DELETE", trial, {}),
    ]
    assert [reply.status_code for reply in tried if reply.status_code < 400] == []
    # A trial elsewhere that names a version of it as its own is kept; that it made it is not noted.
    made = {"metadata": {"name": "other", "folder": admin.make_folder("runs"), "id": str(uuid4())}}
    reply = admin.post("/apis/v1/trials", json={**DOCUMENT, **made, "outputArtifacts": [ground.version]})
    assert reply.status_code == 200, reply.text
    assert ground.count(lineage) == 1, "what the trial in the folder read"
    ground.site.removals.restore(SYSTEM, "admin/sets")
    assert ground.told() == before


def test_a_purge_takes_drafts_trials_and_what_versions_say_made_them(ground: Ground) -> None:
    gone = ground.site.removals.remove(SYSTEM, "admin/sets", True)
    purge_now(ground.site.database, ground.site.storage, gone.id)
    assert ground.admin.finalize(ground.draft).status_code in (404, 500)
    assert [ground.count(table) for table in (drafts, draft_objects, draft_parts, trials, lineage, makings)] == [
        0
    ] * 5 + [1]
    assert (ground.count(aimd_versions), ground.count(made_from)) == (1, 1), "those of admin/model"
    assert commits(asked(ground.client, "admin/model")) == [ground.model]


def test_a_folder_with_trials_is_not_empty(ground: Ground) -> None:
    folder = ground.admin.make_folder("runs")
    made = {"metadata": {"name": "run", "folder": folder, "id": str(uuid4())}}
    assert ground.admin.post("/apis/v1/trials", json={**DOCUMENT, **made}).status_code == 200
    with pytest.raises(HttpError, match="'admin/runs' is not empty: 1 trials lie in it"):
        ground.site.removals.remove(SYSTEM, "admin/runs")
    assert ground.site.removals.remove(SYSTEM, "admin/runs", True).path == "admin/runs"
