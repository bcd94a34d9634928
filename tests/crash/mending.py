"""Repair and hard links for the cut-point tests: damage that can be healed, and files that become blobs."""

from collections.abc import Callable
from pathlib import Path

from aimdvc.model.progress import Silent
from aimdvc.ops.add import AddOptions, add
from aimdvc.ops.relink import relink
from aimdvc.ops.repair import repair
from aimdvc.ops.workspace import Workspace
from tests.crash.ground import connector, empty
from tests.shell import Shell


def _start(root: Path) -> Shell:
    shell = empty(root)
    shell.write("data/text.txt", "old\n")
    shell.write("data/large.bin", b"old" * 40_000)
    shell.commit("data", "first")
    return shell


def _damaged(root: Path) -> None:
    """Damage of every kind that the remote, the files or the rest of the store can heal."""
    shell = _start(root)
    shell.write("data/text.txt", "new\n")
    shell.write("data/large.bin", b"new" * 50_000)
    shell.commit("data", "second")
    shell("push")
    store = shell.here / ".aimdvc"
    repository = store / "repos/data.git"
    tip = (repository / "refs/heads/main").read_text().strip()
    objects = [repository / "objects" / tip[:2] / tip[2:], next(repository.glob("objects/??/*"))]
    for path in {*store.glob("blobs/files/*/*"), *store.glob("blobs/packs/*.pack"), *objects}:
        path.chmod(0o644)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    for name in ("HEAD", "config", "refs/heads/main"):
        (repository / name).write_bytes(b"rubbish")


def _repair(workspace: Workspace, here: Path) -> None:
    repaired = repair(workspace, connector(), Silent())
    assert not repaired.checked.damage, repaired


def _linked(root: Path) -> None:
    shell = _start(root)
    for name in ("twin", "other"):
        shell.write(f"data/{name}.bin", b"old" * 40_000)
    shell.commit("data", "second")
    (shell.here / ".aimdvc/store.config").write_text("[core]\n\tlink = hardlink\n")
    shell.write("data/new.bin", b"new" * 40_000)


def _relink(workspace: Workspace, here: Path) -> None:
    add(workspace, here, ["data"], AddOptions(), Silent())
    relink(workspace, [], Silent())


PREPARE: dict[str, Callable[[Path], object]] = {"repair": _damaged, "relink": _linked}
ACT: dict[str, Callable[[Workspace, Path], None]] = {"repair": _repair, "relink": _relink}
