"""Link modes: what shares its blocks or its inode, what is copied, and edits in place that history survives."""

import mmap
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aimdvc.ops.scan import Scan, changed_suspects
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head
from aimdvc.store.walk import DiskStat
from tests.mounts import mounted
from tests.shell import Shell, files_of

SIZE = 20 << 20


@pytest.fixture(params=["btrfs", "xfs"])
def sharing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    """A workspace on a file system that can share blocks."""
    with mounted(tmp_path, str(request.param)) as point:
        work = point / "work"
        work.mkdir()
        shell = Shell(work)
        shell("init")
        yield shell


@pytest.fixture
def linked(shell: Shell, tmp_path: Path) -> Shell:
    """One version with a large file, pushed to a folder, checked out as a hard link."""
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    shell("config", "core.link", "hardlink")
    shell.write("data/big", b"1" * 200_000)
    shell.commit("data", "one")
    shell("push")
    return shell


def blob(shell: Shell, number: int = 0) -> Path:
    return sorted((shell.here / ".aimdvc/blobs/files").glob("*/*"))[number]


def shared_bytes(path: Path) -> int:
    """Returns how many bytes of a file lie in blocks that another file has, too."""
    subprocess.run(["sync", "-f", str(path)], check=True)
    lines = subprocess.run(
        ["filefrag", "-v", str(path)], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    extents = [line.split(":") for line in lines if line.strip() and line.strip()[0].isdigit()]
    return sum(int(fields[3]) * 4096 for fields in extents if "shared" in fields[-1])


def data(seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(SIZE)


def test_add_and_checkout_share_blocks_where_the_file_system_can(sharing: Shell) -> None:
    before = os.statvfs(sharing.here)
    sharing.write("data/big", data())
    sharing.write("data/run", data(2)).chmod(0o755)
    sharing.commit("data", "one")
    for path in ("data/big", "data/run"):
        assert shared_bytes(sharing.here / path) == SIZE
    (sharing.here / "data/big").unlink()
    sharing("restore", "data/big")
    assert (sharing.here / "data/big").read_bytes() == data()
    assert shared_bytes(sharing.here / "data/big") == SIZE
    after = os.statvfs(sharing.here)
    used = (before.f_bfree - after.f_bfree) * after.f_frsize
    assert used < 2 * SIZE + (8 << 20), "a second copy was made"
    with (sharing.here / "data/big").open("r+b") as file:
        file.write(b"edited")
    assert sharing("status", "-s").out == " M data/big\n"
    sharing("fsck")


def test_a_copy_shares_nothing_even_where_it_could(sharing: Shell) -> None:
    sharing("config", "core.link", "copy")
    sharing.write("data/big", data())
    sharing.commit("data", "one")
    assert shared_bytes(sharing.here / "data/big") == 0
    (sharing.here / "data/big").unlink()
    sharing("restore", "data/big")
    assert (sharing.here / "data/big").read_bytes() == data()
    assert shared_bytes(sharing.here / "data/big") == 0


def test_relink_applies_the_setting_to_what_is_here(sharing: Shell) -> None:
    sharing("config", "core.link", "copy")
    for name in ("one", "twin", "changed"):
        sharing.write(f"data/{name}", data())
    sharing.write("data/small", b"small")
    sharing.commit("data", "one")
    sharing.write("data/changed", b"local change")
    before = files_of(sharing.here)
    for link in ("hardlink", "reflink", "copy"):
        sharing("config", "core.link", link)
        done = sharing("checkout", "--relink", "--json").json["artifacts"]
        assert done == [{"artifact": "data", "written": 2, "changed": 1}]
        for name in ("one", "twin"):
            path = sharing.here / "data" / name
            assert path.samefile(blob(sharing)) == (link == "hardlink")
            assert path.stat().st_mode & 0o777 == (0o444 if link == "hardlink" else 0o644)
            assert shared_bytes(path) == (SIZE if link == "reflink" else 0)
        assert files_of(sharing.here) == before
        assert sharing("status", "-s").out == " M data/changed\n"


def test_a_hard_link_is_the_blob_itself_and_read_only(linked: Shell) -> None:
    path = linked.here / "data/big"
    assert path.samefile(blob(linked))
    assert path.stat().st_mode & 0o777 == 0o444
    assert linked("status", "-s").out == ""


def test_what_has_other_names_or_is_executable_is_copied(linked: Shell) -> None:
    linked.write("data/run", b"r" * 100_000).chmod(0o755)
    linked.write("data/named", b"n" * 100_000)
    (linked.here / "outside").hardlink_to(linked.here / "data/named")
    linked.commit("data", "two")
    for path in ("data/run", "data/named"):
        assert (linked.here / path).stat().st_mode & 0o200
    (linked.here / "data/run").unlink()
    linked("restore", "data/run")
    assert (linked.here / "data/run").stat().st_nlink == 1


def test_twins_that_are_one_file_can_both_be_replaced_and_removed(linked: Shell) -> None:
    for name in ("a", "b", "c"):
        linked.write(f"data/{name}", b"2" * 100_000)
    linked.commit("data", "two")
    linked("checkout", "--relink")
    inodes = {(linked.here / "data" / name).stat().st_ino for name in ("a", "b", "c")}
    assert len(inodes) == 1
    linked("checkout", "data@HEAD~1")
    linked("checkout", "data@main")
    linked("config", "core.link", "copy")
    linked("checkout", "--relink")
    assert len({(linked.here / "data" / name).stat().st_ino for name in ("a", "b", "c")}) == 3


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"edited")


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"edited")


def _map(path: Path) -> None:
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[1000:1006] = b"edited"


@pytest.mark.parametrize("edit", [_append, _overwrite, _map])
def test_an_edit_in_place_is_reported_by_every_verb_and_healed(linked: Shell, edit: Callable[[Path], None]) -> None:
    path = linked.here / "data/big"
    path.chmod(0o644)
    edit(path)
    edited = path.read_bytes()
    assert edited != b"1" * 200_000
    found = linked("status", "--json", code=3)
    oid = blob(linked).name
    assert found.json["artifacts"][0]["edited"] == [{"path": "big", "oid": oid}]
    assert "edited in place" in found.err
    assert oid in linked("fsck", code=3).out
    assert "set aside" in linked("commit", "-a", "-m", "two", code=3).err
    assert path.read_bytes() == edited
    assert (linked.here / ".aimdvc/damaged" / oid).read_bytes() == edited
    linked("commit", "-a", "-m", "two")
    linked("checkout", "data@HEAD~1")
    assert path.read_bytes() == b"1" * 200_000
    linked("checkout", "data@main")
    assert path.read_bytes() == edited
    linked("fsck")


def test_a_blob_edited_between_add_and_commit_is_not_committed(linked: Shell) -> None:
    path = linked.write("data/new", b"n" * 100_000)
    linked("add", "data")
    path.chmod(0o644)
    _append(path)
    failed = linked("commit", "-m", "two", code=3)
    assert "edited in place" in failed.err
    linked("add", "data", code=3)
    linked("commit", "-m", "two")
    assert b"".join(linked("cat", "data@HEAD:new").raw for _ in range(1)) == b"n" * 100_000 + b"edited"


def test_a_blob_edited_before_a_push_is_not_pushed(linked: Shell, tmp_path: Path) -> None:
    path = linked.write("data/new", b"n" * 100_000)
    linked.commit("data", "two")
    path.chmod(0o644)
    _append(path)
    linked("push", code=3)
    remote = tmp_path / "remote/data.git"
    assert len(list(remote.glob("lfs/objects/*/*/*"))) == 1
    assert linked("log", "--json").json["versions"][0]["version"] == "v2?"


def test_a_file_moved_after_an_edit_in_place_is_noticed(linked: Shell) -> None:
    path = linked.here / "data/big"
    path.chmod(0o644)
    _append(path)
    path.rename(linked.here / "data/moved")
    assert "edited in place" in linked("add", "data", code=3).err


def test_the_way_of_linking_is_never_committed(shell: Shell, home: Path) -> None:
    committed = shell.here / ".aimdvc/config"
    committed.write_text("[core]\n\tlink = hardlink\n")
    assert shell("config", "core.link").out == "reflink\n"
    shell("config", "--user", "core.link", "hardlink")
    assert shell("config", "core.link").out == "hardlink\n"
    shell("config", "core.link", "copy")
    assert shell("config", "core.link").out == "copy\n"
    assert "copy" not in committed.read_text()
    shell("config", "--unset", "core.link")
    shell("config", "--user", "--unset", "core.link")
    assert shell("config", "core.link").out == "reflink\n"


def test_relink_leaves_a_file_that_is_edited_while_it_runs(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shell.write("data/big", data())
    shell.commit("data", "one")

    def then_edited(workspace: Workspace, head: Head, found: Scan) -> dict[bytes, DiskStat]:
        changed = changed_suspects(workspace, head, found)
        path.write_bytes(b"mine")
        return changed

    monkeypatch.setattr("aimdvc.ops.relink.changed_suspects", then_edited)
    assert shell("checkout", "--relink", "--json", code=5).json["error"] == "changed-meanwhile"
    assert path.read_bytes() == b"mine"


def test_a_file_edited_through_a_symbolic_link_changes_no_blob_and_no_link(shell: Shell, tmp_path: Path) -> None:
    """Case L18."""
    outside = tmp_path / "outside.bin"
    outside.write_bytes(b"not ours")
    shell.write("data/real.bin", b"first")
    (shell.here / "data/link").symlink_to("real.bin")
    (shell.here / "data/out").symlink_to(outside)
    shell.commit("data", "one")
    (shell.here / "data/link").write_bytes(b"edited")
    (shell.here / "data/out").write_bytes(b"edited outside")
    assert shell("status", "-s").out == " M data/real.bin\n"
    assert shell("cat", "data@HEAD:real.bin").raw == b"first"
    assert shell("fsck").code == 0
    # The target goes: the link is what it was.
    (shell.here / "data/real.bin").unlink()
    outside.unlink()
    assert shell("status", "-s").out == " D data/real.bin\n"
    # A link in a file's place is replaced, never written through.
    outside.write_bytes(b"not ours")
    (shell.here / "data/real.bin").symlink_to(outside)
    shell("restore", "data/real.bin")
    assert not (shell.here / "data/real.bin").is_symlink()
    assert (shell.here / "data/real.bin").read_bytes() == b"first"
    assert outside.read_bytes() == b"not ours"
    assert shell("status", "-s").out == ""
