"""docs/in-your-project.md: every block, pasted into a shell in the page's order, with a real server and real Git."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.e2e.developers import ROOT
from tests.shell import Shell, files_of, git

PAGE = (ROOT / "docs" / "in-your-project.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"<!-- (\S+) -->\n```sh\n(.*?)```", PAGE, re.DOTALL))


class Page:
    """Pastes blocks of the page; the hosts that it names are a server and a directory here."""

    def __init__(self, place: Path, server: EmbeddedServer) -> None:
        self._place = place
        self._server = server
        self.pasted: list[str] = []

    def paste(self, name: str, here: Path) -> str:
        """Runs a block with the options of a careful script; returns all that it says."""
        self.pasted.append(name)
        script = BLOCKS[name].replace("https://aimd.example.org", self._server.url)
        script = script.replace("https://git.example.org/project.git", str(self._place / "project.git"))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=here,
            input=f"{self._server.admin_key}\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{name}\n{script}\n{done.stdout}"
        return done.stdout


def test_the_page_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    with EmbeddedServer(tmp_path / "server") as server:
        server.site.folders.make_root("team")
        page = Page(tmp_path, server)
        mine = _project(tmp_path)
        (tmp_path / "colleague").mkdir()
        _from_the_beginning_to_a_merge(page, mine, tmp_path / "colleague")
        _afterwards(page, mine)
        monkeypatch.setenv("AIMDVC_API_KEY", server.admin_key or "")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "runner"))
        git(tmp_path, "clone", "-q", "project.git", "runner")
        assert "trained" in page.paste("ci", tmp_path / "runner")
        assert files_of(tmp_path / "runner").keys() == files_of(mine).keys()
    assert page.pasted == list(BLOCKS)


def _project(place: Path) -> Path:
    git(place, "init", "-q", "--bare", "-b", "main", "project.git")
    git(place, "clone", "-q", "project.git", "mine")
    mine = place / "mine"
    git(mine, "checkout", "-q", "-b", "main")
    (mine / "train.py").write_text('print("trained")\n')
    git(mine, "add", "-A")
    git(mine, "commit", "-q", "-m", "Code")
    git(mine, "push", "-q", "-u", "origin", "main")
    for path, content in (("data/images/harbour.raw", os.urandom(90_000)), ("models/net/weights", os.urandom(90_000))):
        (mine / path).parent.mkdir(parents=True)
        (mine / path).write_bytes(content)
    (mine / "data/images/labels.csv").write_text("name,when\n")
    return mine


def _from_the_beginning_to_a_merge(page: Page, mine: Path, place: Path) -> None:
    page.paste("begin", mine)
    told = page.paste("artifacts", mine)
    assert re.findall(r"^\?\? (\S+)$", told, re.MULTILINE) == [".aimdvc/", "aimdvc.lock", "data/", "models/"]
    page.paste("pin", mine)
    assert git(mine, "status", "--porcelain") == ""
    page.paste("push", mine)
    page.paste("colleague", place)
    theirs = place / "project"
    assert files_of(theirs) == files_of(mine)
    page.paste("change", theirs)
    assert re.search(r"^images: v1 → v2\? \(\w+\), ~1 file$", git(theirs, "log", "-1", "--format=%B"), re.MULTILINE)
    told = page.paste("review", mine)
    assert "~1 file" in told and "<code>images</code>" in told
    page.paste("merge", mine)
    assert files_of(mine) == files_of(theirs)
    _both_go_on(mine, theirs)
    page.paste("conflict", theirs)
    git(mine, "pull", "-q", "origin", "relabel")
    assert files_of(mine) == files_of(theirs)
    assert (mine / "data/images/park.raw").exists()
    assert (mine / "data/images/harbour.raw").read_bytes() == b"data/images/harbour.raw"


def _both_go_on(mine: Path, theirs: Path) -> None:
    """Makes a version on either side, as the page says, and shares mine."""
    for here, path in ((mine, "data/images/harbour.raw"), (theirs, "data/images/park.raw")):
        (here / path).write_bytes(path.encode())
        shell = Shell(here)
        shell.commit("data/images", path)
        git(here, "commit", "-qam", path)
    Shell(mine)("push")
    git(mine, "push", "-q")


def _afterwards(page: Page, mine: Path) -> None:
    page.paste("travel", mine)
    page.paste("bisect", mine)
    page.paste("keep-up", mine)
