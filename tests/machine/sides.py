"""What all rules stand on: two sides and a server, how they begin, and what is said of a side."""

import os
from collections.abc import Iterable
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from aimdvc.server.embedded import EmbeddedServer
from tests.machine.clock import Clock
from tests.machine.model import Content, Remote, Side, Versions
from tests.shell import Shell

PATHS = ["a", "b c", "-dash", "umläut", "new\nline", os.fsdecode(b"raw\xff"), "d/x", "d/e/y", "notes.md", "run.sh"]
PATHS += ["t", "t/x", "t/x/y"]  # A file at one time, a directory at another.
CONTENTS = [b"", b"one\n", b"two\n", b"three\r\n\0", b"large" * 20_000]
NAMES = ["topic", "other"]
SIDES = st.integers(0, 1)
CHOICE = st.integers(0, len(CONTENTS) - 1)
FAVOR = st.sampled_from(["--ours", "--theirs", "--abort"])


class Sides(RuleBasedStateMachine):
    """Two workspaces of one artifact, a server, and what the model says of them."""

    server: EmbeddedServer
    root: Path
    clock: Clock
    count = 0

    def __init__(self) -> None:
        super().__init__()
        Sides.count += 1
        self.clock.restart()
        self.name = f"set{Sides.count}"
        self.place = self.root / self.name
        self.place.mkdir()
        self.versions = Versions()
        self.remote = Remote()
        self.sides: list[Side] = []
        self.shells: list[Shell] = []
        self.steps = 0

    @initialize()
    def begin(self) -> None:
        """One version, pushed by one side and cloned by the other."""
        first = Shell(self.place / "0" / "data")
        first.here.mkdir(parents=True)
        workspace = Shell(self.place / "0")
        workspace("init")
        first.write("a", b"one\n")
        commit = workspace.commit("data", "begin")
        self.name = f"{self.name}/data"
        workspace("remote", "add", "origin", self.server.url + "/" + self.name.partition("/")[0])
        workspace("push")
        Shell(self.place)("clone", f"{self.server.url}/{self.name}", "1")
        content: Content = {"a": (b"one\n", False)}
        self.versions.content[commit] = content
        self.versions.parents[commit] = ()
        self.remote.branches["main"] = commit
        self.remote.numbered.append(commit)
        self.shells = [first, Shell(self.place / "1")]
        for _ in self.shells:
            side = Side()
            side.go_to(commit, content, "main")
            side.follow(self.remote, {commit})
            self.sides.append(side)

    def is_clean(self, number: int) -> bool:
        side = self.sides[number]
        return side.index == self.versions.content[side.head] and side.files == side.on_disk(side.index)

    def both(self, number: int) -> tuple[Side, Shell]:
        return self.sides[number], self.shells[number]

    def made(self, number: int, content: Content) -> str:
        """Notes the commit that a side is at now, with its parents; its content is what the model says."""
        shell = self.shells[number]
        found = shell("log", "-n", "1", "--json").json["versions"][0]["commit"]
        if found["id"] not in self.versions.content:
            self.versions.content[found["id"]] = dict(content)
            self.versions.parents[found["id"]] = tuple(found["parents"])
        assert self.versions.content[found["id"]] == content
        return str(found["id"])

    def ordered(self, commits: Iterable[str]) -> list[str]:
        """Returns commits in the order in which they were made."""
        number = {commit: place for place, commit in enumerate(self.versions.content)}
        return sorted(commits, key=number.__getitem__)
