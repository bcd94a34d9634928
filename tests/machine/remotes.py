"""Rules of the remote: aliases, fetch, push, pull, clones of a part and of the newest versions."""

import shutil

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.machine.lines import LineRules
from tests.machine.model import PART, REFERENCE, Content, Side, merged, on_disk, put
from tests.machine.sides import CHOICE, CONTENTS, FAVOR, SIDES
from tests.shell import Shell


class RemoteRules(LineRules):
    """Each speaks with the server, or names what it is to be told."""

    @rule(number=SIDES, alias=st.sampled_from(["best", "production"]), data=st.data())
    def set_alias(self, number: int, alias: str, data: st.DataObject) -> None:
        side, shell = self.both(number)
        commit = data.draw(st.sampled_from(self.ordered(side.known)))
        shell("alias", "set", f"@{commit}", alias)
        if side.aliases.get(alias) != commit:
            side.bases[alias] = side.seen.aliases.get(alias)
        side.aliases[alias] = commit

    @rule(number=SIDES, alias=st.sampled_from(["best", "production"]))
    def delete_alias(self, number: int, alias: str) -> None:
        side, shell = self.both(number)
        if alias in side.aliases:
            shell("alias", "delete", "data", alias)
            side.bases[alias] = side.seen.aliases.get(alias)
            del side.aliases[alias]

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
            for alias in sorted(side.aliases.keys() | side.seen.aliases.keys())
            if side.aliases.get(alias) not in (self.remote.aliases.get(alias), side.seen.aliases.get(alias))
        ]
        is_lost = is_lost or any(self.remote.aliases.get(alias) != side.bases.get(alias) for alias in moved)
        shell("push", code=5 if is_lost else 0)
        if is_lost:
            return
        if there is None or self.versions.is_ancestor(there, ours):
            self.remote.branches[branch] = ours
            if branch == "main":
                self.remote.numbered += self.versions.line(there, ours)
        for alias in moved:
            put(self.remote.aliases, alias, side.aliases.get(alias))
        self.after_push(side)

    def after_push(self, side: Side) -> None:
        """A push notes what the remote has, as far as its commits are here."""
        for branch, commit in self.remote.branches.items():
            if commit in side.known:
                side.seen.branches[branch] = commit
        for alias in self.remote.aliases.keys() | side.seen.aliases.keys():
            there = self.remote.aliases.get(alias)
            before, here = side.seen.aliases.get(alias), side.aliases.get(alias)
            if there is None or there in side.known:
                if here != there and here == before:
                    put(side.aliases, alias, there)
                put(side.seen.aliases, alias, there)

    @rule(number=SIDES, favor=FAVOR, is_at_once=st.booleans())
    def pull(self, number: int, favor: str, is_at_once: bool) -> None:
        side, shell = self.both(number)
        if not self.is_clean(number):
            return
        self.fetch(number)
        theirs = side.seen.branches.get(side.branch or "")
        if theirs is None:
            shell("pull")
        else:
            self.bring_in(number, ["pull"], theirs, favor, is_at_once)

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
        found = {
            one["path"]: (shell("cat", f"data@{commit}:{one['path']}").raw, one["mode"] == "100755")
            for one in listed
            if one["mode"] != "reference"
        }
        references = shell("ref", "list", f"data@{commit}", "--json").json["references"]
        return found | {REFERENCE + one["key"]: (one["uri"].encode(), False) for one in references}

    @rule(depth=st.integers(1, 3), is_partial=st.booleans(), which=CHOICE)
    def clone_the_newest(self, depth: int, is_partial: bool, which: int) -> None:
        """A third workspace has the newest versions only, adds one, and gets the others later."""
        options = ["--depth", str(depth), *(["--exclude", PART] if is_partial else [])]
        Shell(self.place)("clone", f"{self.server.url}/{self.name}", "third", *options)
        shell, side, tip = Shell(self.place / "third"), Side(is_partial=is_partial), self.remote.branches["main"]
        side.go_to(tip, self.versions.content[tip], "main")
        assert on_disk(shell.here) == side.files
        content = {**side.index, "from third": (CONTENTS[which], False)}
        shell.write("from third", CONTENTS[which])
        shell("add", "from third")
        if content != side.index:
            shell("commit", "-m", f"third {self.steps}")
            self.sides.append(side)
            self.shells.append(shell)
            self.remote.branches["main"] = self.made(2, content)
            self.remote.numbered += self.versions.line(tip, self.remote.branches["main"])
            self.sides.pop()
            self.shells.pop()
            shell("push")
        shell("fetch", "--unshallow")
        whole = {one["commit"]["id"] for one in shell("log", "--json").json["versions"]}
        assert whole == self.versions.reach([self.remote.branches["main"]])
        assert shell("fsck", code=-1).code == 0
        shutil.rmtree(shell.here)

    @rule(number=SIDES)
    def tidy_up(self, number: int) -> None:
        _, shell = self.both(number)
        shell("maintenance")
        shell("prune", "--expire", "0")
        assert shell("fsck", code=-1).code == 0
