"""`ref fetch`: what references name is read over a real port, whole or not at all, and from allowed places only."""

import hashlib
from pathlib import Path

import pytest

from tests.e2e.elsewhere import CONTENT, Elsewhere
from tests.shell import Shell, files_of


@pytest.fixture
def made(shell: Shell) -> Shell:
    """A workspace with one version of one file."""
    shell.write("data/kept.bin", b"kept")
    shell.commit("data", "first")
    return shell


def test_fetch_writes_what_was_recorded_or_nothing(made: Shell, elsewhere: Elsewhere) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    made("ref", "add", f"{elsewhere.url}/a.csv", "data:raw/a.csv", "--size", str(len(CONTENT)), "--sha256", digest)
    made("ref", "fetch", "data:raw/a.csv", "--out", "here.csv")
    assert (made.here / "here.csv").read_bytes() == CONTENT
    made("ref", "fetch", "data:raw/a.csv")
    assert (made.here / "a.csv").read_bytes() == CONTENT
    made("ref", "fetch", "data:raw/a.csv")
    (made.here / "a.csv").write_bytes(b"mine")
    made("ref", "fetch", "data:raw/a.csv", code=2)
    assert (made.here / "a.csv").read_bytes() == b"mine"
    assert made("ref", "check", "data", "--hash").out.startswith("unchanged")
    for content in (CONTENT[:-1] + b"x", CONTENT + b"more", CONTENT[:-5]):
        elsewhere.files["/a.csv"] = (content, '"one"')
        done = made("ref", "fetch", "data:raw/a.csv", "--out", "new.csv", "--json", code=3)
        assert done.json["error"] == "reference-changed"
        assert made("ref", "check", "data", "--hash", code=3).out.startswith("changed")
    elsewhere.files["/a.csv"] = (CONTENT, '"one"')
    elsewhere.is_short = True
    made("ref", "fetch", "data:raw/a.csv", "--out", "new.csv", code=6)
    elsewhere.files.clear()
    made("ref", "fetch", "data:raw/a.csv", "--out", "new.csv", code=3)
    assert sorted(path.name for path in made.here.iterdir() if path.is_file()) == ["a.csv", "aimdvc.lock", "here.csv"]


def cut(made: Shell, elsewhere: Elsewhere, code: int = 6) -> None:
    elsewhere.is_short = True
    made("ref", "fetch", "data:raw/a.csv", code=code)
    elsewhere.is_short = False
    elsewhere.asked.clear()


def test_a_fetch_that_was_cut_is_gone_on_with(made: Shell, elsewhere: Elsewhere) -> None:
    made("ref", "add", f"{elsewhere.url}/a.csv", "data:raw/a.csv")
    elsewhere.has_ranges = True
    cut(made, elsewhere)
    assert not (made.here / "a.csv").exists()
    assert "100 B of it here before" in made("ref", "fetch", "data:raw/a.csv").out
    assert (elsewhere.asked[0]["range"], elsewhere.asked[0]["if-range"]) == ("bytes=100-", '"one"')
    assert (made.here / "a.csv").read_bytes() == CONTENT
    assert list((made.here / ".aimdvc/tmp/partial").iterdir()) == []


@pytest.mark.parametrize("tag", ['"two"', 'W/"one"', '"one"'])
def test_a_fetch_never_joins_the_bytes_of_two_versions(made: Shell, elsewhere: Elsewhere, tag: str) -> None:
    """Of another tag, of a weak one, and of a server that answers with all of it."""
    made("ref", "add", f"{elsewhere.url}/a.csv", "data:raw/a.csv")
    elsewhere.has_ranges = tag != '"one"'
    if tag.startswith("W/"):
        elsewhere.files["/a.csv"] = (CONTENT, tag)
    cut(made, elsewhere)
    other = b"another\n" * 1000
    elsewhere.files["/a.csv"] = (other, tag)
    made("ref", "fetch", "data:raw/a.csv")
    assert ("range" in elsewhere.asked[0]) == (not tag.startswith("W/"))
    assert (made.here / "a.csv").read_bytes() == other
    assert list((made.here / ".aimdvc/tmp/partial").iterdir()) == []


def test_a_fetch_that_was_cut_after_its_last_byte_is_ended(made: Shell, elsewhere: Elsewhere) -> None:
    made("ref", "add", f"{elsewhere.url}/a.csv", "data:raw/a.csv")
    elsewhere.has_ranges = True
    cut(made, elsewhere)
    elsewhere.files["/a.csv"] = (CONTENT[:100], '"one"')
    made("ref", "fetch", "data:raw/a.csv")
    assert [asked["range"] for asked in elsewhere.asked] == ["bytes=100-"]
    assert (made.here / "a.csv").read_bytes() == CONTENT[:100]


@pytest.mark.parametrize("size", [100, 5000])
def test_a_server_that_heeds_no_tag_doesnt_get_two_versions_joined(
    made: Shell, elsewhere: Elsewhere, size: int
) -> None:
    made("ref", "add", f"{elsewhere.url}/a.csv", "data:raw/a.csv")
    elsewhere.has_ranges = elsewhere.is_careless = True
    cut(made, elsewhere)
    other = b"x" * size
    elsewhere.files["/a.csv"] = (other, '"two"')
    made("ref", "fetch", "data:raw/a.csv")
    assert [asked.get("range") for asked in elsewhere.asked] == ["bytes=100-", None]
    assert (made.here / "a.csv").read_bytes() == other


def test_several_references_are_fetched_at_once_and_nothing_is_overwritten(made: Shell, elsewhere: Elsewhere) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    made("ref", "add", f"{elsewhere.url}/a.csv", "data:raw/a.csv", "--sha256", digest)
    made("ref", "add", f"{elsewhere.url}/a.csv", "data:raw/b/b.csv")
    made("ref", "add", f"{elsewhere.url}/gone", "data:raw/gone")
    made("ref", "add", f"{elsewhere.url}/a.csv", "data:other.csv")
    done = made("ref", "fetch", "data:raw", "--out", "down", "--json", code=3)
    assert [one["reference"]["key"] for one in done.json["fetched"]] == ["raw/a.csv", "raw/b/b.csv"]
    assert [one["key"] for one in done.json["failed"]] == ["raw/gone"]
    assert files_of(made.here / "down") == {"raw/a.csv": CONTENT, "raw/b/b.csv": CONTENT}
    made("ref", "rm", "data:raw/gone")
    (made.here / "down/raw/b/b.csv").write_bytes(b"mine")
    elsewhere.asked.clear()
    # What has the recorded hash is there already; what may be the user's stays.
    refused = made("ref", "fetch", "data", "--out", "down", code=2)
    assert "raw/b/b.csv" in refused.err and "is there already" in refused.err
    assert len(elsewhere.asked) == 1
    assert files_of(made.here / "down") == {"raw/a.csv": CONTENT, "raw/b/b.csv": b"mine", "other.csv": CONTENT}
    made("ref", "fetch", "data:raw/a.csv", "data:other.csv", "--out", "two")
    assert set(files_of(made.here / "two")) == {"raw/a.csv", "other.csv"}


def test_files_are_read_below_allowed_roots_only(made: Shell, elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Case C22."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open/x").write_bytes(b"x")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "open/link").symlink_to(tmp_path / "secret")
    for name in ("open/x", "open/link", "open/../secret"):
        made("ref", "add", f"file://{tmp_path}/{name}", f"data:{name.replace('..', 'up')}")
    assert "--allow-root" in made("ref", "fetch", "data:open/x", code=4).err
    allowed = ("--allow-root", str(tmp_path / "open"))
    made("ref", "fetch", "data:open/x", *allowed)
    assert (made.here / "x").read_bytes() == b"x"
    made("ref", "fetch", "data:open/link", *allowed, code=4)
    made("ref", "fetch", "data:open/up/secret", *allowed, code=4)
    elsewhere.redirects["/r"] = f"file://{tmp_path}/open/x"
    made("ref", "add", f"{elsewhere.url}/r", "data:r")
    assert made("ref", "fetch", "data:r", *allowed, code=-1).code in (4, 6)
    checked = made("ref", "check", "data", "--json", *allowed, code=4).json["checked"]
    assert {one["reference"]["key"]: one["state"] for one in checked} == {
        "open/link": "failed",
        "open/up/secret": "failed",
        "open/x": "unchecked",
        "r": "failed",
    }
    made("ref", "fetch", "data:none", code=2)
    made("ref", "add", "s3://b/k", "data:s3")
    made("ref", "fetch", "data:s3", code=4)


@pytest.mark.parametrize(
    "inside", ["http://169.254.169.254/x", "http://127.0.0.1:1/x", "http://[::1]/x", "http://10.0.0.1/"]
)
def test_a_redirect_from_outside_leads_into_no_private_network(
    made: Shell, elsewhere: Elsewhere, inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case C06. The server stands for a host outside, as the proxy that leads to all of them."""
    monkeypatch.setenv("http_proxy", elsewhere.url)
    monkeypatch.delenv("no_proxy", raising=False)
    elsewhere.redirects["http://outside.example.org/r"] = inside
    made("ref", "add", "http://outside.example.org/r", "data:r")
    assert made("ref", "fetch", "data:r", "--json", code=4).json["error"] == "unsafe-url"
    assert len(elsewhere.asked) == 1


def test_a_redirect_from_outside_to_a_name_that_leads_inside_is_refused(
    made: Shell, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case C22. The server stands for the host outside, as its proxy; `127.1` is a name that the system looks up."""
    monkeypatch.setenv("http_proxy", elsewhere.url)
    monkeypatch.setenv("no_proxy", "127.1")
    elsewhere.redirects["http://outside.example.org/r"] = elsewhere.url.replace("127.0.0.1", "127.1") + "/a.csv"
    made("ref", "add", "http://outside.example.org/r", "data:r")
    assert "leads into this machine" in made("ref", "fetch", "data:r", code=4).err
    assert len(elsewhere.asked) == 1
    # What is asked for by its own name may lie inside.
    made("ref", "add", elsewhere.url.replace("127.0.0.1", "127.1") + "/a.csv", "data:own")
    made("ref", "fetch", "data:own")
