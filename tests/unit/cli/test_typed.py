"""What may be typed, and what is said of all else."""

import pytest

from tests.shell import Shell, files_of

WITH_PATH = [
    ("reset", "--hard", "scenes:a"),
    ("reset", "scenes@HEAD~1:a"),
    ("checkout", "-f", "scenes@HEAD~1:a"),
    ("show", "scenes:a"),
    ("log", "scenes:a"),
    ("diff", "scenes@HEAD~1:a"),
    ("diff", "scenes@HEAD~1", "scenes:a"),
    ("alias", "set", "scenes:a", "best"),
    ("meta", "get", "scenes:a"),
    ("meta", "set", "scenes:a", "type", "x"),
    ("track", "*.csv", "-n", "scenes:a"),
]


@pytest.mark.parametrize("arguments", WITH_PATH, ids=" ".join)
def test_a_path_in_a_selector_is_refused_where_none_is_taken(versions: Shell, arguments: tuple[str, ...]) -> None:
    versions.write("data/images/train/b", "changed\n")
    before = files_of(versions.here)
    done = versions(*arguments, "--json", code=2)
    assert done.json["message"].endswith(":a': expected no path")
    assert done.json["hint"]
    assert files_of(versions.here) == before


def test_the_hint_for_a_path_says_what_to_type_instead(versions: Shell) -> None:
    assert versions("show", "scenes:a", "--json", code=2).json["hint"] == "run `aimdvc cat NAME@REV:PATH`"
    assert versions("log", "scenes:a", "--json", code=2).json["hint"] == "paths come after `--`"
    assert versions("cat", "scenes@HEAD~1:a").out == "1\n"


MISTYPED = [
    (("stauts",), "no such command 'stauts'; did you mean `aimdvc status`?"),
    (("xyzzy",), "no such command 'xyzzy'; `aimdvc --help` lists the commands"),
    (("status", "--shrt"), "no such option '--shrt'; did you mean '--short'?"),
    (("status", "--xyzzy"), "no such option '--xyzzy'; run `aimdvc status --help`"),
    (("login",), "missing argument 'URL'; run `aimdvc login --help`"),
    (("log", "-n"), "option '-n' requires an argument; run `aimdvc --help`"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTYPED)
def test_what_is_mistyped_is_said_in_house_style(shell: Shell, arguments: tuple[str, ...], message: str) -> None:
    assert shell(*arguments, code=2).err.splitlines()[-1] == f"aimdvc: {message}"


def test_json_after_two_dashes_is_a_path(shell: Shell) -> None:
    assert shell("diff", "--", "--json", code=2).out == ""


MISUNDERSTOOD = [
    (("checkout", "v1"), "write '@v1' or 'NAME@v1' for a version"),
    (("show", "HEAD~1"), "write '@HEAD~1' or 'NAME@HEAD~1' for a version"),
    (("diff", "main"), "write '@main' or 'NAME@main' for a version"),
    (("status", "scenes"), "that is a name: its path is 'data/images'"),
    (("diff", "--", "scenes"), "that is a name: its path is 'data/images'"),
    (("rm", "scenes"), "that is a name: its path is 'data/images'"),
    (("mv", "scenes", "elsewhere"), "that is a name: its path is 'data/images'"),
    (("rm", "README"), "`git rm` removes what Git tracks"),
    (("ls", "data/images/"), "that is a path: its artifact is named 'scenes'"),
    (("push", "data/images/a"), "that is a path: its artifact is named 'scenes'"),
    (("pull", "scene"), "did you mean 'scenes'?"),
    (("fetch", "data/images"), "that is a path: its artifact is named 'scenes'"),
    (("commit", "data/images", "-m", "m"), "that is a path: its artifact is named 'scenes'"),
    (("ls", "/etc/passwd"), ""),
    (("push", "nothing"), "`aimdvc ls` lists the artifacts"),
    (("cat", "scenes"), "run `aimdvc cat scenes:PATH`; `aimdvc ls scenes` lists them"),
    (("cat", "scenes:."), "run `aimdvc cat scenes:PATH`; `aimdvc ls scenes` lists them"),
]


@pytest.mark.parametrize(("arguments", "hint"), MISUNDERSTOOD)
def test_a_hint_says_how_to_write_what_was_meant(versions: Shell, arguments: tuple[str, ...], hint: str) -> None:
    done = versions(*arguments, code=2)
    assert done.err.splitlines()[-1].partition("; ")[2].startswith(hint)


NEARLY = [
    (("stauts",), "`aimdvc status`"),
    (("diff", "--name-staus"), "'--name-status'"),
    (("log", "scene"), "'scenes'"),
    (("log", "Scenes@best"), ""),
    (("log", "scenes@prodution"), "'production'"),
    (("log", "scenes@mian"), "'main'"),
    (("checkout", "scenes@v2"), ""),
    (("alias", "delete", "scenes", "producton"), "'production'"),
    (("remote", "remove", "orign"), "'origin'"),
    (("config", "remote.orign.url"), "'remote.origin.url'"),
    (("ls", "scenes:trian/b"), "'train/b'"),
    (("cat", "scenes:train/B"), "'train/b'"),
    (("blame", "scenes:A"), "'a'"),
    (("status", "data/image/train"), "'data/images/train'"),
    (("add", "data/images/trian"), "'data/images/train'"),
    (("rm", "data/imags/a"), "'data/images/a'"),
    (("rm", "data/images/trian/b"), "'data/images/train/b'"),
    (("mv", "data/images/aa", "data/images/b"), "'data/images/a'"),
    (("restore", "data/images/trian/b"), "'data/images/train/b'"),
    (("help", "selectros"), "'selectors'"),
]


@pytest.mark.parametrize(("arguments", "meant"), NEARLY, ids=" ".join)
def test_what_was_nearly_right_is_asked_for(versions: Shell, arguments: tuple[str, ...], meant: str) -> None:
    versions("alias", "set", "scenes@HEAD", "production")
    versions("remote", "add", "origin", str(versions.here / "remote"))
    hint = versions(*arguments, "--json", code=2).json["hint"]
    assert hint == f"did you mean {meant}?" if meant else "did you mean" not in hint


@pytest.mark.parametrize("path", ["train/", "./train", "train//", "x/../train", "train/."])
def test_a_path_of_a_selector_may_be_written_in_any_way(versions: Shell, path: str) -> None:
    assert versions("ls", f"scenes:{path}").out == "train/b\n"
    assert versions("ls", "scenes:.").out == "a\ntrain/b\n"
    assert versions("cat", f"scenes:{path}/b").out == "1\n"


def test_labels_are_separated_by_commas_or_a_json_list(versions: Shell) -> None:
    for value, labels in (("b, a,", ["a", "b"]), ('["a,b", "c"]', ["a,b", "c"]), ("", []), ("[]", [])):
        versions("meta", "set", "scenes", "labels", value)
        assert versions("meta", "get", "scenes", "--json").json["metadata"]["labels"] == labels
    for value in ("[1]", "[a, b]", '["a"'):
        assert "expected texts" in versions("meta", "set", "scenes", "labels", value, code=2).err


def test_metadata_values_are_texts(versions: Shell) -> None:
    versions("meta", "set", "scenes", "metadata.release", "1.0")
    assert versions("meta", "get", "scenes", "--json").json["metadata"]["metadata"] == {"release": "1.0"}
    versions("meta", "set", "scenes", "metadata.release", "")
    assert versions("meta", "get", "scenes", "--json").json["metadata"]["metadata"] == {}


@pytest.mark.parametrize("author", ["Name", "<mail>", "Name <a> <b>", "Name mail>", "N\n<m>", "Name <a b>"])
def test_an_author_that_does_not_parse_is_said(versions: Shell, monkeypatch: pytest.MonkeyPatch, author: str) -> None:
    for variable in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AIMDVC_AUTHOR", author)
    done = versions("commit", "--allow-empty", "-m", "m", "--json", code=2)
    assert done.json["message"] == f"AIMDVC_AUTHOR is '{author}', expected 'Name <mail>'"
    monkeypatch.setenv("AIMDVC_AUTHOR", " A Name  <mail@example.org> ")
    versions("commit", "--allow-empty", "-m", "m")
    assert "author  A Name <mail@example.org>\n" in versions("log", "-n", "1").out


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8750", "file:///srv", "/srv"])
def test_a_host_that_is_no_url_is_said(shell: Shell, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("AIMDVC_HOST", host)
    done = shell("get", "http://127.0.0.1:1/a", "--json", code=2)
    assert done.json["message"].startswith(f"AIMDVC_HOST is '{host}', expected an http(s) URL")
