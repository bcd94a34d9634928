"""The rules: each does one command on one of two sides, and says what must come of it."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from hypothesis import strategies as st
from hypothesis import target
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aimdvc.server.embedded import EmbeddedServer
from tests.machine.clock import Clock
from tests.machine.model import PART, Content, Remote, Side, Versions, changed, merged, on_disk
from tests.shell import Result, Shell, git

PATHS = ["a", "b c", "-dash", "umläut", "new\nline", os.fsdecode(b"raw\xff"), "d/x", "d/e/y", "notes.md", "run.sh"]
CONTENTS = [b"", b"one\n", b"two\n", b"three\r\n\0", b"large" * 20_000]
NAMES = ["topic", "other"]
SIDES = st.integers(0, 1)
CHOICE = st.integers(0, len(CONTENTS) - 1)


class Machine(RuleBasedStateMachine):
    """The rules; each does one command on one side and says what must come of it."""

    server: EmbeddedServer
    root: Path
    clock: Clock
    count = 0

    def __init__(self) -> None:
        super().__init__()
        Machine.count += 1
        self.clock.restart()
        self.name = f"set{Machine.count}"
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
        self.shells = [first, Shell(self.place / "1")]
        for _ in self.shells:
            side = Side()
            side.go_to(commit, content, "main")
            side.follow(self.remote, {commit})
            self.sides.append(side)

    # What is true of a side

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

    # Files and index

    @rule(
        number=SIDES, path=st.sampled_from(PATHS), which=st.integers(0, len(CONTENTS) - 1), is_executable=st.booleans()
    )
    def write(self, number: int, path: str, which: int, is_executable: bool) -> None:
        side, shell = self.both(number)
        content = CONTENTS[which]
        if side.is_partial and path.startswith(PART):
            return
        file = shell.write(path, content)
        file.chmod(0o755 if is_executable else 0o644)
        side.files[path] = content, is_executable

    @rule(number=SIDES, data=st.data())
    def delete(self, number: int, data: st.DataObject) -> None:
        side, shell = self.both(number)
        if side.files:
            path = data.draw(st.sampled_from(sorted(side.files)))
            (shell.here / path).unlink()
            del side.files[path]

    @rule(number=SIDES)
    def add(self, number: int) -> None:
        side, shell = self.both(number)
        shell("add", ".")
        side.index = {**{path: entry for path, entry in side.index.items() if path not in side.on_disk(side.index)}}
        side.index |= side.files

    @rule(number=SIDES, data=st.data())
    def restore(self, number: int, data: st.DataObject) -> None:
        side, shell = self.both(number)
        wanted = sorted(side.on_disk(side.index))
        if wanted:
            path = data.draw(st.sampled_from(wanted))
            shell("restore", "--", path)
            side.files[path] = side.index[path]

    @rule(number=SIDES)
    def unstage_all(self, number: int) -> None:
        side, shell = self.both(number)
        shell("reset")
        side.index = dict(self.versions.content[side.head])

    @rule(number=SIDES, data=st.data(), is_cached=st.booleans())
    def remove(self, number: int, data: st.DataObject, is_cached: bool) -> None:
        side, shell = self.both(number)
        at_head = self.versions.content[side.head]
        sure = [path for path, entry in side.files.items() if side.index.get(path) == entry == at_head.get(path)]
        if sure:
            path = data.draw(st.sampled_from(sorted(sure)))
            shell("rm", *(["--cached"] if is_cached else []), "--", path)
            del side.index[path]
            if not is_cached:
                del side.files[path]

    @rule(number=SIDES, data=st.data(), to=st.sampled_from(PATHS))
    def move(self, number: int, data: st.DataObject, to: str) -> None:
        side, shell = self.both(number)
        sure = [path for path, entry in side.files.items() if side.index.get(path) == entry]
        if not sure or to in side.files or to in side.index or (side.is_partial and to.startswith(PART)):
            return
        path = data.draw(st.sampled_from(sorted(sure)))
        (shell.here / to).parent.mkdir(parents=True, exist_ok=True)
        shell("mv", "--", path, to)
        side.files[to] = side.files.pop(path)
        side.index[to] = side.index.pop(path)

    @rule(number=SIDES)
    @precondition(lambda self: any(side.branch is not None for side in self.sides))
    def commit(self, number: int) -> None:
        side, shell = self.both(number)
        if side.branch is None or side.index == self.versions.content[side.head]:
            return
        before = dict(side.files)
        shell("commit", "-m", f"step {self.steps}")
        side.go_to(self.made(number, side.index), side.index, side.branch)
        side.files = before

    # Lines

    @rule(number=SIDES, name=st.sampled_from(NAMES))
    def switch(self, number: int, name: str) -> None:
        side, shell = self.both(number)
        if not self.is_clean(number):
            return
        tip = side.branches.get(name) or side.seen.branches.get(name)
        shell("switch", *(["-c"] if tip is None else []), name)
        side.go_to(tip or side.head, self.versions.content[tip or side.head], name)

    @rule(number=SIDES)
    def switch_to_main(self, number: int) -> None:
        side, shell = self.both(number)
        if self.is_clean(number):
            shell("switch", "main")
            side.go_to(side.branches["main"], self.versions.content[side.branches["main"]], "main")

    @rule(number=SIDES, data=st.data())
    def checkout(self, number: int, data: st.DataObject) -> None:
        side, shell = self.both(number)
        if self.is_clean(number):
            commit = data.draw(st.sampled_from(self.ordered(side.known)))
            shell("checkout", f"@{commit}")
            side.go_to(commit, self.versions.content[commit], "main" if side.branches["main"] == commit else None)

    @rule(number=SIDES, is_partial=st.booleans())
    def choose_part(self, number: int, is_partial: bool) -> None:
        side, shell = self.both(number)
        if self.is_clean(number) and is_partial != side.is_partial:
            shell("checkout", "data", *(["--exclude", PART] if is_partial else ["--all"]))
            side.is_partial = is_partial
            side.files = side.on_disk(side.index)

    @rule(number=SIDES, data=st.data(), favor=st.sampled_from(["--ours", "--theirs", "--abort"]))
    def merge(self, number: int, data: st.DataObject, favor: str) -> None:
        side = self.sides[number]
        if side.branch is not None and self.is_clean(number):
            name = data.draw(st.sampled_from(sorted(side.branches)))
            self.bring_in(number, ["merge", name], side.branches[name], favor)

    @rule(number=SIDES, data=st.data())
    def revert(self, number: int, data: st.DataObject) -> None:
        side, shell = self.both(number)
        single = [one for one in self.versions.reach([side.head]) if len(self.versions.parents[one]) == 1]
        if side.branch is None or not single or not self.is_clean(number):
            return
        commit = data.draw(st.sampled_from(self.ordered(single)))
        ours, parent = self.versions.content[side.head], self.versions.content[self.versions.parents[commit][0]]
        content, conflicts = merged(ours, parent, self.versions.content[commit])
        done = shell("revert", f"@{commit}", code=1 if conflicts else 0)
        self.settle(number, done, content, parent, conflicts, "--abort")

    def bring_in(self, number: int, command: list[str], theirs: str, favor: str) -> None:
        """Merges: content by path, whatever the commit is; `favor` settles the conflicts that stop it, or undoes it."""
        side, shell = self.both(number)
        ours = self.versions.content[side.head]
        bases = self.versions.bases(side.head, theirs)
        if len(bases) != 1:
            return
        content, conflicts = merged(ours, self.versions.content[theirs], self.versions.content[bases[0]])
        done = shell(*command, code=1 if conflicts else 0)
        self.settle(number, done, content, self.versions.content[theirs], conflicts, favor)

    def settle(
        self, number: int, done: Result, content: Content, theirs: Content, conflicts: list[str], favor: str
    ) -> None:
        side, shell = self.both(number)
        if conflicts:
            state = shell("status", "--json").json["artifacts"][0]
            assert sorted(state["merging"]["conflicts"]) == sorted(conflicts), done.err
            shell("merge", favor)
            if favor == "--abort":
                return
            if favor == "--theirs":
                content = {path: entry for path, entry in content.items() if path not in conflicts}
                content |= {path: theirs[path] for path in conflicts if path in theirs}
            shell("commit", "-m", "settled")
        side.go_to(self.made(number, content), content, side.branch)

    # The remote

    @rule(number=SIDES, alias=st.sampled_from(["best", "production"]), data=st.data())
    def set_alias(self, number: int, alias: str, data: st.DataObject) -> None:
        side, shell = self.both(number)
        commit = data.draw(st.sampled_from(self.ordered(side.known)))
        shell("alias", "set", f"@{commit}", alias)
        if side.aliases.get(alias) != commit:
            side.bases[alias] = side.seen.aliases.get(alias)
        side.aliases[alias] = commit

    @rule(number=SIDES)
    def fetch(self, number: int) -> None:
        side, shell = self.both(number)
        shell("fetch")
        side.follow(self.remote, self.versions.reach(self.remote.branches.values()))

    @rule(number=SIDES)
    def push(self, number: int) -> None:
        side, shell = self.both(number)
        branch = side.branch or "main"
        ours, there = side.branches[branch], self.remote.branches.get(branch)
        is_lost = there is not None and (
            there not in side.known
            or not (self.versions.is_ancestor(there, ours) or self.versions.is_ancestor(ours, there))
        )
        moved = [
            alias
            for alias in side.aliases
            if side.aliases[alias] not in (self.remote.aliases.get(alias), side.seen.aliases.get(alias))
        ]
        is_lost = is_lost or any(self.remote.aliases.get(alias) != side.bases.get(alias) for alias in moved)
        before = Remote(dict(self.remote.branches), dict(self.remote.aliases))
        shell("push", code=5 if is_lost else 0)
        if is_lost:
            assert self.remote == before
            return
        if there is None or self.versions.is_ancestor(there, ours):
            self.remote.branches[branch] = ours
        self.remote.aliases |= {alias: side.aliases[alias] for alias in moved}
        self.after_push(side)

    def after_push(self, side: Side) -> None:
        """A push notes what the remote has, as far as its commits are here."""
        for branch, commit in self.remote.branches.items():
            if commit in side.known:
                side.seen.branches[branch] = commit
        for alias, commit in self.remote.aliases.items():
            before, here = side.seen.aliases.get(alias), side.aliases.get(alias)
            if commit in side.known:
                if here != commit and here == before:
                    side.aliases[alias] = commit
                side.seen.aliases[alias] = commit

    @rule(number=SIDES, favor=st.sampled_from(["--ours", "--theirs", "--abort"]))
    def pull(self, number: int, favor: str) -> None:
        side, shell = self.both(number)
        if not self.is_clean(number):
            return
        self.fetch(number)
        theirs = side.seen.branches.get(side.branch or "")
        if theirs is None:
            shell("pull")
        else:
            self.bring_in(number, ["pull"], theirs, favor)

    @rule(number=SIDES)
    def pull_rebase(self, number: int) -> None:
        side, shell = self.both(number)
        theirs = self.remote.branches.get(side.branch or "")
        if theirs is None or not self.is_clean(number):
            return
        self.fetch(number)
        done = shell("pull", "--rebase", code=-1)
        assert done.code in (0, 1), done.err
        if done.code == 1:
            return
        local = self.versions.reach([side.head]) - self.versions.reach([theirs])
        content = self.versions.content[theirs] if local or self.versions.is_ancestor(side.head, theirs) else None
        if content is None or not local:
            content = self.versions.content[theirs if self.versions.is_ancestor(side.head, theirs) else side.head]
        for commit in sorted(local, key=lambda one: len(self.versions.reach([one]))):
            before = self.versions.content[self.versions.parents[commit][0]]
            content, conflicts = merged(content, self.versions.content[commit], before)
            assert not conflicts
        found = shell("log", "--json").json["versions"]
        for one in reversed(found):
            if one["commit"]["id"] not in self.versions.content:
                self.versions.parents[one["commit"]["id"]] = tuple(one["commit"]["parents"])
                self.versions.content[one["commit"]["id"]] = self.tree_of(number, one["commit"]["id"])
        side.known |= {one["commit"]["id"] for one in found}
        side.go_to(self.made(number, content), content, side.branch)

    def tree_of(self, number: int, commit: str) -> Content:
        """Returns a version's content as it is stored: of those between, which nobody checks out."""
        _, shell = self.both(number)
        listed = shell("ls", f"@{commit}", "--json").json["entries"]
        return {
            one["path"]: (shell("cat", f"data@{commit}:{one['path']}").raw, one["mode"] == "100755") for one in listed
        }

    @rule(number=SIDES)
    def tidy_up(self, number: int) -> None:
        _, shell = self.both(number)
        shell("maintenance")
        shell("prune", "--expire", "0")
        assert shell("fsck", code=-1).code == 0

    # What always holds

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
        git(place, "lfs", "fetch", "--all")
        for commit in set(wanted.values()):
            git(place, "checkout", "-q", "-f", commit)
            git(place, "lfs", "checkout")
            found = {
                path: entry for path, entry in on_disk(place).items() if not path.startswith((".aimd/", ".gitattr"))
            }
            assert found == self.versions.content[commit]
            assert git(place, "status", "--porcelain") == ""
        for side, shell in zip(self.sides, self.shells, strict=True):
            assert side.head and shell("fsck", code=-1).code == 0
        target(float(len(self.versions.content)))
        shutil.rmtree(self.place)
