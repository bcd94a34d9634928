"""aimdvc against a host of Git and Git LFS that knows nothing of it, over a real port; stock clients are the judges."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.foreign_host import ForeignHost, foreign_host
from tests.shell import Shell, files_of, git

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or shutil.which("git-lfs") is None, reason="git and git-lfs are not installed"
)

LARGE = random.Random(7).randbytes(3 << 20)


@pytest.fixture
def host(tmp_path: Path, home: Path) -> Iterator[ForeignHost]:
    git(tmp_path, "lfs", "install", "--skip-repo")
    with foreign_host(tmp_path / "host") as made:
        yield made


def stock_clone(host: ForeignHost, tmp_path: Path, name: str = "stock") -> Path:
    """Returns a fresh clone of stock Git with its blobs, which Git finds clean."""
    place = tmp_path / name
    git(tmp_path, "clone", "-q", f"{host.url}/data.git", name)
    git(place, "lfs", "pull")
    assert git(place, "status", "--porcelain") == ""
    git(place, "fsck", "--strict")
    assert "OK" in git(place, "lfs", "fsck")
    return place


def seen_by_git(root: Path) -> dict[str, bytes]:
    return {path: content for path, content in files_of(root).items() if not path.startswith((".aimd/", ".gitattr"))}


@pytest.fixture
def stock(host: ForeignHost, tmp_path: Path) -> Path:
    """A work tree of stock Git and git-lfs, pushed: the host's HEAD is master."""
    host.create("data", "master")
    place = tmp_path / "made by git"
    git(tmp_path, "init", "-q", "-b", "master", str(place))
    git(place, "lfs", "track", "*.bin")
    (place / "large.bin").write_bytes(LARGE)
    (place / "notes.md").write_text("# Notes\n")
    git(place, "add", "-A")
    git(place, "commit", "-qm", "by git")
    git(place, "remote", "add", "origin", f"{host.url}/data.git")
    git(place, "push", "-q", "-u", "origin", "master")
    return place


def cloned(host: ForeignHost, tmp_path: Path, name: str = "clone") -> Shell:
    Shell(tmp_path)("clone", f"{host.url}/data", name)
    return Shell(tmp_path / name)


@pytest.fixture
def pushing(shell: Shell, host: ForeignHost) -> Shell:
    """A workspace with two commits and an alias, ready to push to an empty repository."""
    host.create("data")
    shell("remote", "add", "origin", host.url)
    shell.write("data/small.txt", "one\n")
    shell.write("data/large.bin", LARGE)
    shell.write("data/empty", "")
    shell.write("data/run.sh", "#!/bin/sh\n").chmod(0o755)
    shell.commit("data", "one")
    shell("alias", "set", "data@HEAD", "production")
    shell.write("data/small.txt", "two\n")
    shell.commit("data", "two")
    return shell


def remote_refs(host: ForeignHost) -> list[str]:
    return git(host.root / "data.git", "for-each-ref", "--format=%(refname)").split()


def test_a_repository_of_stock_clients_goes_round(host: ForeignHost, stock: Path, tmp_path: Path) -> None:
    shell = cloned(host, tmp_path)
    assert files_of(shell.here) == files_of(stock)
    shell.write("more.bin", b"more" * 5000)
    shell.commit(".", "by aimdvc")
    done = shell("push", "--json").json["artifacts"][0]
    assert done["versions"] == ["v1"]
    assert remote_refs(host) == ["refs/heads/master", "refs/tags/v1"]
    assert git(host.root / "data.git", "rev-parse", "master", "v1").split() == [done["new"]] * 2
    assert files_of(stock_clone(host, tmp_path)) == files_of(shell.here)
    git(stock, "pull", "-q")
    (stock / "large.bin").write_bytes(LARGE[::-1])
    git(stock, "commit", "-qam", "by git again")
    git(stock, "push", "-q")
    shell("pull")
    assert files_of(shell.here) == files_of(stock)
    assert shell("status", "-s").out == ""
    assert "up to date" in shell("pull").out
    assert "nothing to push" in shell("push").out
    assert shell("fsck").code == 0


def test_what_is_pushed_is_what_stock_clients_get(host: ForeignHost, pushing: Shell, tmp_path: Path) -> None:
    done = pushing("push", "--json").json["artifacts"][0]
    assert (done["versions"], done["aliases"]) == (["v1", "v2"], ["production"])
    assert remote_refs(host) == ["refs/aliases/production", "refs/heads/main", "refs/tags/v1", "refs/tags/v2"]
    assert host.count("POST", "/git-receive-pack") == 2
    place = stock_clone(host, tmp_path)
    assert seen_by_git(place) == files_of(pushing.here / "data")
    assert git(place, "tag").split() == ["v1", "v2"]
    assert cloned(host, tmp_path)("show", "data@production", "--json").json


def test_a_host_without_aliases_gets_main_and_its_numbers(host: ForeignHost, pushing: Shell, tmp_path: Path) -> None:
    hook = host.root / "data.git/hooks/update"
    hook.write_text('#!/bin/sh\ncase "$1" in refs/heads/*|refs/tags/*) exit 0;; esac\necho "not this ref"; exit 1\n')
    hook.chmod(0o755)
    done = pushing("push")
    assert done.err.count("aliases stay local") == 1
    assert remote_refs(host) == ["refs/heads/main", "refs/tags/v1", "refs/tags/v2"]
    assert pushing("alias", "list", "data").out.startswith("production")
    assert seen_by_git(stock_clone(host, tmp_path)) == files_of(pushing.here / "data")
    assert pushing("push").code == 0


def test_a_race_lost_at_the_last_moment_changes_nothing(host: ForeignHost, pushing: Shell, tmp_path: Path) -> None:
    pushing("push")
    other = cloned(host, tmp_path)
    other.write("theirs.bin", b"theirs")
    other.commit(".", "theirs")
    pushing.write("data/ours.bin", b"ours")
    pushing.commit("data", "ours")
    host.habits.before_receive = lambda: other("push")
    before = git(pushing.here / ".aimdvc/repos/data.git", "for-each-ref")
    assert pushing("push", "--json", code=5).json["error"] == "ref-moved"
    assert git(pushing.here / ".aimdvc/repos/data.git", "for-each-ref") == before
    assert remote_refs(host)[-1] == "refs/tags/v3"
    assert git(host.root / "data.git", "log", "-1", "--format=%s", "v3").strip() == "theirs"
    pushing("pull")
    assert pushing("push", "--json").json["artifacts"][0]["versions"] == ["v4"]
    other("pull")
    assert files_of(other.here) == files_of(pushing.here / "data")


def test_an_error_for_one_blob_stops_the_push_before_any_ref(host: ForeignHost, pushing: Shell) -> None:
    oid = host.blob("data", LARGE).name
    host.habits.object_errors[oid] = (507, "quota used up")
    done = pushing("push", "--json", code=6).json
    assert done["error"] == "remote-refused"
    assert f"blob {oid}: 507 quota used up" in done["message"]
    assert remote_refs(host) == []
    host.habits.object_errors.clear()
    pushing("push")
    host.habits.object_errors[oid] = (410, "removed")
    failed = Shell(pushing.here.parent)("clone", f"{host.url}/data", "clone", "--json", code=3).json
    assert failed["error"] == "missing-blob"
    host.habits.object_errors.clear()
    assert files_of(cloned(host, pushing.here.parent).here) == files_of(pushing.here / "data")


def test_a_blob_that_the_host_has_is_not_sent(host: ForeignHost, pushing: Shell) -> None:
    kept = host.blob("data", LARGE)
    kept.parent.mkdir()
    kept.write_bytes(LARGE)
    pushing("push")
    assert host.count("PUT", kept.name) == 0
    assert host.count("PUT", host.blob("data", b"one\n").name) == 1


def test_each_upload_is_verified_where_the_host_asks_for_it(host: ForeignHost, pushing: Shell) -> None:
    host.habits.verifies = True
    pushing("push")
    sent = [host.blob("data", content).name for content in (b"one\n", b"two\n", LARGE)]
    assert sorted(host.verified) == sorted(sent)


@pytest.mark.parametrize("ignores_range", [False, True], ids=["206", "200"])
def test_a_download_that_was_cut_is_finished(
    host: ForeignHost, pushing: Shell, tmp_path: Path, ignores_range: bool
) -> None:
    pushing("push")
    host.habits.ignores_range = ignores_range
    host.habits.cut_at = 2 << 20
    shell = cloned(host, tmp_path)
    assert host.habits.cut_at == 0
    assert files_of(shell.here) == files_of(pushing.here / "data")
    asked = [seen.headers.get("range", "") for seen in host.seen if seen.path.endswith(host.blob("data", LARGE).name)]
    assert asked[-1].startswith("bytes=")


def keep_password(tmp_path: Path, password: str) -> None:
    helper = f"!f() {{ echo username=reader; echo password={password}; }}; f"
    git(tmp_path, "config", "--global", "credential.helper", helper)


def test_a_password_comes_from_git_credential(host: ForeignHost, pushing: Shell, tmp_path: Path) -> None:
    host.habits.user, host.habits.password = "reader", "secret word"
    done = pushing("push", "--json", code=7)
    assert done.json["error"] == "not-authorised"
    keep_password(tmp_path, "wrong")
    pushing("push", code=7)
    assert remote_refs(host) == []
    keep_password(tmp_path, "secret word")
    host.habits.verifies = True
    pushing("push")
    assert files_of(cloned(host, tmp_path).here) == files_of(pushing.here / "data")
    assert "secret word" not in done.out + done.err


def test_hrefs_on_another_origin_get_their_own_permission_only(
    host: ForeignHost, pushing: Shell, tmp_path: Path
) -> None:
    host.habits.user, host.habits.password = "reader", "secret"
    host.habits.has_blobs_elsewhere = host.habits.verifies = True
    keep_password(tmp_path, "secret")
    pushing("push")
    assert files_of(cloned(host, tmp_path).here) == files_of(pushing.here / "data")
    elsewhere = [seen for seen in host.seen if seen.is_elsewhere]
    assert {seen.method for seen in elsewhere} == {"PUT", "GET"}
    assert not any("authorization" in seen.headers for seen in elsewhere)


def test_a_host_of_stock_git_gives_and_takes_shallow_histories(host: ForeignHost, stock: Path, tmp_path: Path) -> None:
    for number in range(6):
        (stock / "notes.md").write_text(f"# Notes {number}\n")
        git(stock, "commit", "-qam", f"number {number}")
    git(stock, "tag", "-a", "-m", "annotated", "release", "HEAD~3")
    git(stock, "push", "-q", "--follow-tags", "origin", "master")
    Shell(tmp_path)("clone", f"{host.url}/data@release", "clone", "--depth", "2")
    one = Shell(tmp_path / "clone")
    assert (one.here / "notes.md").read_text() == "# Notes 2\n"
    one("checkout", "data@main")
    one.write("mine.md", "mine\n")
    one.commit(".", "from a shallow history")
    one("push")
    git(stock, "pull", "-q", "origin", "master")
    assert (stock / "mine.md").read_text() == "mine\n"
    one("fetch", "--depth", "5")
    # Five from the tip; the release, which is the fifth, has one more since the clone.
    assert len(one("log", "--json").json["versions"]) == 6
    one("fetch", "--unshallow")
    assert len(one("log", "--json").json["versions"]) == 8
    assert one("fsck").code == 0
    Shell(tmp_path)("get", f"{host.url}/data", "--out", "got")
    assert (tmp_path / "got/mine.md").read_text() == "mine\n"
