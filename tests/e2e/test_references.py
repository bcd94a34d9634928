"""References through every verb that meets them; what `ref fetch` brings is in test_ref_fetch."""

from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.e2e.elsewhere import CONTENT, Elsewhere
from tests.shell import Shell, files_of, git


@pytest.fixture
def made(shell: Shell) -> Shell:
    """A workspace with one version of one file."""
    shell.write("data/kept.bin", b"kept")
    shell.commit("data", "first")
    return shell


def test_a_reference_is_a_change_like_any_other(made: Shell) -> None:
    made("ref", "add", "s3://bucket/raw/train.csv", "data:raw/train.csv", "--size", "5", "--sha256", "ab" * 32)
    assert made("status", "-s").out == "A  data/.aimd/references\n"
    made("commit", "-m", "a reference")
    assert made("status", "-s").out == ""
    assert (
        made("ref", "list", "data").out == f"raw/train.csv  s3://bucket/raw/train.csv  (5 bytes, sha256 {'ab' * 32})\n"
    )
    assert made("ref", "list", "data@HEAD~1").out == ""
    assert "raw/train.csv  → s3://bucket/raw/train.csv" in made("ls", "data").out
    assert [one["uri"] for one in made("ls", "data", "--json").json["entries"]] == [None, "s3://bucket/raw/train.csv"]
    assert "+raw/train.csv s3://bucket/raw/train.csv size=5" in made("diff", "data@HEAD~1", "data@HEAD").out
    assert "is a reference to 's3://bucket/raw/train.csv'" in made("cat", "data:raw/train.csv", code=2).err
    assert ".aimd/references" in made("log", "--stat", "-n", "1").out
    made("checkout", "data@HEAD~1")
    made("checkout", "data@main")
    assert files_of(made.here / "data") == {"kept.bin": b"kept"}
    made("ref", "rm", "data:raw/train.csv")
    made("commit", "-m", "no more")
    assert made("ref", "list", "data").out == ""
    assert ".aimd/references" not in git(made.here / ".aimdvc/repos/data.git", "ls-tree", "-r", "--name-only", "main")
    assert made("fsck").code == 0


@pytest.mark.parametrize("key", ["kept.bin", "kept.bin/below"])
def test_a_key_is_a_file_or_a_reference_and_never_both(made: Shell, key: str) -> None:
    assert made("ref", "add", "s3://b/k", f"data:{key}", "--json", code=4).json["error"] == "unsafe-path"
    made("ref", "add", "s3://b/k", "data:sub/there")
    for path in ("data/sub/there", "data/sub/there/below"):
        place = made.write(path, "file")
        assert "sub/there" in made("add", "data", code=4).err
        place.unlink()
        if place.parent.name == "there":
            place.parent.rmdir()
    made.write("data/sub", "file") if not (made.here / "data/sub").exists() else None
    made.write("data/free", "file")
    made("add", "data/free")


def test_what_can_not_be_recorded_is_refused_and_shows_no_password(made: Shell) -> None:
    done = made("ref", "add", "https://me:secret@host/x", "data:x", code=4)
    assert "secret" not in done.err + done.out
    made("ref", "add", "no scheme", "data:x", code=4)
    made("ref", "add", "s3://b/k", "data:../x", code=4)
    made("ref", "rm", "data:x", code=2)
    assert made("status", "-s").out == ""


def test_references_survive_servers_and_stock_clients(
    made: Shell, server: EmbeddedServer, home: Path, tmp_path: Path
) -> None:
    made("remote", "add", "origin", server.url)
    made("ref", "add", "gs://bucket/a b%20".replace(" ", "%20"), "data:odd \u00e9/k%y")
    made("commit", "-m", "a reference")
    made("push")
    Shell(tmp_path)("clone", f"{server.url}/data", "clone")
    clone = Shell(tmp_path / "clone")
    assert clone("ref", "list", "--json").json == made("ref", "list", "data", "--json").json
    assert files_of(clone.here) == {"kept.bin": b"kept"}
    address = server.url.replace("http://", f"http://any:{server.admin_key}@")
    git(tmp_path, "lfs", "install", "--skip-repo")
    git(tmp_path, "clone", "-q", f"{address}/data", "stock")
    assert (tmp_path / "stock/.aimd/references").read_bytes() == b"odd%20%C3%A9/k%25y gs://bucket/a%20b%20\n"
    assert "OK" in git(tmp_path / "stock", "lfs", "fsck")


def test_references_of_both_sides_are_merged_by_key(made: Shell) -> None:
    made("ref", "add", "s3://b/base", "data:base")
    made("commit", "-m", "base")
    made("switch", "-c", "topic")
    made("ref", "add", "s3://b/theirs", "data:theirs")
    made("commit", "-m", "theirs")
    made("switch", "main")
    made("ref", "add", "s3://b/ours", "data:ours")
    made("commit", "-m", "ours")
    made("merge", "topic")
    assert [one["key"] for one in made("ref", "list", "data", "--json").json["references"]] == [
        "base",
        "ours",
        "theirs",
    ]
    made("switch", "topic")
    made("ref", "add", "s3://b/base-1", "data:base")
    made("commit", "-m", "one")
    made("switch", "main")
    made("ref", "add", "s3://b/base-2", "data:base")
    made("commit", "-m", "other")
    assert ".aimd/references" in made("merge", "topic", code=1).err
    made("merge", "--theirs")
    made("commit")
    assert "s3://b/base-1" in made("ref", "list", "data").out


def test_check_tells_drift_and_asks_without_any_key(
    made: Shell, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIMDVC_HOST", elsewhere.url)
    monkeypatch.setenv("AIMDVC_API_KEY", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")
    made("ref", "add", f"{elsewhere.url}/a.csv", "data:a", "--probe")
    made("ref", "add", "s3://b/k", "data:b")
    known = made("ref", "list", "data", "--json").json["references"][0]
    assert (known["size"], known["etag"]) == (len(CONTENT), '"one"')
    assert made("ref", "check", "data").out.split()[:2] == ["unchanged", "a"]
    assert "unchecked  b" in made("ref", "check", "data").out
    elsewhere.files["/a.csv"] = (CONTENT, '"two"')
    assert "etag" in made("ref", "check", "data", code=3).out
    elsewhere.files["/a.csv"] = (CONTENT + b"x", '"one"')
    assert "size is" in made("ref", "check", "data", code=3).out
    del elsewhere.files["/a.csv"]
    assert made("ref", "check", "data", code=3).out.startswith("missing")
    assert elsewhere.asked and not any("authorization" in asked for asked in elsewhere.asked)


@pytest.mark.parametrize("how", ["mv", "mv below", "restore", "restore source"])
def test_no_verb_commits_a_path_that_is_both(made: Shell, how: str) -> None:
    made.write("data/a", "a")
    made.commit("data", "second")
    if how.startswith("mv"):
        made("ref", "add", "s3://b/x", "data:k")
        target = "data/k" if how == "mv" else "data/k/below"
        (made.here / target).parent.mkdir(exist_ok=True)
        made("mv", "data/a", target)
    else:
        made("rm", "data/a")
        made("ref", "add", "s3://b/x", "data:a")
        made("restore", *(["--staged"] if how == "restore" else ["--source", "HEAD"]), "data/a")
    before = made("log", "--oneline").out
    assert made("commit", "-m", "both", "--json", code=4).json["error"] == "unsafe-path"
    assert made("log", "--oneline").out == before


@pytest.mark.parametrize("theirs", ["k", "k/below"])
def test_a_merge_makes_no_path_that_is_both(made: Shell, theirs: str) -> None:
    made("switch", "-c", "topic")
    made("ref", "add", "s3://b/x", "data:k")
    made("commit", "-m", "a reference")
    made("switch", "main")
    made.write(f"data/{theirs}", "a file")
    made.commit("data", "a file")
    before = made("log", "--oneline").out
    assert "can be one of them only" in made("merge", "topic", code=4).err
    assert (made("log", "--oneline").out, made("status", "-s").out) == (before, "")


def test_the_last_reference_goes_on_one_side_while_the_other_adds_one(made: Shell) -> None:
    made("ref", "add", "s3://b/old", "data:old")
    made("commit", "-m", "one")
    made("switch", "-c", "topic")
    made("ref", "add", "s3://b/new", "data:new")
    made("commit", "-m", "another")
    made("switch", "main")
    made("ref", "rm", "data:old")
    made("commit", "-m", "none")
    made("merge", "topic")
    assert made("ref", "list", "data").out == "new  s3://b/new\n"


def test_fsck_names_a_path_that_another_client_made_both(made: Shell, tmp_path: Path) -> None:
    made("ref", "add", "s3://b/x", "data:k")
    made("commit", "-m", "a reference")
    repository = made.here / ".aimdvc/repos/data.git"
    git(tmp_path, "clone", "-q", str(repository), "stock")
    (tmp_path / "stock/k").write_text("")
    git(tmp_path / "stock", "add", "k")
    git(tmp_path / "stock", "commit", "-qm", "both")
    git(tmp_path / "stock", "push", "-q", "origin", "HEAD:refs/heads/other")
    made("checkout", "data@other")
    warnings = made("fsck", "--json").json["checked"]["warnings"]
    assert [warning["needed_by"] for warning in warnings] == [["data:k"]]


def test_references_that_another_client_wrote_wrongly_are_kept_and_said(made: Shell, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(made.here / ".aimdvc/repos/data.git"), "stock")
    (tmp_path / "stock/.aimd").mkdir(exist_ok=True)
    foreign = "written by hand: no references\n"
    (tmp_path / "stock/.aimd/references").write_text(foreign)
    git(tmp_path / "stock", "add", "-f", ".aimd/references")
    git(tmp_path / "stock", "commit", "-qm", "foreign")
    git(tmp_path / "stock", "push", "-q", "origin", "HEAD:refs/heads/other")
    made("checkout", "data@other")
    listed = made("ls", "data")
    assert "kept.bin\n" in listed.out and ".aimd/references\n" in listed.out
    assert "the references of 'data' can't be read: " in listed.err
    assert [one["path"] for one in made("ls", "data", "--json").json["entries"] if one["problem"]] == [
        ".aimd/references"
    ]
    made.write("data/new", "new")
    assert "are kept and can't be read" in made("add", "data").err
    made("commit", "-m", "more")
    for arguments in (["add", "s3://b/x", "data:x"], ["rm", "data:x"], ["list", "data"]):
        assert "line 1" in made("ref", *arguments, code=3).err
    kept = git(made.here, "--git-dir", ".aimdvc/repos/data.git", "show", "other:.aimd/references")
    assert kept == foreign
    assert "can't be read" in made("fsck", "--json").json["checked"]["warnings"][0]["reason"]


def test_cat_says_what_to_run_for_a_reference(made: Shell) -> None:
    made("ref", "add", "s3://bucket/x", "data:raw/x")
    made("ref", "add", "https://example.org/y", "data:raw/y y")
    made("commit", "-m", "references")
    assert "'s3' is not read by aimdvc: use its own program" in made("cat", "data:raw/x", code=2).err
    assert "aimdvc ref fetch 'data:raw/y y'" in made("cat", "data:raw/y y", code=2).err


@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("is_at_once", [True, False])
def test_one_side_settles_the_keys_that_both_changed_and_no_others(made: Shell, side: str, is_at_once: bool) -> None:
    made("ref", "add", "s3://b/0", "data:k")
    made("commit", "-m", "base")
    made("switch", "-c", "topic")
    for key in ("k", "theirs"):
        made("ref", "add", f"s3://theirs/{key}", f"data:{key}")
    made("commit", "-m", "theirs")
    made("switch", "main")
    for key in ("k", "ours"):
        made("ref", "add", f"s3://ours/{key}", f"data:{key}")
    made("commit", "-m", "ours")
    if is_at_once:
        made("merge", "topic", f"--{side}")
    else:
        made("merge", "topic", code=1)
        made("merge", f"--{side}")
        made("commit")
    found = {one["key"]: one["uri"] for one in made("ref", "list", "data", "--json").json["references"]}
    assert found == {"k": f"s3://{side}/k", "ours": "s3://ours/ours", "theirs": "s3://theirs/theirs"}


def test_a_length_of_thousands_of_digits_is_none(made: Shell, elsewhere: Elsewhere) -> None:
    elsewhere.length = "9" * 5000
    made("ref", "add", f"{elsewhere.url}/a.csv", "data:a", "--size", str(len(CONTENT)))
    assert made("ref", "check", "data", code=-1).code in (0, 6)
