"""A server whose disk really is full: case S16. It says so, goes on giving, and takes again once there is room."""

import os
import subprocess
from pathlib import Path

import pytest
from requests import Response

from aimdvc.server.embedded import EmbeddedServer
from tests.contract.aimd_client import ARTIFACTS, AimdClient
from tests.contract.git_packs import Made
from tests.contract.server_client import MAIN, Client, aimd_pack, pkt, pointer_of, report_of, version_with
from tests.crash.mounts import tmpfs
from tests.shell import Shell, git

BLOBS = [os.urandom(1 << 20), os.urandom(1000)]


def fill(place: Path) -> Path:
    """Takes every free byte."""
    filler = place / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4096"], capture_output=True)
    assert os.statvfs(place).f_bavail == 0
    return filler


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_on_a_full_disk_nothing_is_taken_everything_is_given_and_room_is_all_it_takes(
    request: pytest.FixtureRequest, tmp_path: Path, shell: Shell, database: str
) -> None:
    url = request.getfixturevalue("postgres").database() if database == "postgresql" else None
    with tmpfs(tmp_path / "disk", "size=24m") as place, EmbeddedServer(place / "srv", database_url=url) as server:
        client = Client(server.url, server.admin_key)
        shell("login", server.url, typed=str(server.admin_key))
        shell("remote", "add", "origin", f"{server.url}/team")
        shell.write("data/a", os.urandom(2 << 20))
        shell.commit("data")
        shell("push")
        put = client.batch("x/a", "upload", [pointer_of(BLOBS[0])]).json()["objects"][0]["actions"]["upload"]["href"]
        pack = client.batch("x/a", "upload", [pointer_of(BLOBS[1])], "aimd-pack").json()["aimd_pack"]["href"]
        made = Made()
        commit = version_with(made)
        shell.write("data/b", os.urandom(2 << 20))
        shell.commit("data")
        filler = fill(place)
        for number in range(2):
            kind = {"Content-Type": "application/x-aimd-pack"}
            for reply in (
                client.request("PUT", put, BLOBS[0], key=False),
                client.request("POST", pack, aimd_pack(BLOBS[1]), kind, key=False),
                client.push("x/a", [(None, commit, MAIN)], made.pack()),
            ):
                assert (reply.status, b"the server has no space left" in reply.body) == (507, True)
            assert "507 the server has no space left" in shell("push", code=6).err
            # What is there is given.
            git(tmp_path, "clone", "-q", server.url.replace("://", f"://x:{server.admin_key}@") + "/team/data", "clone")
            (tmp_path / "clone").rename(tmp_path / f"clone{number}")
            assert client.request("GET", "/api/v1/objects/team/data").status == 200
            assert client.request("GET", "/readyz").status == 200
        filler.unlink()
        assert client.request("PUT", put, BLOBS[0], key=False).status == 200
        assert client.request("POST", pack, aimd_pack(BLOBS[1]), kind, key=False).status == 200
        assert report_of(client.push("x/a", [(None, commit, MAIN)], made.pack())) == ["unpack ok", f"ok {MAIN}"]
        assert "pushed v2" in shell("push").out
        assert not list((place / "srv").rglob("incoming/*"))


def test_an_aimd_client_s_upload_goes_on_once_a_full_disk_has_room(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "size=24m") as place, EmbeddedServer(place / "srv") as server:
        aimd = AimdClient(server.url, str(server.admin_key))
        folder = aimd.make_folder("default")
        sealed = aimd.upload(folder, "a", {"x": BLOBS[1]})
        name = aimd.begin(folder, "a")
        assert aimd.send(name, "x", BLOBS[1]).status_code == 200
        path = f"{ARTIFACTS}/{name}/multipart/"
        path += str(aimd.post(f"{ARTIFACTS}/{name}/multipart", key="parts").json()["uploadId"])
        trial = {"kind": "Trial", "metadata": {"name": "t", "folder": folder}}

        def act() -> list[Response]:
            part = aimd.put(path, data=BLOBS[0], key="parts", partNum=1)
            etag = part.json()["etag"] if part.ok else ""
            return [
                aimd.send(name, "y", BLOBS[0]),
                part,
                aimd.post(path, json={"parts": [{"etag": etag, "partNumber": 1}]}, key="parts") if etag else part,
                aimd.post("/apis/v1/trials", json=trial),
                aimd.finalize(name),
            ]

        filler = fill(place)
        for reply in act():
            assert (reply.status_code, "the server has no space left" in reply.text) == (507, True), reply.request.url
        first = str(sealed["metadata"]["id"])
        assert (aimd.download(first, "x").content, list(aimd.ls(first))) == (BLOBS[1], ["x"])
        assert aimd.get(ARTIFACTS, folder=folder, repo="a").json() == sealed
        assert list(aimd.ls(name)) == ["x"]
        filler.unlink()
        assert [reply.status_code for reply in act()] == [200] * 5
        assert sorted(aimd.ls(name)) == ["parts", "x", "y"]
        assert not list((place / "srv").rglob("incoming/*"))


def test_a_fetch_for_which_the_temporary_directory_has_no_room_is_507_and_a_clone_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case S16: a pack that is made for one client lies there while it is sent; one that is stored needs none."""
    with tmpfs(tmp_path / "temporary", "size=1m") as place, EmbeddedServer(tmp_path / "srv") as server:
        monkeypatch.setattr("tempfile.tempdir", str(place))
        client = Client(server.url, server.admin_key)
        made = Made()
        first = made.commit(made.tree([(b"100644", b"a", made.blob(os.urandom(12 << 20)))]))
        second = made.commit(made.tree([]))
        pushed = client.push("a", [(None, first, MAIN), (None, second, "refs/heads/other")], made.pack())
        assert report_of(pushed)[1:] == [f"ok {MAIN}", "ok refs/heads/other"]
        kind = {"Content-Type": "application/x-git-upload-pack-request"}
        wants = [pkt(f"want {commit} side-band-64k ofs-delta\n".encode()) for commit in (first, second)]
        for _ in range(2):
            reply = client.request("POST", "/a/git-upload-pack", wants[0] + b"0000" + pkt(b"done\n"), kind)
            assert (reply.status, b"no space left" in reply.body) == (507, True)
        assert (
            client.request("POST", "/a/git-upload-pack", b"".join(wants) + b"0000" + pkt(b"done\n"), kind).status == 200
        )
        assert list(place.iterdir()) == []
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert client.request("POST", "/a/git-upload-pack", wants[0] + b"0000" + pkt(b"done\n"), kind).status == 200
