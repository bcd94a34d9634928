"""The pages on moving from Git LFS and DVC: their blocks, pasted into a shell, on what the real ones made."""

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from aimdvc.cli.main import aimdvc
from aimdvc.cli.table import COMMANDS
from tests import dvc as real
from tests.e2e.bash import in_bash
from tests.shell import Shell, files_of, git

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("moving-from-*.md"))
URL = "https://aimd.example.org/team"

Paste = Callable[[str, Path], str]


@pytest.fixture
def paste(tmp_path: Path) -> Paste:
    """Runs the block of docs/moving-from-git-lfs.md that follows a marker."""
    return lambda marker, here: run(block("moving-from-git-lfs", marker), here)


def block(page: str, marker: str) -> str:
    """Returns the shell block of a page that follows a marker."""
    found = re.search(rf"<!-- {marker} -->\n```sh\n(.*?)```", (DOCS / f"{page}.md").read_text("utf-8"), re.DOTALL)
    assert found is not None, f"{page}.md has no block '{marker}'"
    return found[1]


def run(script: str, here: Path) -> str:
    """Runs lines of a page; the remote is a folder beside."""
    (here.parent / "team").mkdir(exist_ok=True)
    done = in_bash(f"set -euo pipefail\n{script.replace(URL, str(here.parent / 'team'))}", here)
    assert done.returncode == 0, script + done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def lfs(tmp_path: Path, home: Path) -> tuple[Path, Path]:
    """Two clones of a repository of three commits that keeps images with Git LFS; neither has older contents."""
    git(tmp_path, "lfs", "install", "--skip-repo")
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    url = f"file://{tmp_path}/origin.git"
    git(tmp_path, "clone", "-q", url, "first")
    first = tmp_path / "first"
    git(first, "checkout", "-q", "-b", "main")
    git(first, "lfs", "track", "data/images/*.png")
    (first / "data/images").mkdir(parents=True)
    for number in range(3):
        (first / f"data/images/{number}.png").write_bytes(os.urandom(90_000))
        (first / "data/images/a.png").write_bytes(b"%d" % number * 200)
        (first / "data/images/labels.csv").write_text(f"{number}\n")
        git(first, "add", "-A")
        git(first, "commit", "-q", "-m", f"State {number}")
    git(first, "push", "-q", "origin", "main")
    for name in ("mine", "theirs"):
        git(tmp_path, "clone", "-q", url, name)
    return tmp_path / "mine", tmp_path / "theirs"


def test_moving_from_git_lfs_can_be_pasted(lfs: tuple[Path, Path], paste: Paste, tmp_path: Path) -> None:
    mine, theirs = lfs
    before = files_of(mine / "data/images")
    assert "images: 3 versions of 'data/images'" in paste("import", mine)
    assert "State 1" in paste("look", mine)
    paste("commit", mine)
    assert git(mine, "status", "--porcelain") == ""
    assert "filter=lfs" not in (mine / ".gitattributes").read_text()
    paste("push", mine)
    paste("others", theirs)
    assert files_of(mine / "data/images") == files_of(theirs / "data/images") == before
    paste("after", mine)
    assert git(mine, "status", "--porcelain") == ""
    paste("others", theirs)
    assert (theirs / "data/images/labels.csv").read_text() == "2\nnight,7\n"


def test_commits_from_before_the_import_give_the_bytes_that_git_lfs_gave(
    lfs: tuple[Path, Path], paste: Paste, tmp_path: Path
) -> None:
    mine, _ = lfs
    for marker in ("import", "commit"):
        paste(marker, mine)
    shell = Shell(mine)
    versions = shell("log", "images", "--json").json["versions"]
    for version, commit in zip(versions, git(mine, "rev-list", "HEAD~1").split(), strict=True):
        git(mine, "checkout", "-q", commit)
        # What the commit doesn't have, and Git ignored, stays: the page says so, and what removes it.
        git(mine, "clean", "-d", "-f", "-q", "data/images")
        given = files_of(mine / "data/images")
        git(mine, "checkout", "-q", "main")
        shell("checkout")
        shell("checkout", f"images@{version['commit']['id']}")
        assert files_of(mine / "data/images") == given
        shell("checkout", "images@main")
    assert git(mine, "status", "--porcelain") == ""


def test_git_lfs_takes_the_data_back(lfs: tuple[Path, Path], paste: Paste, tmp_path: Path) -> None:
    mine, _ = lfs
    before = files_of(mine / "data/images")
    paste("import", mine)
    paste("undo", mine)
    assert files_of(mine / "data/images") == before
    assert git(mine, "status", "--porcelain") == "?? .aimdvc/\n"
    Shell(mine)("import", "lfs", "data/images")
    for marker in ("commit", "push", "after"):
        paste(marker, mine)
    now = files_of(mine / "data/images")
    paste("back", mine)
    assert git(mine, "status", "--porcelain") == ""
    assert len(git(mine, "lfs", "ls-files").splitlines()) == 4
    assert files_of(mine / "data/images") == now != before


@pytest.fixture
def dvc(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Paste]:
    """Two clones of a repository of two commits in which DVC keeps images and a model."""
    program = real.program(real.shared_directory(tmp_path_factory))
    start = f'export DVC_NO_ANALYTICS=1\ndvc() {{ "{program}" "$@"; }}\n'
    git(tmp_path, "init", "-q", "-b", "main", "mine")
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    run(f"{start}dvc init -q && dvc remote add -q -d storage {tmp_path}/storage", mine)
    (mine / "data/images").mkdir(parents=True)
    for number in range(2):
        (mine / f"data/images/{number}.png").write_bytes(os.urandom(90_000))
        (mine / "data/images/labels.csv").write_text(f"{number}\n")
        (mine / "model.bin").write_bytes(b"%d" % number * 200)
        run(f"{start}dvc add -q data/images model.bin", mine)
        git(mine, "add", "-A")
        git(mine, "commit", "-q", "-m", f"State {number}")
    run(f"{start}dvc push -q --all-commits", mine)
    git(tmp_path, "clone", "-q", "--bare", "mine", "origin.git")
    git(mine, "remote", "add", "origin", f"{tmp_path}/origin.git")
    git(mine, "fetch", "-q")
    git(mine, "branch", "-q", "-u", "origin/main")
    git(tmp_path, "clone", "-q", "origin.git", "theirs")
    run(f"{start}dvc pull -q", theirs)
    return mine, theirs, lambda lines, here: run(f"{start}{lines}", here)


def test_moving_from_dvc_can_be_pasted(dvc: tuple[Path, Path, Paste]) -> None:
    mine, theirs, in_shell = dvc

    def paste(marker: str, here: Path) -> str:
        return in_shell(block("moving-from-dvc", marker), here)

    before = files_of(mine / "data/images")
    paste("fetch", mine)
    assert "images: 2 versions of 'data/images'" in paste("import", mine)
    paste("undo", mine)
    assert git(mine, "status", "--porcelain") == "?? .aimdvc/\n"
    assert files_of(mine / "data/images") == before
    paste("import", mine)
    assert "State 1" in paste("look", mine)
    for marker in ("commit", "push"):
        paste(marker, mine)
    assert git(mine, "status", "--porcelain") == ""
    paste("others", theirs)
    assert files_of(mine / "data/images") == files_of(theirs / "data/images") == before
    paste("after", mine)
    assert git(mine, "status", "--porcelain") == ""
    paste("others", theirs)
    assert (theirs / "data/images/labels.csv").read_text() == "1\nnight,7\n"
    # Old commits of the code, as DVC checks them out, and the versions.
    shell = Shell(mine)
    versions = shell("log", "images", "--json").json["versions"][1:]
    for version, commit in zip(versions, git(mine, "rev-list", "HEAD~3").split(), strict=True):
        git(theirs, "checkout", "-q", commit)
        in_shell("dvc pull -q --force", theirs)
        shell("checkout", f"images@{version['commit']['id']}")
        assert files_of(mine / "data/images") == files_of(theirs / "data/images")
    shell("checkout", "images@main")
    now = files_of(mine / "data/images")
    paste("back", mine)
    assert git(mine, "status", "--porcelain") == ""
    assert "data/images" in in_shell("dvc list . -R --dvc-only", mine)
    assert files_of(mine / "data/images") == now


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_are_ours(page: Path) -> None:
    spans = re.findall(r"`(aimdvc [^`]+)`", page.read_text("utf-8"))
    assert len(spans) > 30
    for span in spans:
        words = shlex.split(span)[1:]
        name = next((name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS), None)
        assert name is not None, span
        command = aimdvc.get_command(click.Context(aimdvc), name)
        assert command is not None
        known = {option for parameter in command.params for option in parameter.opts}
        options = words[len(name.split()) :]
        options = options[: options.index("--")] if "--" in options else options
        for word in options:
            if word.startswith("--"):
                assert word in known, span
            elif word.startswith("-"):
                assert {f"-{letter}" for letter in word[1:]} <= known, span
