"""`outdated` and `upgrade`: pins held against the remotes, and moved there."""

from pathlib import Path

import pytest

from tests.shell import Shell


@pytest.fixture
def other(shell: Shell, remote: str, tmp_path: Path) -> Shell:
    """Somebody else's clone of `data`, which `shell` has at v1, pushed."""
    shell("remote", "add", "origin", remote)
    shell.write("data/f", "1")
    shell.write("data/g", "1")
    shell.commit("data", "one")
    shell("push")
    Shell(tmp_path)("clone", f"{remote}/data", "other")
    return Shell(tmp_path / "other")


def publish(other: Shell, path: str, content: str) -> None:
    other.write(path, content)
    other.commit(".", content)
    other("push")


def test_a_pin_at_the_newest_version_is_current(shell: Shell, other: Shell) -> None:
    assert shell("outdated").out == "data: pinned v1, the newest on origin\n"
    assert shell("outdated", "--exit-code").code == 0


def test_outdated_names_both_versions_and_moves_nothing(shell: Shell, other: Shell) -> None:
    publish(other, "f", "2")
    publish(other, "h", "3")
    other("alias", "set", "data@v3", "good")
    other("push")
    lock, refs = (shell.here / "aimdvc.lock").read_bytes(), shell("log", "--json").out
    told = shell("outdated", "--exit-code", code=1).out
    assert told == "data: pinned v1, v3 on origin (good), 2 versions further: `aimdvc upgrade data`\n"
    one = shell("outdated", "data", "--json").json["artifacts"][0]
    assert (one["state"], one["pinned"], one["newest"], one["behind"]) == ("outdated", "v1", "v3", 2)
    assert (shell.here / "aimdvc.lock").read_bytes() == lock and shell("log", "--json").out == refs


def test_a_version_that_is_not_pushed_is_ahead(shell: Shell, other: Shell) -> None:
    shell.write("data/f", "mine")
    shell("commit", "-am", "mine")
    assert "pinned v2?, not on origin, where v1 is the newest: `aimdvc push data`" in shell("outdated").out
    publish(other, "f", "2")
    assert shell("outdated", "--json").json["artifacts"][0]["state"] in ("ahead", "unknown")


def test_outdated_offline_exits_with_6(shell: Shell, other: Shell) -> None:
    shell("remote", "set-url", "origin", "http://127.0.0.1:9/x")
    assert shell("outdated", code=6).err.count("\n") == 1


def test_what_is_not_pinned_is_refused(shell: Shell, other: Shell) -> None:
    shell.write("new/f", "1")
    shell("add", "new")
    assert "artifact 'new' is not pinned" in shell("outdated", "new", code=2).err
    assert "no artifact 'nothing'" in shell("upgrade", "nothing", code=2).err


def test_upgrade_moves_pin_files_and_branch(shell: Shell, other: Shell) -> None:
    publish(other, "f", "2")
    other("rm", "g")
    publish(other, "h", "3")
    dry = shell("upgrade", "--dry-run").out
    assert dry == "data: v1 → v3, +1 −1 ~1 files (not done: --dry-run)\n"
    assert shell("status", "--json").json["artifacts"][0]["version"] == "v1"
    assert shell("upgrade").out == "data: v1 → v3, +1 −1 ~1 files: 2 files written, 1 deleted\n"
    status = shell("status", "--json").json["artifacts"][0]
    assert (status["version"], status["branch"], status["lock"]) == ("v3", "refs/heads/main", "same")
    assert (shell.here / "data/f").read_text() == "2" and not (shell.here / "data/g").exists()
    assert shell("upgrade").out == "data: at v3 already\n"


def test_upgrade_goes_to_a_named_version_and_back(shell: Shell, other: Shell) -> None:
    publish(other, "f", "2")
    publish(other, "f", "3")
    assert "v1 → v2" in shell("upgrade", "data@v2").out
    assert (shell.here / "data/f").read_text() == "2"
    assert "v2 → v1" in shell("upgrade", "data@v1").out
    assert (shell.here / "data/f").read_text() == "1"
    assert "v1 → v3" in shell("upgrade", "data").out
    assert shell("status", "--json").json["artifacts"][0]["branch"] == "refs/heads/main"


def test_upgrade_loses_no_local_change(shell: Shell, other: Shell) -> None:
    publish(other, "f", "2")
    shell.write("data/f", "precious")
    assert "would lose local changes" in shell("upgrade", code=1).err
    assert (shell.here / "data/f").read_text() == "precious"
    assert shell("status", "--json").json["artifacts"][0]["version"] == "v1"


def test_upgrade_stops_at_versions_that_the_remote_is_without(shell: Shell, other: Shell) -> None:
    publish(other, "f", "2")
    shell.write("data/mine", "mine")
    shell.commit("data", "mine")
    told = shell("upgrade", code=1).err
    assert "'data' has versions that the remote's newest one, v2, is without" in told and "`aimdvc pull data`" in told
    assert (shell.here / "data/mine").read_text() == "mine"


def test_upgrade_brings_a_pinned_artifact_that_is_not_here(shell: Shell, other: Shell, tmp_path: Path) -> None:
    publish(other, "f", "2")
    fresh = Shell(tmp_path / "fresh")
    for name in ("aimdvc.lock", ".aimdvc/config"):
        fresh.write(name, (shell.here / name).read_bytes())
    assert "data: v1 → v2, ~1 file" in fresh("upgrade").out
    assert (fresh.here / "data/f").read_text() == "2"
    assert "v2" in fresh("status").out
