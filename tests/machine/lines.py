"""Rules of lines of versions: branches, checkouts, merges and reverts."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.machine.model import PART, Content, merged, named, put, with_theirs
from tests.machine.sides import FAVOR, NAMES, SIDES, Sides
from tests.shell import Result


class LineRules(Sides):
    """Each moves a side to another version, or makes one of two."""

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

    @rule(number=SIDES, data=st.data())
    def go_with_changes(self, number: int, data: st.DataObject) -> None:
        """What is changed and the same in both versions is kept; a change that would be lost stops it."""
        side, shell = self.both(number)
        commit = data.draw(st.sampled_from(self.ordered(side.known)))
        here, there = self.versions.content[side.head], self.versions.content[commit]
        moved = {path for path in here.keys() | there.keys() if here.get(path) != there.get(path)}
        done = shell("checkout", f"@{commit}", code=-1)
        assert done.code in (0, 1), done.err
        if done.code:
            return
        index, files, disk = side.index, side.files, side.on_disk(side.index | there)
        lost = {
            path
            for path in moved & disk.keys() | moved & files.keys()
            if files.get(path) not in (None, side.on_disk(here).get(path), side.on_disk(there).get(path))
        }
        assert not lost
        side.go_to(commit, there, "main" if side.branches["main"] == commit else None)
        for path in index.keys() | there.keys():
            if path not in moved:
                put(side.index, path, index.get(path))
        kept = {path: entry for path, entry in files.items() if path not in moved}
        gone = {path for path in side.files if path not in moved and path not in files}
        side.files = {path: entry for path, entry in side.files.items() if path not in gone} | kept

    @rule(number=SIDES, is_partial=st.booleans())
    def choose_part(self, number: int, is_partial: bool) -> None:
        side, shell = self.both(number)
        if self.is_clean(number) and is_partial != side.is_partial:
            shell("checkout", "data", *(["--exclude", PART] if is_partial else ["--all"]))
            side.is_partial = is_partial
            side.files = side.on_disk(side.index)

    @rule(number=SIDES, data=st.data(), favor=FAVOR, is_at_once=st.booleans())
    def merge(self, number: int, data: st.DataObject, favor: str, is_at_once: bool) -> None:
        side = self.sides[number]
        if side.branch is not None and self.is_clean(number):
            name = data.draw(st.sampled_from(sorted(side.branches)))
            self.bring_in(number, ["merge", name], side.branches[name], favor, is_at_once)

    @rule(number=SIDES, data=st.data(), favor=FAVOR)
    def revert(self, number: int, data: st.DataObject, favor: str) -> None:
        side, shell = self.both(number)
        single = [one for one in self.versions.reach([side.head]) if len(self.versions.parents[one]) == 1]
        if side.branch is None or not single or not self.is_clean(number):
            return
        commit = data.draw(st.sampled_from(self.ordered(single)))
        ours, parent = self.versions.content[side.head], self.versions.content[self.versions.parents[commit][0]]
        content, conflicts = merged(ours, parent, self.versions.content[commit])
        done = shell("revert", f"@{commit}", code=1 if conflicts else 0)
        self.settle(number, done, content, parent, conflicts, favor)

    def bring_in(self, number: int, command: list[str], theirs: str, favor: str, is_at_once: bool) -> None:
        """Merges: content by path, whatever the commit is; `favor` settles the conflicts that stop it, or undoes it.

        `is_at_once` gives the side with the command, so that no conflict stops it.
        """
        side, shell = self.both(number)
        ours = self.versions.content[side.head]
        bases = self.versions.bases(side.head, theirs)
        if len(bases) != 1:
            return
        content, conflicts = merged(ours, self.versions.content[theirs], self.versions.content[bases[0]])
        if is_at_once and favor != "--abort":
            shell(*command, favor)
            if favor == "--theirs":
                content = with_theirs(content, self.versions.content[theirs], conflicts)
            side.go_to(self.made(number, content), content, side.branch)
            return
        done = shell(*command, code=1 if conflicts else 0)
        self.settle(number, done, content, self.versions.content[theirs], conflicts, favor)

    def settle(
        self, number: int, done: Result, content: Content, theirs: Content, conflicts: list[str], favor: str
    ) -> None:
        side, shell = self.both(number)
        if conflicts:
            state = shell("status", "--json").json["artifacts"][0]
            assert {one["path"] for one in state["merging"]["conflicts"]} == named(conflicts), done.err
            shell("merge", favor)
            if favor == "--abort":
                return
            if favor == "--theirs":
                content = with_theirs(content, theirs, conflicts)
            shell("commit", "-m", "settled")
        side.go_to(self.made(number, content), content, side.branch)
