"""Remotes, trees and settings that someone hostile made: nothing outside changes, nothing runs. Cases C01 to C16."""

import os
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.errors import AimdvcError
from aimdvc.fs.disk import Disk
from aimdvc.git.history import History
from aimdvc.git.kinds import BLOB, TREE
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Silent
from aimdvc.ops.blobs import Means
from aimdvc.ops.checkout import checkout
from aimdvc.ops.connect import Connector
from aimdvc.ops.transfer import blob_fetcher
from aimdvc.ops.workspace import Workspace
from aimdvc.remote.session import Session
from aimdvc.server.embedded import EmbeddedServer
from tests.planting import plant, plant_version, tree_line
from tests.shell import Shell, files_of

NAMES = [b"..", b".", b".git", b".GIT", b".aimdvc", b".AIMDVC", b".AIMD", b"aimdvc.lock", b"GIT~1", b"AIMDVC~1"]
NAMES += [".aim\u200cdvc".encode(), ".g\u200dit".encode(), b".git.", b".git ", b".git::$DATA", b"a/../../x", b"/etc/x"]
NAMES += [b"..\\x", b"C:\\..\\.git", b"", b"a/b", b".git\\hooks"]


@pytest.fixture
def decoys(tmp_path: Path) -> Iterator[Path]:
    """A directory full of files beside everything that a test writes, which must be as they were at its end."""
    place = tmp_path / "outside"
    for name in ("x", "passwd", ".git/hooks/post-checkout", ".aimdvc/config"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("mine")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    yield place
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


@pytest.fixture
def remote(shell: Shell, tmp_path: Path) -> Path:
    """A folder that is a remote with one good version."""
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    shell.write("data/a", "good")
    shell.commit("data")
    shell("push")
    return tmp_path / "remote/data.git"


def hostile_tree(repository: Path, name: bytes, is_below: bool) -> bytes:
    blob = plant(repository, BLOB, b"hostile")
    mode, git_id = b"100644", blob
    if is_below:
        mode, git_id = b"40000", plant(repository, TREE, tree_line(b"100644", b"config", blob))
    return tree_line(mode, name, git_id)


@pytest.mark.parametrize("is_below", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_tree_with_a_hostile_name_is_refused_before_a_file_is_written(
    shell: Shell, remote: Path, decoys: Path, tmp_path: Path, name: bytes, is_below: bool
) -> None:
    """Case C01."""
    plant_version(remote, hostile_tree(remote, name, is_below), "refs/heads/main")
    done = Shell(tmp_path)("clone", str(remote.parent / "data"), "clone", "--json", code=-1)
    assert done.code in (3, 4, 6), done.out
    assert done.json["exit_code"] == done.code
    if (tmp_path / "clone").exists():
        assert not [path for path in files_of(tmp_path / "clone") if not path.startswith(".aimdvc/")]
    before = files_of(shell.here)
    assert shell("pull", code=-1).code in (1, 3, 4, 6)
    assert files_of(shell.here) == before
    assert shell("status", "-s").out == ""


@pytest.mark.parametrize("order", ["link first", "directory first"])
def test_a_tree_whose_link_has_the_name_of_a_directory_leads_nowhere(
    remote: Path, decoys: Path, tmp_path: Path, order: str
) -> None:
    """Case C02."""
    link = tree_line(b"120000", b"d", plant(remote, BLOB, str(decoys).encode()))
    inner = plant(remote, TREE, tree_line(b"100644", b"x", plant(remote, BLOB, b"hostile")))
    directory = tree_line(b"40000", b"d", inner)
    tree = link + directory if order == "link first" else directory + link
    plant_version(remote, tree, "refs/heads/main")
    assert Shell(tmp_path)("clone", str(remote.parent / "data"), "clone", code=-1).code in (0, 3, 4, 6)


def test_a_link_that_was_put_in_the_way_is_not_followed(shell: Shell, remote: Path, decoys: Path) -> None:
    """Case C02."""
    shell.write("data/d/x", "1")
    shell.commit("data", "two")
    shell("checkout", "data@HEAD~1")
    shutil.rmtree(shell.here / "data/d", ignore_errors=True)
    (shell.here / "data/d").symlink_to(decoys)
    for force in ([], ["--force"]):
        assert shell("checkout", *force, "data@main", code=-1).code in (1, 4)


def test_directories_that_are_swapped_for_links_while_we_write(shell: Shell, decoys: Path) -> None:
    """Case C03: a thread swaps them as fast as it can."""
    for number in range(40):
        shell.write(f"data/d/f{number}", "1")
    shell.commit("data", "one")
    for number in range(40):
        shell.write(f"data/d/f{number}", "22")
    shell.commit("data", "two")
    directory, aside = shell.here / "data/d", shell.here / "data/aside"
    is_over = threading.Event()

    def swap() -> None:
        while not is_over.is_set():
            try:
                directory.rename(aside)
                directory.symlink_to(decoys)
                directory.unlink()
                aside.rename(directory)
            except OSError:
                continue

    def no_session() -> Session:
        raise AssertionError("nothing is fetched")

    means = Means(blob_fetcher(Connector(no_session)), Silent())
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for turn in range(60):
            with Workspace.open(shell.here, Disk()) as workspace:
                try:
                    checkout(workspace, "data", "main" if turn % 2 else "HEAD~1", True, means)
                except AimdvcError:
                    continue
    finally:
        is_over.set()
        thread.join()
    assert sorted(path.name for path in decoys.iterdir()) == [".aimdvc", ".git", "passwd", "x"]


@pytest.mark.parametrize("ref", ["refs/heads/../../config", "refs/aliases/..", "refs/tags/a b", "refs/aliases/x\x1b"])
def test_a_ref_with_a_hostile_name_does_no_harm(shell: Shell, remote: Path, decoys: Path, ref: str) -> None:
    """Case C04."""
    commit = (remote / "refs/heads/main").read_text().strip()
    with (remote / "packed-refs").open("a") as file:
        file.write(f"{commit} {ref}\n")
    done = shell("fetch", code=-1)
    assert done.code in (0, 4, 5, 6)
    assert "\x1b" not in done.out + done.err
    config = shell.here / ".aimdvc/repos/data.git/config"
    assert config.read_text().startswith("[core]")


@pytest.mark.parametrize("name", ["..", ".", "x/..", "%2e%2e", "con", "a\0b", "data.git/..", "-x", ".git"])
def test_the_last_part_of_a_url_is_no_way_out(remote: Path, decoys: Path, tmp_path: Path, name: str) -> None:
    """Case C04: the directory that a clone makes is named by it."""
    here = tmp_path / "here"
    here.mkdir()
    done = Shell(here)("clone", f"{remote.parent}/{name}", code=-1)
    assert done.code in (2, 4, 6)
    assert not any(here.iterdir())


SETTINGS = """
[core]
\thooksPath = {here}/hooks
\tfsmonitor = {canary}
\tpager = {canary}
\tsshCommand = {canary}
\tlink = copy
[include]
\tpath = {here}/more
[includeIf "gitdir:/"]
\tpath = {here}/more
[filter "lfs"]
\tclean = {canary}
\tsmudge = {canary}
\tprocess = {canary}
[credential]
\thelper = !{canary}
[http]
\tproxy = http://127.0.0.1:1
\tsslVerify = false
[alias]
\tstatus = !{canary}
[url "http://127.0.0.1:1/"]
\tinsteadOf = http
[remote "origin"]
\turl = {url}
\tuploadpack = {canary}
\tproxy = http://127.0.0.1:1
"""


def test_settings_that_came_with_the_code_run_nothing(shell: Shell, server: EmbeddedServer, tmp_path: Path) -> None:
    """Case C09: of a committed file only remotes and `core.link` count."""
    canary = tmp_path / "canary.sh"
    canary.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    canary.chmod(0o755)
    hooks = shell.here / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "pre-push", "post-commit", "reference-transaction"):
        shutil.copy(canary, hooks / name)
    text = SETTINGS.format(here=shell.here, canary=canary, url=server.url)
    shell.write("more", text)
    shell.write(".aimdvc/config", text)
    shell.write("data/a", "1")
    shell.write("data/.gitattributes", "* filter=lfs\n[attr]x filter=lfs\n")
    shell.commit("data")
    for line in ("push", "status", "log", "checkout data@HEAD", "fetch", "pull", "fsck"):
        shell(*line.split())
    shell("logout", server.url)
    shell("fetch", code=7)
    assert not (tmp_path / "ran").exists()
    assert shell("config", "--json").json["settings"].keys() <= {"core.link", "remote.origin.url"}


def test_hooks_in_a_repository_of_ours_do_not_run(shell: Shell, remote: Path, tmp_path: Path) -> None:
    """Case C09: a repository is data, wherever it was copied from."""
    for repository in (shell.here / ".aimdvc/repos/data.git", remote):
        (repository / "hooks").mkdir(exist_ok=True)
        for name in ("pre-receive", "update", "post-receive", "reference-transaction", "post-commit", "pre-push"):
            hook = repository / "hooks" / name
            hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
            hook.chmod(0o755)
    shell.write("data/a", "2")
    shell.commit("data", "two")
    shell("push")
    shell("pull")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("path", [".", "", "bin", "{here}/bin:."])
def test_no_program_of_the_current_directory_is_run(
    shell: Shell, server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Case C11: an entry of PATH that is no absolute path is skipped."""
    shell("remote", "add", "origin", server.url)
    for name in ("git", "bin/git", "git-lfs", "less"):
        shell.write(name, f"#!/bin/sh\n: > {tmp_path}/ran\n").chmod(0o755)
    shell.write("data/a", "1")
    shell.commit("data")
    shell("logout", server.url)
    monkeypatch.setenv("PATH", path.replace("{here}", "nowhere") + ":/nowhere")
    monkeypatch.chdir(shell.here)
    shell("push", code=7)
    assert not (tmp_path / "ran").exists()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 5\n"
MALFORMED = {
    "CRLF": POINTER.replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbf" + POINTER,
    "an extra key": POINTER + b"x-key value\n",
    "SHA-1": POINTER.replace(b"sha256:" + b"a" * 64, b"sha1:" + b"a" * 40),
    "upper case": POINTER.replace(b"a" * 64, b"A" * 64),
    "longer than 1024": POINTER + b"\n" * 1024,
    "a way out": POINTER.replace(b"a" * 64, b"../" * 21 + b"x"),
    "no size": POINTER.partition(b"size")[0],
    "size 0": POINTER.replace(b"size 5", b"size 0"),
    "a negative size": POINTER.replace(b"size 5", b"size -5"),
    "a padded size": POINTER.replace(b"size 5", b"size 05"),
    "a huge size": POINTER.replace(b"size 5", b"size " + b"9" * 20),
    "no final newline": POINTER[:-1],
    "the oid twice": POINTER.replace(b"size", b"oid sha256:" + b"b" * 64 + b"\nsize"),
    "the old version": POINTER.replace(b"https://git-lfs.github.com", b"http://git-media.io"),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_nearly_a_pointer_is_content_and_no_path(
    shell: Shell, remote: Path, decoys: Path, tmp_path: Path, kind: str
) -> None:
    """Case C16."""
    raw = MALFORMED[kind]
    rules = tree_line(b"100644", b".gitattributes", plant(remote, BLOB, b"* filter=lfs\n"))
    plant_version(remote, rules + tree_line(b"100644", b"f", plant(remote, BLOB, raw)), "refs/heads/main")
    Shell(tmp_path)("clone", str(remote.parent / "data"), "clone")
    assert (tmp_path / "clone/f").read_bytes() == raw
    clone = Shell(tmp_path / "clone")
    assert "against .gitattributes" in clone("fsck").out
    assert clone("status", "-s").out == ""


def test_temporary_files_are_new_private_and_in_the_store(shell: Shell) -> None:
    """Case C28."""
    seen: dict[str, tuple[int, int]] = {}

    def look(operation: str, path: Path | str) -> None:
        for temp in (shell.here / ".aimdvc").rglob("*tmp-*"):
            status = temp.lstat()
            seen[str(temp)] = (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode))

    shell.write("data/a", "1")
    shell.write("data/big", os.urandom(100_000))
    before = set(os.listdir("/tmp"))
    with Workspace.open(shell.here, Disk(look)) as workspace, workspace.blobs.writer() as writer:
        pointer = writer.add_bytes(os.urandom(100_000))
        writer.add_bytes(b"small")
    assert pointer.size == 100_000
    assert seen
    assert {kind for kind, _ in seen.values()} == {stat.S_IFREG}
    assert {mode for _, mode in seen.values()} <= {0o600, 0o444}
    assert not [name for name in set(os.listdir("/tmp")) - before if "aimdvc" in name]


def test_a_link_in_the_place_of_a_lock_or_a_download_is_not_followed(shell: Shell, decoys: Path) -> None:
    """Case C28: nothing of ours is opened through a link."""
    shell.write("data/a", "1")
    shell.commit("data")
    (shell.here / ".aimdvc/files.lock").unlink(missing_ok=True)
    (shell.here / ".aimdvc/files.lock").symlink_to(decoys / "x")
    shell.write("data/a", "2")
    assert shell("restore", "data/a", "--json", code=8).json["error"] == "storage-error"


def test_a_wrong_blob_under_a_right_name_is_not_believed(shell: Shell, tmp_path: Path) -> None:
    """Case C27: whoever put it into a shared store."""
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    content = os.urandom(100_000)
    shell.write("data/a", content)
    shell.commit("data")
    shell("push")
    Shell(tmp_path)("clone", str(tmp_path / "remote/data"), "clone")
    clone = Shell(tmp_path / "clone")
    blob = next(clone.here.glob(".aimdvc/blobs/files/*/*"))
    blob.unlink()
    blob.write_bytes(b"hostile" * 1000)
    (clone.here / "a").unlink()
    assert clone("cat", "@HEAD:a", code=3).raw == b""
    clone("checkout", "-f")
    assert (clone.here / "a").read_bytes() == content


def test_the_history_of_a_hostile_remote_is_not_kept(shell: Shell, remote: Path) -> None:
    """Cases C01 and C04: a refused version can't come back by another command."""
    blob = plant(remote, BLOB, b"hostile")
    plant_version(remote, tree_line(b"100644", b".git", blob), "refs/heads/main")
    shell("fetch", code=-1)
    with History.open(shell.here / ".aimdvc/repos/data.git", Disk()) as history:
        for ref, commit in history.refs("refs/remotes/").items():
            assert history.has(GitId(commit)), ref
    assert shell("checkout", "data@HEAD").code == 0
