"""What gc and verify do with all of a repository's git objects, a bit each: stock Git is the judge."""

import random
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aimdvc.errors import AimdvcError, CorruptRepository
from aimdvc.fs.disk import Disk
from aimdvc.git.fsck import BadObjectError
from aimdvc.git.kinds import BLOB, COMMIT, TREE
from aimdvc.model.oid import GitId
from aimdvc.server.gc_rewrite import rewrite
from aimdvc.server.numbered import Marks, Numbered, numbered
from aimdvc.server.packclosure import Named
from aimdvc.server.packkinds import PackKinds
from aimdvc.server.packverify import verify_pack
from aimdvc.server.reaching import mark_reached
from aimdvc.server.repositories import Repository, ensure_repository
from tests.shell import git

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

COMMITS = 40


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history with merges, clocks that go back, and folders that are again what they were before."""
    place = tmp_path_factory.mktemp("histories") / "stock"
    git(place.parent, "init", "-q", "-b", "main", str(place))
    chance = random.Random(7)
    text = "".join(f"{number} of the lines\n" for number in range(400))
    lines: list[str] = []
    for number in range(1, COMMITS + 1):
        lines += [f"commit refs/heads/b{number}", f"mark :{number}"]
        lines += [f"committer A <a@example.org> {1_700_000_000 + chance.randrange(5000)} +0000", "data 1", "m"]
        if number > 1:
            first, *others = chance.sample(range(max(1, number - 4), number), min(number - 1, chance.choice([1, 1, 2])))
            lines += [f"from :{first}", *(f"merge :{other}" for other in others)]
        for _ in range(3):
            path = f"{chance.choice('ab')}/{chance.choice('cd')}/{chance.choice('ef')}"
            content = f"{chance.randrange(4)}\n{text}"
            lines += [f"M 100644 inline {path}", f"data {len(content)}", content]
    subprocess.run(["git", "fast-import", "--quiet"], cwd=place, input="\n".join(lines).encode() + b"\n", check=True)
    return place


@contextmanager
def served(directory: Path, stock: Path, *tips: str) -> Iterator[Repository]:
    """A server's repository with a pack of all that each of these reaches, objects of several of them in each."""
    ensure_repository(directory, Disk())
    for tip in tips:
        subprocess.run(
            ["git", "pack-objects", "-q", "--revs", "--depth=9", str(directory / "objects/pack/pack")],
            cwd=stock,
            input=f"{tip}\n".encode(),
            check=True,
            capture_output=True,
        )
    with Repository(directory, Disk()) as repository:
        yield repository


def reached(stock: Path, *tips: str) -> set[bytes]:
    listed = git(stock, "rev-list", "--objects", *tips).splitlines()
    return {bytes.fromhex(line.split()[0]) for line in listed}


def id_of(stock: Path, tip: str) -> bytes:
    return bytes.fromhex(git(stock, "rev-parse", tip).strip())


def marked(objects: Numbered, *tips: bytes) -> Marks:
    marks = Marks(objects.count)
    for tip in tips:
        mark_reached(objects, tip, marks)
    return marks


def test_marked_is_what_stock_git_reaches(tmp_path: Path, stock: Path) -> None:
    with (
        served(tmp_path / "r", stock, "b40", "b17", "b39", "b38") as repository,
        numbered(repository) as objects,
    ):
        for number in range(1, COMMITS + 1):
            tip = f"b{number}"
            if objects.number(id_of(stock, tip)) is None:
                continue
            marks = marked(objects, id_of(stock, tip))
            assert {objects.name(one) for one in marks.within(0, objects.count)} == reached(stock, tip)
        tree = id_of(stock, "b40^{tree}")
        marks = marked(objects, tree, tree)
        assert marks.count == len(git(stock, "ls-tree", "-rt", "b40").splitlines()) + 1 - _twice(stock, "b40")
        with pytest.raises(CorruptRepository, match="is missing"):
            marked(objects, b"\1" * 20)


def _twice(stock: Path, tip: str) -> int:
    names = [line.split()[2] for line in git(stock, "ls-tree", "-rt", tip).splitlines()]
    return len(names) - len(set(names))


def test_a_rewritten_repository_has_what_was_marked_and_stock_git_takes_it(tmp_path: Path, stock: Path) -> None:
    with served(tmp_path / "r", stock, "b40", "b17", "b39") as repository:
        tips = ("b17", "b30") if id_of(stock, "b30") in _names(repository) else ("b17",)
        wanted = reached(stock, *tips)
        with numbered(repository) as objects:
            rewrite(repository, objects, marked(objects, *(id_of(stock, tip) for tip in tips)), lambda: None)
        (pack,) = repository.packs()
        assert set(pack.names()) == wanted
        assert list((tmp_path / "r/incoming").iterdir()) == []
        listed = git(stock, "verify-pack", "-v", str(pack.path.with_suffix(".idx")))
        assert "chain length" in listed
        seen: dict[bytes, int] = {}
        with PackKinds(pack.path, pack.count) as stored:
            verify_pack(stored, lambda name, kind, _: seen.update({name: kind}))
        assert seen == {name: repository.read(GitId(name.hex()))[0] for name in wanted}
        # A gap is noticed before anything goes: a tree that stays without what it names.
        with numbered(repository) as objects:
            gap = Marks(objects.count)
            gap.add(objects.needed(id_of(stock, "b17^{tree}")))
            with pytest.raises(CorruptRepository, match="would be lost"):
                rewrite(repository, objects, gap, lambda: None)
        assert [one.path for one in repository.packs()] == [pack.path]


def _names(repository: Repository) -> set[bytes]:
    return {name for pack in repository.packs() for name in pack.names()}


@pytest.mark.parametrize("suffix", [".pack", ".idx"])
def test_no_turned_bit_of_a_pack_or_its_index_is_missed(tmp_path: Path, stock: Path, suffix: str) -> None:
    with served(tmp_path / "r", stock, "b9") as repository:
        (pack,) = repository.packs()
        path = pack.path.with_suffix(suffix)
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        good = path.read_bytes()
        for at in range(0, len(good), 7):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :])
            with PackKinds(pack.path, pack.count) as stored, pytest.raises(AimdvcError):
                verify_pack(stored, lambda *_: None)
        endless = good[:12] + b"\xff" * 2_000_000 + good[-20:]
        for bad in (good[:-1], good[: len(good) // 2], good[:30], b"", endless):
            path.write_bytes(bad)
            with pytest.raises(AimdvcError), PackKinds(pack.path, pack.count) as stored:
                verify_pack(stored, lambda *_: None)
        path.write_bytes(good)
        with PackKinds(pack.path, pack.count) as stored:
            verify_pack(stored, lambda *_: None)


def test_what_is_named_is_looked_up_in_parts() -> None:
    asked: list[int] = []
    there = {bytes([number]) * 20: BLOB for number in range(1, 9)}

    def absent(wanted: "dict[bytes, int] | object") -> list[bytes]:
        assert isinstance(wanted, dict)
        asked.append(len(wanted))
        return [name for name, kind in wanted.items() if there.get(name) != kind]

    named = Named(absent, lambda name: b"a target" if name < b"\5" else b"no\0target", 3)
    tree = b"".join(b"100644 %d\0" % number + bytes([number]) * 20 for number in range(1, 10))
    named.take(TREE, tree)
    named.take(BLOB, b"not a tree")
    named.settle()
    assert named.absent == {b"\x09" * 20: None} and asked == [3, 3, 3, 0]
    named.take(TREE, b"120000 l\0" + b"\4" * 20)
    named.settle()
    named.take(TREE, b"120000 l\0" + b"\6" * 20)
    with pytest.raises(BadObjectError, match="symbolic link"):
        named.settle()
    with pytest.raises(BadObjectError):
        named.take(COMMIT, b"no commit")
