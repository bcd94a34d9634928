"""The data of the benchmarks, made by a seeded generator: the same bytes on every machine."""

import random
from pathlib import Path

_DIRECTORIES = 200
MIB = 1 << 20


def many(root: Path, count: int, size: int = 4096, seed: int = 1) -> None:
    """Makes `count` files of `size` bytes in 200 directories."""
    source = random.Random(seed)
    for number in range(_DIRECTORIES):
        (root / f"d{number:03}").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        _path(root, number).write_bytes(source.randbytes(size))


def _path(root: Path, number: int) -> Path:
    return root / f"d{number % _DIRECTORIES:03}" / f"f{number:06}.bin"


def one(path: Path, size: int, seed: int = 2) -> None:
    """Makes one file of `size` bytes."""
    source = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(source.randbytes(MIB))


def mixed(root: Path) -> None:
    """Makes 2,000 files of 100 KiB and 4 of 128 MiB."""
    many(root / "middling", 2000, 100 << 10, seed=3)
    for number in range(4):
        one(root / f"large{number}.bin", 128 * MIB, seed=10 + number)


def change(root: Path, count: int, step: int, seed: int, size: int = 4096) -> None:
    """Rewrites `count` of the files that `many` made, `step` apart."""
    source = random.Random(seed)
    for number in range(0, count * step, step):
        _path(root, number).write_bytes(source.randbytes(size))


def change_in_places(path: Path, share: float, places: int, seed: int) -> None:
    """Overwrites a share of a file, spread over some places."""
    source = random.Random(seed)
    size = path.stat().st_size
    piece = int(size * share / places)
    with path.open("r+b") as file:
        for number in range(places):
            file.seek(number * (size // places))
            file.write(source.randbytes(piece))


def insert_in_front(path: Path, size: int, seed: int) -> None:
    """Puts `size` new bytes before a file's content."""
    moved = path.with_name("moved")
    path.rename(moved)
    with path.open("wb") as target, moved.open("rb") as source:
        target.write(random.Random(seed).randbytes(size))
        while chunk := source.read(MIB):
            target.write(chunk)
    moved.unlink()
