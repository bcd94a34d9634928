"""`diff --code`: what two commits of the code pin differently, for people, programs and pull requests."""

import subprocess
import sys
from pathlib import Path

import pytest

from aimdvc.cli.codediff import code as inline_code
from tests.shell import Shell, git


@pytest.fixture
def code(shell: Shell, remote: str) -> Shell:
    """Four commits of the code: nothing, `data` v1, `data` v2 and `net`, then `net` alone; all pushed."""
    git(shell.here, "init", "-q", "-b", "main")
    shell("init")
    shell("remote", "add", "origin", remote)
    commit(shell, "zero")
    for number in range(4):
        shell.write(f"data/{number}.bin", bytes([number]) * 1000)
    shell.write("data/README.md", "one\n")
    shell.commit("data")
    commit(shell, "one")
    (shell.here / "data/0.bin").unlink()
    (shell.here / "data/1.bin").rename(shell.here / "data/renamed.bin")
    shell.write("data/2.bin", b"x" * 3_000_000)
    shell.write("data/a|b`c<d>\n*@you*.bin", b"y" * 500)
    shell.commit("data")
    shell.write("net.bin", b"n" * 70_000)
    shell("add", "net.bin")
    shell("commit", "-m", "m", "net.bin")
    commit(shell, "two")
    shell("push")
    shell("rm", "-rf", "data")
    commit(shell, "three")
    return shell


def commit(shell: Shell, message: str) -> None:
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", message)


def test_added_moved_and_removed_artifacts_have_counts_sizes_and_the_largest_changes(code: Shell) -> None:
    found = code("diff", "--code", "main~2", "main~1", "--json").json
    assert [found["old"], found["new"]] == git(code.here, "rev-parse", "main~2", "main~1").split()
    data, net = found["artifacts"]
    assert (data["kind"], data["old"], data["new"], data["lacking"]) == ("moved", "v1", "v2", [])
    assert [data[key] for key in ("added", "removed", "modified", "renamed")] == [1, 1, 1, 1]
    assert data["size_change"] == 3_000_000 - 1000 - 1000 + 500
    assert [(one["kind"], one["path"][:7]) for one in data["largest"]] == [
        ("modified", "2.bin"),
        ("deleted", "0.bin"),
        ("renamed", "renamed"),
        ("added", "a|b`c<d"),
    ]
    assert (net["kind"], net["new"], net["new_path"], net["size_change"]) == ("added", "v1", "net.bin", 70_000)
    told = code("diff", "--code", "main~2", "main~1").out
    assert "data: v1 → v2: +1 −1 ~1 files, 1 renamed, +2.9 MiB" in told
    assert "net.bin: added at v1 (net.bin): +1 file, +68.4 KiB" in told
    assert "data: removed, was v2" in code("diff", "--code", "main~1", "main").out
    assert "data: added at v1 (data)" in code("diff", "--code", "main~3", "main~2").out
    assert code("diff", "--code", "main", "main", "--exit-code").out == "No artifact is pinned differently\n"


def test_one_revision_is_compared_with_the_lock_on_disk(code: Shell) -> None:
    code.write("net.bin", b"m" * 80_000)
    code("commit", "-am", "two")
    found = code("diff", "--code", "HEAD", "--exit-code", "--json", code=1).json
    assert found["new"] is None
    assert [(one["artifact"], one["old"], one["new"]) for one in found["artifacts"]] == [("net.bin", "v1", "v2?")]


def test_markdown_has_a_table_and_no_name_in_it_is_markup(code: Shell) -> None:
    told = code("diff", "--code", "main~2", "main~1", "--format", "markdown").out
    assert "| <code>data</code> | v1 → v2 | +1 −1 ~1 files, 1 renamed | +2.9 MiB |" in told
    assert told.count("<details>") == told.count("</details>") == 2
    assert "| modified | <code>2&#46;bin</code> | 1000 B → 2.9 MiB |" in told
    row = next(line for line in told.splitlines() if "you" in line)
    assert row.count("|") == 4 and not set("`@*\\") & set(row)
    assert code("diff", "--code", "main", "main", "--format", "markdown").out.endswith("pinned differently.\n")


def test_inline_code_leaves_only_what_is_never_markup() -> None:
    assert inline_code("a/b-1 c") == "<code>a/b-1 c</code>"
    for char in "|`<>&*_[]()#!~@:.\"'\\$\n\t\x1b\u202e":
        shown = inline_code(f"x{char}y").removeprefix("<code>").removesuffix("</code>")
        assert set(shown) <= set("xyabcdefghijklmnopqrstuvwxyz0123456789&#;"), char


def test_after_a_clone_histories_are_brought_and_no_blobs(code: Shell, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(code.here), "other")
    other = Shell(tmp_path / "other")
    found = other("diff", "--code", "main~2", "main~1", "--json").json["artifacts"]
    assert [len(one["lacking"]) for one in found] == [2, 1]
    assert "`aimdvc diff --code … --fetch` brings it" in other("diff", "--code", "main~2", "main~1").out
    assert "history not fetched" in other("diff", "--code", "main~2", "main~1", "--format", "markdown").out
    told = other("diff", "--code", "main~2", "main~1", "--fetch").out
    assert told == code("diff", "--code", "main~2", "main~1").out
    assert not [path for path in (other.here / ".git/aimdvc/blobs").rglob("*") if path.is_file()]
    assert other("diff", "--code", "main~2", "main~1").out == told


def test_what_can_not_be_compared_is_refused(code: Shell) -> None:
    assert "one or two revisions" in code("diff", "--code", code=2).err
    assert "no revision 'nope'" in code("diff", "--code", "nope", code=2).err
    assert "go with --code" in code("diff", "--format", "markdown", code=2).err
    assert "give it only" in code("diff", "--code", "main", "--stat", code=2).err


def test_a_difference_of_versions_loads_nothing_for_the_network(shell: Shell) -> None:
    script = (
        "import sys, aimdvc.cli.commands.diff; print([name for name in ('requests', 'urllib3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=shell.here, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
