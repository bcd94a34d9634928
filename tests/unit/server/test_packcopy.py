"""Packs that the server makes of what is stored: judged by stock Git, and read entry by entry."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from aimdvc.errors import CorruptRepository
from aimdvc.fs.disk import Disk
from aimdvc.git.consolidate import consolidate
from aimdvc.model.oid import GitId
from aimdvc.server.packcopy import write_pack
from aimdvc.server.packkinds import PackEntry, PackKinds
from aimdvc.server.repositories import Repository, ensure_repository
from aimdvc.server.upload_pack import _stored_packs
from tests.shell import git

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    """A repository of stock Git: six versions of a file that are deltas of each other."""
    place = tmp_path / "stock"
    git(tmp_path, "init", "-q", "-b", "main", str(place))
    for turn in range(6):
        (place / "f").write_text("".join(f"{number} of the lines\n" for number in range(turn, 5000)))
        git(place, "add", "f")
        git(place, "commit", "-qm", f"{turn}")
    return place


def stored(tmp_path: Path, stock: Path, *packs: list[str]) -> Repository:
    """Returns a server's repository with a pack of these revisions each."""
    directory = tmp_path / "served"
    ensure_repository(directory, Disk())
    for revisions in packs:
        subprocess.run(
            ["git", "pack-objects", "-q", "--revs", "--delta-base-offset", str(directory / "objects/pack/pack")],
            cwd=stock,
            input="\n".join(revisions).encode() + b"\n",
            stdout=subprocess.DEVNULL,
            check=True,
        )
    return Repository(directory, Disk())


def ids(stock: Path, *revisions: str) -> list[GitId]:
    listed = git(stock, "rev-list", "--objects", "--no-object-names", *revisions)
    return [GitId(name) for name in listed.split()]


def made(repository: Repository, wanted: list[GitId], place: Path) -> bytes:
    """Returns the pack, which a new repository of stock Git has taken."""
    out = io.BytesIO()
    size = write_pack(out.write, repository, wanted)
    assert size == len(out.getvalue())
    git(place.parent, "init", "-q", "--bare", str(place))
    subprocess.run(["git", "index-pack", "--stdin"], cwd=place, input=out.getvalue(), check=True)
    return out.getvalue()


def contained(place: Path) -> set[str]:
    return set(git(place, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())


def test_everything_goes_with_the_deltas_that_are_stored(tmp_path: Path, stock: Path) -> None:
    with stored(tmp_path, stock, ["main"]) as repository:
        wanted = ids(stock, "main")
        pack = made(repository, wanted, tmp_path / "got")
        assert contained(tmp_path / "got") == set(wanted)
        whole = repository.packs()[0].size
        assert len(pack) < whole + 20 * len(wanted)
        git(tmp_path / "got", "fsck", "--strict")


@pytest.mark.parametrize("number", range(6))
def test_a_delta_whose_base_stays_here_goes_in_full(tmp_path: Path, stock: Path, number: int) -> None:
    with stored(tmp_path, stock, ["main"]) as repository:
        blob = GitId(git(stock, "rev-parse", f"main~{number}:f").strip())
        made(repository, [blob], tmp_path / "got")
        assert contained(tmp_path / "got") == {blob}
        assert git(tmp_path / "got", "cat-file", "blob", blob) == git(stock, "cat-file", "blob", blob)


def test_objects_of_several_packs_come_once_each(tmp_path: Path, stock: Path) -> None:
    packs = ["main~3"], ["main"], ["main~1", "^main~4"]
    with stored(tmp_path, stock, *packs) as repository:
        wanted = ids(stock, "main")
        made(repository, wanted, tmp_path / "got")
        assert contained(tmp_path / "got") == set(wanted)


def test_what_is_not_here_is_named(tmp_path: Path, stock: Path) -> None:
    with stored(tmp_path, stock, ["main"]) as repository, pytest.raises(CorruptRepository, match="9999 is missing"):
        write_pack(io.BytesIO().write, repository, [GitId("9" * 40)])


def test_an_entry_that_is_cut_is_refused(tmp_path: Path, stock: Path) -> None:
    with stored(tmp_path, stock, ["main"]) as repository:
        pack = repository.packs()[0]
        offset = sorted(
            PackKinds(pack.path, pack.count).offsets(bytes.fromhex(one) for one in ids(stock, "main")).values()
        )[-1]
        pack.path.chmod(0o644)
        with pack.path.open("r+b") as file:
            file.truncate(offset + 3)
        with PackKinds(pack.path, pack.count) as kinds, pytest.raises(CorruptRepository, match=f"at {offset}"):
            kinds.entry(offset)


@pytest.mark.parametrize("versions", [2, 6])
def test_only_the_entries_that_are_sent_are_read(
    tmp_path: Path, stock: Path, versions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    entry = PackKinds.entry

    def counted(kinds: PackKinds, offset: int) -> PackEntry:
        read.append(offset)
        return entry(kinds, offset)

    monkeypatch.setattr(PackKinds, "entry", counted)
    with stored(tmp_path, stock, [f"main~{6 - versions}"]) as repository:
        newest = f"main~{6 - versions}"
        made(repository, ids(stock, newest, f"^{newest}~1"), tmp_path / "got")
    assert len(read) == 3


def test_packs_that_are_joined_while_they_are_read_are_read_all_the_same(tmp_path: Path, stock: Path) -> None:
    packs = [[f"main~{5 - number}", *([f"^main~{6 - number}"] if number else [])] for number in range(6)]
    with stored(tmp_path, stock, *packs) as repository:
        wanted = set(ids(stock, "main"))
        met: set[str] = set()
        for stored_pack in repository.iter_opened():
            met |= {name.hex() for name in stored_pack.find(bytes.fromhex(one) for one in wanted)}
            if len(repository.packs()) > 1:
                consolidate(tmp_path / "served", Disk(), is_forced=True)
        assert len(repository.packs()) == 1
        assert met == wanted


def test_a_clone_that_has_begun_ends_though_its_packs_are_joined(tmp_path: Path, stock: Path) -> None:
    with stored(tmp_path, stock, ["main~3"], ["main", "^main~3"]) as repository:
        whole = _stored_packs(repository)
        assert whole is not None
        size, chunks = whole
        consolidate(tmp_path / "served", Disk(), is_forced=True)
        pack = b"".join(chunks.chunks)
        chunks.close()
    assert len(pack) == size
    git(tmp_path, "init", "-q", "--bare", "got")
    subprocess.run(["git", "index-pack", "--strict", "--stdin"], cwd=tmp_path / "got", input=pack, check=True)
    assert contained(tmp_path / "got") == set(ids(stock, "main"))


def test_a_pack_whose_index_is_gone_is_said(tmp_path: Path, stock: Path) -> None:
    with stored(tmp_path, stock, ["main"]) as repository:
        repository.packs()[0].path.with_suffix(".idx").unlink()
        with pytest.raises(CorruptRepository, match="its index is gone"):
            repository.packs()
