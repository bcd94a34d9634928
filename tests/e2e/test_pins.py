"""How pin, workspace, remote and the code's HEAD stand to each other, and what a pull of a fresh clone brings."""

from pathlib import Path

from tests.e2e.coding import clone_code, make_code


def test_status_shows_pin_workspace_and_remote_side_by_side(tmp_path: Path, remote: str) -> None:
    code = make_code(tmp_path / "code", remote=remote)
    code.version("1")
    assert "  pinned v1?, clean, not on origin" in code.shell("status").out
    code.shell("push")
    assert "  pinned v1, clean, v1 on origin" in code.shell("status").out
    other = clone_code(code, tmp_path / "other")
    other.shell("pull")
    code.version("2")
    code.version("3")
    code.shell("push")
    other.shell("fetch")
    other.shell.write("data/a", "mine")
    assert "  pinned v1, working tree has changes, v3 on origin" in other.shell("status").out
    told = other.artifact()
    assert told["pin"] == told["code_pin"] == {"commit": other.pinned(), "version": "v1"}
    assert (told["remote_version"], told["behind"]) == ("v3", 2)


def test_status_tells_where_the_lock_and_the_code_s_head_part(tmp_path: Path) -> None:
    code = make_code(tmp_path / "code", "sub/project")
    code.shell.write("data/a", "1")
    code.shell.commit("data")
    assert code.shell("status", "--json").json["code_lock"] == "none"
    code.record()
    assert code.shell("status", "--json").json["code_lock"] == "same"
    assert "code's HEAD" not in code.shell("status").out
    code.shell.write("data/a", "2")
    code.shell.commit("data")
    assert "  pinned v1? in the code's HEAD, v2? in aimdvc.lock, not committed" in code.shell("status").out
    assert code.shell("status", "--json").json["code_lock"] == "different"
    code.record()
    assert "code's HEAD" not in code.shell("status").out
    code.shell.write("more/b", "1")
    code.shell.commit("more")
    assert "  not pinned in the code's HEAD, v1? in aimdvc.lock, not committed" in code.shell("status").out
    code.git("gc", "-q")
    assert code.shell("status", "--json").json["code_lock"] == "different"


def test_a_lock_that_was_deleted_is_told_with_what_brings_it_back(tmp_path: Path) -> None:
    code = make_code(tmp_path / "code")
    code.version("1")
    (code.here / "aimdvc.lock").unlink()
    told = code.shell("status")
    assert "aimdvc.lock is gone, and the code's HEAD has it: `git checkout HEAD -- aimdvc.lock`" in told.out
    assert code.shell("status", "--json").json["code_lock"] == "deleted"
    code.git("checkout", "HEAD", "--", "aimdvc.lock")
    assert "  pinned v1?, clean, not on origin" in code.shell("status").out


def test_status_works_where_the_code_s_head_can_t_be_read(tmp_path: Path) -> None:
    code = make_code(tmp_path / "code")
    code.version("1")
    (code.here / ".git/refs/heads/main").write_text("1" * 40 + "\n")
    code.shell.write("data/a", "2")
    assert code.shell("status", "--json").json["code_lock"] == "unread"
    assert "  pinned v1?, working tree has changes" in code.shell("status").out
