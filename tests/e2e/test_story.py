"""The story of a project: two developers, three artifacts, ten code commits; real Git, real hooks, a real server."""

import os
import re
from pathlib import Path

from aimdvc.server.embedded import EmbeddedServer
from tests.e2e.developers import Developer, join
from tests.shell import Shell, files_of, git

LARGE = os.urandom(200_000)


def test_at_every_code_commit_of_a_project_are_the_bytes_that_were_there(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    server.site.folders.make_root("team")
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "code.git")
    ana = join(tmp_path / "ana", {})
    ana.git("checkout", "-q", "-b", "main")
    ana.aimdvc("init", "--remote", f"{server.url}/team")
    first = _first_commit_and_a_forgotten_push(ana)
    ben = join(tmp_path / "ben", ana.memory)
    assert files_of(ben.here) == ana.memory[first]
    _merge_without_conflict(ana, ben)
    bad = _stale_lock_and_large_file(ana)
    _merge_with_conflict(ana, ben)
    _rebase(ana, ben)
    _worktree(ana, tmp_path / "review", first)
    _stash(ben)
    _bisect(ben, first, bad)
    ana.git("pull", "-q")
    assert len(ana.memory) >= 10
    carol = join(tmp_path / "carol", ana.memory, hooks=False)
    for developer in (ana, ben):
        developer.git("fetch", "-q")
        _every_commit_has_its_bytes(developer, "checkout")
    _every_commit_has_its_bytes(carol, "pull")


def _first_commit_and_a_forgotten_push(ana: Developer) -> str:
    ana.shell.write("train.py", "lr = 1\n")
    for number in range(5):
        ana.shell.write(f"data/images/{number}.png", bytes([number]) * 900)
    ana.shell.write("data/images/large.raw", LARGE)
    ana.aimdvc("add", "data/images")
    ana.version("data/labels.csv", "name,kind\n0,cat\n", "One label")
    first = ana.record("Images and labels")
    told = ana.stopped("push", "-q", "origin", "main")
    assert f"pinned by code commit {first[:12]}, is not on 'origin'" in told and "`aimdvc push images`" in told
    assert ana.git("ls-remote", "origin") == ""
    ana.share("main")
    return first


def _merge_without_conflict(ana: Developer, ben: Developer) -> None:
    """Ben labels on a branch, meanwhile Ana adds a model: the lock is merged by artifact."""
    ben.git("checkout", "-q", "-b", "label")
    ben.version("data/labels.csv", "name,kind\n0,cat\n1,dog\n", "Label a dog")
    ben.record("Label a dog")
    assert re.search(r"^labels.csv: v1 → v2\? \(\w+\), ~1 file$", ben.message(), re.MULTILINE)
    ana.shell.write("models/net/weights.bin", LARGE[::-1])
    ana.shell.commit("models/net", "A model")
    ana.record("Add a model")
    ana.share("main")
    ben.git("fetch", "-q")
    ben.git("checkout", "-q", "main")
    assert files_of(ben.here)["data/labels.csv"] == b"name,kind\n0,cat\n"
    # What a colleague has never pulled, a hook doesn't bring, but tells.
    assert "`aimdvc pull net`" in ben.said("merge", "-q", "--ff-only", "origin/main")
    ben.aimdvc("pull")
    assert (ben.here / "models/net/weights.bin").read_bytes() == LARGE[::-1]
    ben.git("merge", "-q", "--no-edit", "label")
    merged = ben.memory[ben.remember()]
    assert merged["data/labels.csv"].endswith(b"1,dog\n") and merged["models/net/weights.bin"] == LARGE[::-1]
    ben.share("main", "label")
    ana.git("pull", "-q")
    assert files_of(ana.here) == merged


def _stale_lock_and_large_file(ana: Developer) -> str:
    """Ana forgets `aimdvc commit`, then adds a large file to Git: both are stopped. Returns her commit."""
    head = ana.git("rev-parse", "HEAD")
    ana.shell.write("data/images/5.png", "bad")
    ana.shell.write("train.py", "lr = 2\n")
    told = ana.stopped("commit", "-qam", "More images")
    assert "`aimdvc add data/images` and `aimdvc commit images` save them (5.png)" in told
    ana.aimdvc("add", "data/images")
    ana.aimdvc("commit", "images", "-m", "A sixth image")
    # aimdvc.lock has moved, and is not in what Git would commit.
    ana.git("add", "train.py")
    assert "git add aimdvc.lock" in ana.stopped("commit", "-q", "-m", "More images")
    ana.shell.write("checkpoint.bin", bytes(600_000))
    ana.git("add", "-A")
    told = ana.stopped("commit", "-q", "-m", "More images")
    assert "checkpoint.bin (586 KB) exceeds 500 KB" in told
    assert ana.git("rev-parse", "HEAD") == head
    ana.git("rm", "-q", "--cached", "checkpoint.bin")
    (ana.here / "checkpoint.bin").unlink()
    bad = ana.record("More images")
    assert re.search(r"^images: v1 → v2\? \(\w+\), \+1 file$", ana.message(), re.MULTILINE)
    return bad


def _merge_with_conflict(ana: Developer, ben: Developer) -> None:
    """Both make a second version of the images; Ben, who comes later, joins both sides' files."""
    ana.share("main")
    ben.version("data/images/0.png", "darker", "Darken an image")
    ben.record("Darken an image")
    ben.git("fetch", "-q")
    told = ben.stopped("merge", "--no-edit", "origin/main")
    assert "images" in told and "UU aimdvc.lock" in ben.git("status", "--short")
    command = re.search(r"`aimdvc (merge images@\S+)`", told)
    assert command is not None, told
    ben.aimdvc("fetch")
    ben.aimdvc(*command[1].split())
    ben.git("add", "aimdvc.lock")
    ben.git("commit", "-q", "--no-edit")
    merged = ben.memory[ben.remember()]
    assert (merged["data/images/0.png"], merged["data/images/5.png"]) == (b"darker", b"bad")
    ben.share("main")


def _rebase(ana: Developer, ben: Developer) -> None:
    """Ana's commit, which moves the model, goes on top of Ben's, which moved the images; hers from before stays."""
    ana.git("checkout", "-q", "-b", "tune")
    ana.version("models/net/weights.bin", LARGE + b"tuned", "Tune")
    ana.record("Tune the model")
    ana.git("branch", "tune-as-it-was")
    ana.git("fetch", "-q")
    ana.git("rebase", "-q", "origin/main")
    ana.remember()
    here = files_of(ana.here)
    assert here == files_of(ben.here) | {"models/net/weights.bin": LARGE + b"tuned"}
    ana.git("checkout", "-q", "main")
    ana.git("merge", "-q", "--ff-only", "tune")
    assert files_of(ana.here) == here
    ana.share("main", "tune-as-it-was")


def _worktree(ana: Developer, place: Path, first: str) -> None:
    """A fix to what the first commit had, in a worktree, whose artifact goes a way of its own."""
    before = files_of(ana.here)
    ana.git("worktree", "add", "-q", "-b", "fix", str(place), first)
    tree = Developer(place, Shell(place), ana.memory)
    assert files_of(place) == ana.memory[first]
    assert not (place / ".git").is_dir()
    tree.aimdvc("switch", "-c", "labels.csv@fix")
    tree.version("data/labels.csv", "name,kind\n0,tiger\n", "It is a tiger")
    tree.record("It is a tiger")
    assert "labels" in tree.stopped("push", "-q", "origin", "fix")
    tree.share("fix")
    assert files_of(ana.here) == before
    ana.git("worktree", "remove", str(place))


def _stash(ben: Developer) -> None:
    """A version that no code commit has yet is set aside with the lock, and comes back with it."""
    ben.git("pull", "-q")
    clean = files_of(ben.here)
    ben.version("models/net/config.json", "{}", "Settings")
    mine = files_of(ben.here)
    ben.git("stash", "-q")
    ben.aimdvc("checkout")
    assert files_of(ben.here) == clean
    ben.shell.write("train.py", "lr = 3\n")
    ben.record("Learn faster")
    ben.git("stash", "pop", "-q")
    ben.aimdvc("checkout")
    assert files_of(ben.here) == mine | {"train.py": b"lr = 3\n"}
    ben.record("Settings of the model")
    ben.share("main")


def _bisect(ben: Developer, good: str, bad: str) -> None:
    """Which commit of the code brought a bad image? The hook brings each commit's; the check makes sure of it."""
    test = "aimdvc checkout && aimdvc check || exit 125; ! grep -q bad data/images/*.png"
    ben.git("bisect", "start", "HEAD", good)
    said = ben.git("bisect", "run", "sh", "-c", test)
    assert f"{bad} is the first bad commit" in said
    ben.git("bisect", "reset")
    assert ben.git("status", "--porcelain") == ""


def _every_commit_has_its_bytes(developer: Developer, command: str) -> None:
    for commit, files in developer.memory.items():
        developer.git("checkout", "-q", commit)
        developer.aimdvc(command)
        assert files_of(developer.here) == files, (developer.here.name, developer.message())
