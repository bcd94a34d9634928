"""The whole machine: all rules, what holds after each, and stock Git and git-lfs as judges at the end."""

import shutil
from urllib.parse import unquote

from hypothesis import target
from hypothesis.stateful import invariant

from tests.machine.files import FileRules
from tests.machine.model import LIST, changed, files_in, on_disk, references_in
from tests.machine.remotes import RemoteRules
from tests.shell import git


class Machine(FileRules, RemoteRules):
    """Two sides and a server, driven at random."""

    @invariant()
    def each_side_is_as_the_model_says(self) -> None:
        for number, side in enumerate(self.sides):
            shell = self.shells[number]
            assert on_disk(shell.here) == side.files
            state = shell("status", "--json").json["artifacts"][0]
            assert state["commit"] == side.head
            assert state["branch"] == (f"refs/heads/{side.branch}" if side.branch else None)
            assert state["merging"] is None
            at_head = self.versions.content[side.head]
            assert {one["path"] for one in state["staged"]} == changed(at_head, side.index)
            wanted = side.on_disk(side.index)
            assert {one["path"] for one in state["unstaged"]} == {
                path for path in changed(wanted, side.files) if path in wanted
            }
            assert set(state["untracked"]) == side.files.keys() - wanted.keys()
            references = shell("ref", "list", "--json").json["references"]
            assert {one["key"]: one["uri"] for one in references} == references_in(side.index)
            found = shell("alias", "list", "--json").json["aliases"]
            assert {one["alias"]: one["commit"] for one in found} == side.aliases
        self.steps += 1

    def teardown(self) -> None:
        """Stock Git and git-lfs get from the server what the model says, of the tip and of every branch and alias."""
        if not self.sides:
            return
        address = f"{self.server.url}/{self.name}".replace("://", f"://u:{self.server.admin_key}@")
        place = self.place / "stock"
        git(self.place, "-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=false", "clone", "-q", address, "stock")
        git(place, "lfs", "install", "--local")
        git(place, "fetch", "-q", "origin", "+refs/aliases/*:refs/aliases/*")
        git(place, "fsck", "--strict")
        wanted = {f"origin/{name}": commit for name, commit in self.remote.branches.items()}
        wanted |= {f"refs/aliases/{name}": commit for name, commit in self.remote.aliases.items()}
        for ref, commit in wanted.items():
            assert git(place, "rev-parse", ref).strip() == commit
        tags = [line.split() for line in git(place, "ls-remote", "--tags", "origin").splitlines()]
        numbered = {f"refs/tags/v{number}": commit for number, commit in enumerate(self.remote.numbered, 1)}
        assert {ref: commit for commit, ref in tags} == numbered
        git(place, "lfs", "fetch", "--all")
        for commit in self.ordered({*wanted.values(), *self.remote.numbered[-5:]}):
            git(place, "checkout", "-q", "-f", commit)
            git(place, "lfs", "checkout")
            found = {
                path: entry for path, entry in on_disk(place).items() if not path.startswith((".aimd/", ".gitattr"))
            }
            assert found == files_in(self.versions.content[commit])
            listed = place / LIST
            lines = [line.split(" ") for line in listed.read_text().splitlines()] if listed.exists() else []
            assert {unquote(line[0]): line[1] for line in lines} == references_in(self.versions.content[commit])
            assert git(place, "status", "--porcelain") == ""
        for side, shell in zip(self.sides, self.shells, strict=True):
            assert side.head and shell("fsck", code=-1).code == 0
        target(float(len(self.versions.content)))
        shutil.rmtree(self.place)
