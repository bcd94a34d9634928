"""`Artifact` against a real server: what it holds, where it goes, and what others see of it."""

import hashlib
import os
import uuid
from pathlib import Path

import pytest

import aimdvc
from aimdvc.artifact import Artifact
from aimdvc.errors import InvalidName, NotAuthorised, UnknownRevision, UnsafePath, UnsafeUrl, UsageError
from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, files_of, git

BIG = os.urandom(200_000)


@pytest.fixture
def server(logged_in: EmbeddedServer) -> EmbeddedServer:
    """A server that the user of the Python classes is logged in to."""
    return logged_in


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory of files of every kind."""
    root = tmp_path / "files"
    for name, content in {"a.bin": BIG, "sub/b.txt": b"b", "README.md": b"# hi\n", "empty": b""}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def test_what_is_uploaded_is_a_version_that_git_and_aimdvc_see(
    server: EmbeddedServer, files: Path, tmp_path: Path
) -> None:
    artifact = aimdvc.create_artifact("mnist", "dataset", "digits", aliases=["production", "latest", "v7"])
    before = artifact.to_dict()
    assert [before[key] for key in ("commit", "version", "_remote")] == [None, None, None]
    artifact.add_dir(files)
    artifact.add_reference("https://example.org/x/y.csv?z=1")
    told = artifact.upload()
    assert not artifact.is_open
    assert artifact.version == "v1"
    assert artifact.remote == [{"host": server.url, "path": "/admin/default/mnist", "version": "v1"}]
    known = artifact.to_dict()
    assert set(told) == set(known) - {"_remote"}
    assert {key: told[key] for key in ("kind", "description", "commit", "version")} == {
        key: known[key] for key in ("kind", "description", "commit", "version")
    }
    assert (told["aliases"], told["metadata"]["id"]) == (["production"], artifact.id)
    assert told["metadata"]["folder"] == known["metadata"]["folder"]
    shell = Shell(tmp_path)
    shell("clone", f"{server.url}/admin/default/mnist", "mine")
    assert files_of(tmp_path / "mine") == {f"files/{name}": content for name, content in files_of(files).items()}
    told = shell("log", "--json", at=tmp_path / "mine").json["versions"][0]
    assert told["version"] == "v1"
    assert told["aliases"] == ["production"]
    assert "https://example.org/x/y.csv?z=1" in shell("ref", "list", at=tmp_path / "mine").out
    assert f"Aimd-Id: {artifact.id}" in git(tmp_path / "mine/.aimdvc/repos/mnist.git", "log", "-1", "main")


def test_what_an_artifact_holds_is_listed_before_and_after(server: EmbeddedServer, files: Path) -> None:
    artifact = aimdvc.create_artifact("mnist", "dataset")
    artifact.add_dir(files, "data/")
    artifact.add_reference("s3://bucket/key/part.parquet")
    expected = [
        {"key": f"data/files/{name}", "size": len(content), "digest": md5(content), "sha256": sha256(content)}
        for name, content in sorted(files_of(files).items())
    ]
    expected.append({"key": "part.parquet", "uri": "s3://bucket/key/part.parquet"})
    assert artifact.objects == expected
    artifact.upload()
    assert artifact.objects == expected
    again = aimdvc.grab_artifact(artifact_ref="default/mnist")
    assert again.id == artifact.id
    assert again.objects == expected


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("key", "expected"),
    [(None, "b.txt"), ("/x/y", "x/y"), ("x/", "x/b.txt"), ("/", "b.txt"), ("", "b.txt"), ("x/y.z", "x/y.z")],
)
def test_the_key_rule_of_files(server: EmbeddedServer, files: Path, key: str | None, expected: str) -> None:
    artifact = aimdvc.create_artifact("a", "t")
    artifact.add_file(files / "sub/b.txt", key)
    assert [one.key for one in artifact.files()] == [expected]


@pytest.mark.parametrize(("key", "expected"), [(None, "sub/b.txt"), ("b/", "b/sub/b.txt"), ("b/a", "b/a/b.txt")])
def test_the_key_rule_of_directories(server: EmbeddedServer, files: Path, key: str | None, expected: str) -> None:
    artifact = aimdvc.create_artifact("a", "t")
    artifact.add_dir(files / "sub", key)
    assert [one.key for one in artifact.files()] == [expected]


@pytest.mark.parametrize("key", ["../../x", "/../x", "a/../../x", ".git/config", "a/.aimd/x", "aimdvc.lock", "a//b"])
def test_a_key_that_leads_elsewhere_is_refused_by_every_adder(server: EmbeddedServer, files: Path, key: str) -> None:
    artifact = aimdvc.create_artifact("a", "t")
    with pytest.raises(UnsafePath):
        artifact.add_file(files / "a.bin", key)
    with pytest.raises(UnsafePath):
        artifact.add_dir(files, key)
    with pytest.raises(UnsafePath):
        artifact.add_reference("https://example.org/x", key)
    assert artifact.objects == []


def test_a_key_is_one_thing_only(server: EmbeddedServer, files: Path) -> None:
    artifact = aimdvc.create_artifact("a", "t")
    artifact.add_file(files / "a.bin", "x")
    artifact.add_file(files / "sub/b.txt", "x")
    assert [one.size for one in artifact.files()] == [1]
    with pytest.raises(UnsafePath, match="another would lie inside of it"):
        artifact.add_reference("https://example.org/x", "x/y")
    artifact.add_reference("https://example.org/x", "x")
    assert artifact.objects == [{"key": "x", "uri": "https://example.org/x"}]


def test_what_is_not_there_or_of_another_kind_is_said_in_python_s_own_words(
    server: EmbeddedServer, files: Path
) -> None:
    artifact = aimdvc.create_artifact("a", "t")
    with pytest.raises(FileNotFoundError):
        artifact.add_file(files / "nothing")
    with pytest.raises(IsADirectoryError, match="add_dir"):
        artifact.add_file(files)
    with pytest.raises(FileNotFoundError):
        artifact.add_dir(files / "nothing")
    with pytest.raises(NotADirectoryError, match="add_file"):
        artifact.add_dir(files / "a.bin")
    with pytest.raises(UnsafeUrl):
        artifact.add_reference("https://user:secret@example.org/x")
    with pytest.raises(UnsafePath):
        artifact.add_reference("https://example.org")
    with pytest.raises(InvalidName):
        aimdvc.create_artifact("../x", "t")
    with pytest.raises(InvalidName):
        aimdvc.create_artifact("x", "t", aliases=["a/b"])


def test_links_are_read_through_and_what_is_no_file_is_told(server: EmbeddedServer, files: Path) -> None:
    (files / "link").symlink_to("a.bin")
    (files / "around").symlink_to("sub")
    os.mkfifo(files / "pipe")
    (files / "sub/.git").mkdir()
    artifact = aimdvc.create_artifact("a", "t")
    with pytest.warns(UserWarning, match=r"left out of 'files': sub/\.git, pipe, around"):
        artifact.add_dir(files)
    found = {one.key: one for one in artifact.files()}
    assert found["files/link"].sha256 == sha256(BIG)
    assert "files/around" not in found


def test_nothing_can_be_added_to_what_is_uploaded(server: EmbeddedServer, files: Path) -> None:
    artifact = aimdvc.create_artifact("a", "t")
    artifact.upload()
    for work in (
        lambda: artifact.add_file(files / "a.bin"),
        lambda: artifact.add_dir(files),
        lambda: artifact.add_reference("https://example.org/x"),
        artifact.upload,
    ):
        with pytest.raises(RuntimeError, match="uploaded already"):
            work()


def test_empty_and_reference_only_artifacts_come_back(server: EmbeddedServer) -> None:
    aimdvc.create_artifact("empty", "t").upload()
    assert aimdvc.grab_artifact(artifact_ref="default/empty").objects == []
    one = aimdvc.create_artifact("refs", "t")
    one.add_reference("https://example.org/x")
    one.upload()
    assert aimdvc.grab_artifact(artifact_ref="default/refs:v1").objects == [
        {"key": "x", "uri": "https://example.org/x"}
    ]


def test_every_upload_is_a_version_and_takes_its_aliases(server: EmbeddedServer, files: Path) -> None:
    for number in (1, 2, 3):
        artifact = aimdvc.create_artifact("a", "t", aliases=["best"] if number < 3 else None)
        artifact.add_file(files / "a.bin")
        artifact.upload()
        assert artifact.version == f"v{number}"
    assert aimdvc.grab_artifact(artifact_ref="default/a:best").version == "v2"
    assert aimdvc.grab_artifact(artifact_ref="/admin/default/a").version == "v3"
    assert aimdvc.grab_artifact(artifact_ref="default/a:v1").version == "v1"
    with pytest.raises(UsageError, match="v9"):
        aimdvc.grab_artifact(artifact_ref="default/a:v9")
    with pytest.raises(UsageError, match="no artifact"):
        aimdvc.grab_artifact(artifact_ref="default/nothing")


def test_a_folder_has_to_be_there_unless_it_is_to_be_made(server: EmbeddedServer) -> None:
    artifact = aimdvc.create_artifact("a", "t")
    with pytest.raises(UsageError, match="has no folder 'x/y'"):
        artifact.upload(folder_path="x/y")
    assert artifact.is_open
    artifact.upload(folder_path="x/y", make_folder=True)
    assert artifact.remote is not None
    assert artifact.remote[0]["path"] == "/admin/x/y/a"
    with pytest.raises(UsageError, match="nothing with the id"):
        aimdvc.create_artifact("b", "t").upload(folder_id=str(uuid.uuid4()))


def test_an_artifact_is_found_by_its_directory_its_id_and_its_repo_s_id(server: EmbeddedServer, files: Path) -> None:
    artifact = aimdvc.create_artifact("a", "t")
    artifact.add_dir(files)
    directory = artifact.local_path()
    assert directory is not None
    assert aimdvc.grab_artifact(artifact_path=directory).id == artifact.id
    assert aimdvc.grab_artifact(artifact_id=artifact.id.upper()).is_open
    told = aimdvc.upload_artifact(artifact_id=artifact.id, repo_path="/admin/team/b", make_folder=True)
    assert aimdvc.grab_artifact(artifact_ref=told["metadata"]["folder"]).id == artifact.id
    assert aimdvc.grab_artifact(artifact_ref=f"{told['metadata']['folder']}:v1").name == "b"


def test_nothing_depends_on_the_current_directory(
    server: EmbeddedServer, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    artifact = aimdvc.create_artifact("a", "t")
    artifact.add_file("sub/b.txt")
    (tmp_path / "work" / ".aimdvc").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    path = artifact.local_path("b.txt")
    assert path is not None
    assert Path(path).read_bytes() == b"b"
    assert Path(path).name == "b.txt"
    artifact.upload()
    monkeypatch.chdir("/")
    assert aimdvc.grab_artifact(artifact_id=artifact.id).version == "v1"
    assert artifact.local_path("nothing") is None
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    artifact = aimdvc.create_artifact("a", "t")
    artifact.add_file(files / "sub" / "b.txt")
    assert artifact.upload()["version"] == "v2"
    assert aimdvc.grab_artifact(artifact_ref="default/a:v1").version == "v1"
    with aimdvc.create_trial(trial_name="here") as trial:
        trial.mark_input(artifact)
    assert aimdvc.load_trial(trial_name="here").status == "Succeeded"


def test_a_path_that_leads_out_of_its_place_asks_the_server_nothing(server: EmbeddedServer, files: Path) -> None:
    artifact = aimdvc.create_artifact("a", "t")
    with pytest.raises(UnsafePath):
        artifact.upload(folder_path="../../whoami", make_folder=True)
    with pytest.raises(UnsafePath):
        aimdvc.grab_artifact(artifact_ref="default/../../a:v1")
    artifact.upload()
    with pytest.raises(UnknownRevision, match="'admin/default/a' has no revision 'v9'"):
        aimdvc.grab_artifact(artifact_ref="default/a:v9")


def test_a_download_brings_what_is_wrong_and_leaves_what_is_right(
    server: EmbeddedServer, files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = aimdvc.create_artifact("a", "t")
    made.add_dir(files, "d/")
    made.add_reference("https://example.org/x")
    made.upload()
    monkeypatch.setenv("AIMDVC_HOME", str(tmp_path / "elsewhere"))
    other = aimdvc.grab_artifact(artifact_ref="default/a:latest")
    other.download()
    directory = Path(str(other.local_path()))
    assert {name.removeprefix("d/files/"): content for name, content in files_of(directory).items()} == files_of(files)
    assert other.local_path("x") is None
    good = directory / "d/files/sub/b.txt"
    before = good.stat()
    wrong = directory / "d/files/a.bin"
    wrong.write_bytes(BIG[:-1] + bytes([BIG[-1] ^ 1]))
    other.download()
    assert wrong.read_bytes() == BIG
    assert (good.stat().st_ino, good.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_in_a_workspace_it_is_the_workspace_s_artifact(
    server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path / "here")
    shell("init", "--remote", f"{server.url}/admin")
    shell.write("data/a", "1")
    shell.commit("data")
    shell("push")
    artifact = aimdvc.create_artifact("data", "dataset")
    artifact.add_file(shell.write("new/a", "2"))
    artifact.upload(folder_path="/admin")
    assert artifact.version == "v2"
    assert "v2" in shell("log", "data@v2").out
    shell("pull")
    assert (shell.here / "data/a").read_bytes() == b"2"
    assert not (tmp_path / "home/.local").exists()
    shell("fsck")


def test_a_with_uploads_at_a_clean_exit_only(server: EmbeddedServer, files: Path) -> None:
    with pytest.raises(KeyError), aimdvc.create_artifact("a", "t") as artifact:
        raise KeyError
    assert artifact.is_open
    with aimdvc.create_artifact("a", "t") as artifact:
        artifact.add_dir(files)
    assert artifact.version == "v1"


def test_an_artifact_s_dict_makes_it_again(server: EmbeddedServer, files: Path) -> None:
    artifact = aimdvc.create_artifact("a", "t", "words")
    artifact.add_file(files / "a.bin")
    artifact.upload()
    again = Artifact(artifact.to_dict(), artifact.repo)
    assert again.to_dict() == artifact.to_dict()
    assert again.objects == artifact.objects
    assert set(artifact.to_dict()) == {
        *("kind", "metadata", "description", "commit", "version", "aliases", "creatingTimestamp", "_remote")
    }
    data = artifact.to_dict()
    for key in ("metadata", "description", "commit", "version", "aliases", "creatingTimestamp"):
        with pytest.raises(ValueError, match=key):
            again.parse_from_dict({name: value for name, value in data.items() if name != key})
    with pytest.raises(ValueError, match="aliases are 'x'"):
        again.parse_from_dict({**data, "aliases": "x"})
    del data["_remote"]
    again.parse_from_dict(data)


def test_without_a_login_it_is_local(tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    artifact = aimdvc.create_artifact("a", "t")
    artifact.add_dir(files)
    assert len(artifact.objects) == 4
    with pytest.raises(NotAuthorised, match="no server is known"):
        artifact.upload()
    assert artifact.is_open


def test_an_id_of_the_server_s_is_found_too(
    server: EmbeddedServer, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = aimdvc.create_artifact("a", "t")
    artifact.add_dir(files)
    artifact.upload()
    monkeypatch.setenv("AIMDVC_HOME", str(files.parent / "elsewhere"))
    found = aimdvc.grab_artifact(artifact_id=artifact.id)
    assert (found.version, found.commit) == ("v1", artifact.commit)
    assert [one.key for one in found.files()] == [one.key for one in artifact.files()]
    with pytest.raises(UsageError, match="neither this machine nor"):
        aimdvc.grab_artifact(artifact_id=str(uuid.uuid4()))
