"""`ls-remote`: stock Git is the judge, over HTTP and of a folder, in a workspace and outside of any."""

from pathlib import Path

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, git


def test_it_lists_what_git_lists(tmp_path: Path, shell: Shell, server: EmbeddedServer) -> None:
    url = f"{server.url}/team"
    shell("remote", "add", "origin", url)
    shell.write("data/a", "1\n")
    shell.commit("data", "one")
    shell("alias", "set", "data@HEAD", "production")
    shell("push")
    shell.write("data/a", "2\n")
    shell("add", "data")
    shell("commit", "-m", "two")
    before = shell("reflog", "data@main", "--json").json
    with_key = url.replace("http://", f"http://any:{server.admin_key}@")
    theirs = [line for line in git(tmp_path, "ls-remote", f"{with_key}/data").splitlines() if not line.endswith("HEAD")]
    assert [line.split("\t")[1] for line in theirs] == [
        "refs/aliases/production",
        "refs/heads/main",
        "refs/tags/v1",
    ]
    assert shell("ls-remote").out.splitlines() == theirs
    assert shell("ls-remote", "data").out.splitlines() == theirs
    assert shell("reflog", "data@main", "--json").json == before
    outside = Shell(tmp_path)
    assert outside("ls-remote", f"{url}/data").out.splitlines() == theirs
    told = outside("ls-remote", f"{url}/data.git", "--json").json
    assert [f"{one['git_id']}\t{one['ref']}" for one in told["refs"]] == theirs
    assert outside("ls-remote", f"{url}/nothing", code=-1).code in (4, 6)
    assert "leave it out" in outside("ls-remote", f"{url}/data@v1", code=2).err


def test_it_lists_a_folder(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    shell.write("data/a", "1\n")
    shell.commit("data", "one")
    shell("push")
    theirs = git(tmp_path, "ls-remote", "--heads", "--tags", "remote/data.git")
    assert shell("ls-remote", "data").out == theirs
    assert Shell(tmp_path)("ls-remote", "remote/data").out == theirs
    assert "there is no repository" in Shell(tmp_path)("ls-remote", "remote/other", code=6).err
