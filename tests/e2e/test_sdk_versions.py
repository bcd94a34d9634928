"""What an artifact of Python tells of its versions, and of single files; what happens when uploads are cut or race."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import aimdvc
from aimdvc.artifact import Artifact
from aimdvc.errors import InvalidName, ReferenceChanged, RemoteError, RemoteUnreachable, UsageError
from aimdvc.git.http import HttpTransport
from aimdvc.server.embedded import EmbeddedServer
from tests.e2e.elsewhere import CONTENT, Elsewhere
from tests.e2e.proxy import Proxy
from tests.shell import Shell

LARGE = os.urandom(5 << 20)


@pytest.fixture
def server(logged_in: EmbeddedServer) -> EmbeddedServer:
    """A server that the user of the Python classes is logged in to."""
    return logged_in


@contextmanager
def counted(url: str, limit: int, is_upload: bool) -> Iterator[Proxy]:
    """A proxy that counts what passes one way, and breaks every connection once it is more than a limit."""
    proxy = Proxy(url, limit, 1 << 30, is_upload, is_for_all=True)
    try:
        yield proxy
    finally:
        proxy.close()


def uploaded(tmp_path: Path, content: dict[str, bytes], name: str = "a") -> Artifact:
    artifact = aimdvc.create_artifact(name, "t")
    for key, value in content.items():
        (tmp_path / "one").write_bytes(value)
        artifact.add_file(tmp_path / "one", key)
    artifact.upload()
    return artifact


def test_versions_difference_and_alias(server: EmbeddedServer, tmp_path: Path) -> None:
    one = uploaded(tmp_path, {"same": b"s", "old": b"o", "x/changed": b"1"})
    two = uploaded(tmp_path, {"same": b"s", "new": b"n", "x/changed": b"2"})
    assert [(version.version, version.commit) for version in two.versions()] == [
        ("v2", two.commit),
        ("v1", one.commit),
    ]
    found = one.diff(two)
    assert (found.added, found.removed, found.changed) == (["new"], ["old"], ["x/changed"])
    assert not one.diff(one)
    third = aimdvc.create_artifact("b", "t")
    third.add_reference("https://example.org/same", "same")
    assert one.diff(third).changed == ["same"]
    one.alias("production")
    two.alias("production")
    two.alias("production")
    assert aimdvc.grab_artifact(artifact_ref="default/a:production").version == "v2"
    with pytest.raises(InvalidName):
        two.alias("latest")
    with pytest.raises(UsageError, match="not uploaded yet"):
        third.alias("x")
    with pytest.raises(UsageError, match="not uploaded yet"):
        third.versions()


def test_a_part_of_a_large_file_is_all_that_travels(
    server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded(tmp_path, {"large": LARGE, "small": b"small", "README.md": b"# inline", "empty": b""})
    monkeypatch.setenv("AIMDVC_HOME", str(tmp_path / "elsewhere"))
    with counted(server.url, 1 << 40, False) as proxy:
        aimdvc.login(proxy.url, server.admin_key)
        artifact = aimdvc.grab_artifact(artifact_ref="default/a")
        before = proxy.passed
        with artifact.open("large") as file:
            file.seek(3 << 20)
            assert file.read(1 << 20) == LARGE[3 << 20 : 4 << 20]
            assert proxy.passed - before < 1_400_000
            file.seek(-5, os.SEEK_END)
            assert file.read() == LARGE[-5:]
            assert file.read(1) == b""
            file.seek(0)
            assert file.read() == LARGE
    aimdvc.login(server.url, server.admin_key)
    artifact = aimdvc.grab_artifact(artifact_ref="default/a")
    for key, content in {"small": b"small", "/README.md": b"# inline", "empty": b""}.items():
        with artifact.open(key) as file:
            assert file.read() == content
    with pytest.raises(KeyError):
        artifact.open("nothing")


def test_an_upload_that_is_cut_goes_on_and_makes_one_version(
    server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = aimdvc.create_artifact("a", "t")
    for number in range(3):
        (tmp_path / "one").write_bytes(LARGE + bytes([number]))
        artifact.add_file(tmp_path / "one", f"f{number}")
    monkeypatch.setattr("aimdvc.remote.lfs.TRIES", 1)
    with counted(server.url, 8 << 20, True) as proxy:
        aimdvc.login(proxy.url, server.admin_key)
        with pytest.raises(RemoteError):
            artifact.upload()
        assert artifact.is_open
    with counted(server.url, 1 << 40, True) as proxy:
        aimdvc.login(proxy.url, server.admin_key)
        aimdvc.grab_artifact(artifact_id=artifact.id).upload()
        assert proxy.passed < 9 << 20
    aimdvc.login(server.url, server.admin_key)
    assert [one.version for one in aimdvc.grab_artifact(artifact_ref="default/a").versions()] == ["v1"]


def test_an_answer_that_was_lost_makes_no_second_version(
    server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = aimdvc.create_artifact("a", "t", aliases=["best"])
    (tmp_path / "one").write_bytes(b"1")
    artifact.add_file(tmp_path / "one")
    push = HttpTransport.push

    def lost(*arguments: Any) -> None:
        push(*arguments)
        raise RemoteUnreachable(server.url, "the answer was lost")

    with monkeypatch.context() as patch:
        patch.setattr(HttpTransport, "push", lost)
        with pytest.raises(RemoteUnreachable):
            artifact.upload()
    again = aimdvc.grab_artifact(artifact_id=artifact.id)
    assert again.is_open
    again.upload()
    assert again.version == "v1"
    assert [one.version for one in again.versions()] == ["v1"]


def test_uploads_at_the_same_time_are_a_version_each(server: EmbeddedServer, tmp_path: Path) -> None:
    made = []
    for number in range(6):
        artifact = aimdvc.create_artifact("a", "t", aliases=["newest"])
        (tmp_path / "one").write_bytes(b"%d" % number)
        artifact.add_file(tmp_path / "one", f"f{number}")
        made.append(artifact)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda artifact: artifact.upload(), made))
    assert sorted(str(artifact.version) for artifact in made) == [f"v{number}" for number in range(1, 7)]
    for artifact in made:
        found = aimdvc.grab_artifact(artifact_ref=f"default/a:{artifact.version}")
        assert (found.id, [one.key for one in found.files()]) == (artifact.id, [one.key for one in artifact.files()])
    assert aimdvc.grab_artifact(artifact_ref="default/a:newest").version == "v6"


def test_what_the_command_line_pushed_is_grabbed(server: EmbeddedServer, tmp_path: Path) -> None:
    shell = Shell(tmp_path / "work")
    shell.here.mkdir()
    shell("init", "--remote", f"{server.url}/admin/default")
    shell.write("data/a.bin", LARGE)
    shell.write("data/b.md", "# b")
    commit = shell.commit("data")
    shell("push")
    one = aimdvc.grab_artifact(artifact_ref="default/data:v1")
    assert one.commit == commit
    assert aimdvc.grab_artifact(artifact_ref="default/data").id == one.id
    one.download()
    directory = Path(str(one.local_path()))
    assert sorted(path.name for path in directory.iterdir()) == ["a.bin", "b.md"]
    assert (directory / "a.bin").read_bytes() == LARGE


def test_maintenance_leaves_what_is_not_uploaded_yet(server: EmbeddedServer, tmp_path: Path) -> None:
    shell = Shell(tmp_path / "here")
    shell("init")
    artifact = aimdvc.create_artifact("a", "t")
    (tmp_path / "one").write_bytes(LARGE)
    artifact.add_file(tmp_path / "one", "large")
    (tmp_path / "one").write_bytes(b"small")
    artifact.add_file(tmp_path / "one", "small")
    os.utime(next((tmp_path / "here/.aimdvc/blobs/files").glob("*/*")), (1, 1))
    shell("prune", "--expire", "0")
    shell("trash", "empty", "--expire", "0", code=-1)
    assert [one.size for one in artifact.files()] == [len(LARGE), 5]
    artifact.upload()
    shell("fsck")


def test_references_are_fetched_when_asked_and_held_to_what_was_recorded(
    server: EmbeddedServer, tmp_path: Path, elsewhere: Elsewhere
) -> None:
    artifact = aimdvc.create_artifact("a", "t")
    recorded = hashlib.sha256(CONTENT).hexdigest()
    artifact.add_reference(f"{elsewhere.url}/a.csv", "in/", size=len(CONTENT), sha256=recorded)
    artifact.upload()
    artifact = aimdvc.grab_artifact(artifact_ref="default/a")
    artifact.download()
    assert elsewhere.asked == []
    artifact.download(references=True)
    fetched = Path(str(artifact.local_path())) / "in/a.csv"
    assert fetched.read_bytes() == CONTENT
    assert "authorization" not in elsewhere.asked[0]
    artifact.download(references=True)
    assert len(elsewhere.asked) == 1
    fetched.write_bytes(CONTENT[::-1])
    elsewhere.files["/a.csv"] = (CONTENT[:-1] + b"!", '"two"')
    with pytest.raises(ReferenceChanged):
        artifact.download(references=True)
    assert fetched.read_bytes() == CONTENT[::-1]


def test_a_version_that_is_known_here_needs_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMDVC_HOME", str(tmp_path / "user"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with EmbeddedServer(tmp_path / "srv") as running:
        aimdvc.login(running.url, running.admin_key)
        one = uploaded(tmp_path, {"f": b"1"})
        two = uploaded(tmp_path, {"f": b"2"})
    assert aimdvc.grab_artifact(artifact_ref="default/a:v1").id == one.id
    assert aimdvc.grab_artifact(artifact_ref="/default/a:v2").id == two.id
    path = aimdvc.grab_artifact(artifact_ref="default/a:v2").local_path("f")
    assert path is not None and Path(path).read_bytes() == b"2"
    for reference in ("default/a", "default/a:best", "default/a:v3"):
        with pytest.raises(RemoteUnreachable) as raised:
            aimdvc.grab_artifact(artifact_ref=reference)
        assert raised.value.hint == "known here, without a server: v1, v2"
    with pytest.raises(RemoteUnreachable):
        aimdvc.grab_artifact(artifact_ref="default/other:v1")
