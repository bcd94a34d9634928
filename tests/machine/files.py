"""Rules of files and index: what a user does to files, and the verbs that know no other version than HEAD."""

import shutil

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.machine.model import PART, REFERENCE, above, below
from tests.machine.sides import CONTENTS, PATHS, SIDES, Sides

DIRECTORIES = ["d", "d/e", "t", "t/x", "e f"]
KEYS = ["raw/all.tar", "raw/umläut", "other"]


class FileRules(Sides):
    """Each does one thing to the files or the index of a side."""

    @rule(
        number=SIDES, path=st.sampled_from(PATHS), which=st.integers(0, len(CONTENTS) - 1), is_executable=st.booleans()
    )
    def write(self, number: int, path: str, which: int, is_executable: bool) -> None:
        side, shell = self.both(number)
        content = CONTENTS[which]
        if side.is_partial and path.startswith(PART):
            return
        for other in above(path, side.files):
            (shell.here / other).unlink()
            del side.files[other]
        for other in below(path, side.files):
            del side.files[other]
        if (shell.here / path).is_dir():
            shutil.rmtree(shell.here / path)
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
        absent = {path: entry for path, entry in side.index.items() if path not in side.on_disk(side.index)}
        side.index = absent | side.files

    @rule(number=SIDES, data=st.data())
    def restore(self, number: int, data: st.DataObject) -> None:
        side, shell = self.both(number)
        wanted = sorted(side.on_disk(side.index))
        if wanted:
            path = data.draw(st.sampled_from(wanted))
            is_in_the_way = bool(above(path, side.files) or below(path, side.files))
            done = shell("restore", "--", path, code=-1)
            assert (done.code in (1, 4)) if is_in_the_way else done.code == 0, done.err
            if not is_in_the_way:
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
        if (shell.here / to).is_dir() or above(to, [*side.files, *side.index]) or below(to, side.index):
            return
        path = data.draw(st.sampled_from(sorted(sure)))
        (shell.here / to).parent.mkdir(parents=True, exist_ok=True)
        shell("mv", "--", path, to)
        side.files[to] = side.files.pop(path)
        side.index[to] = side.index.pop(path)

    @rule(number=SIDES, source=st.sampled_from(DIRECTORIES), to=st.sampled_from(DIRECTORIES))
    def move_directory(self, number: int, source: str, to: str) -> None:
        side, shell = self.both(number)
        if side.is_partial or not below(source, side.files) or not below(source, side.index):
            return
        for content in (side.files, side.index):
            if to == source or to.startswith(f"{source}/") or to in content or below(to, content):
                return
        if (shell.here / to).is_dir():
            shutil.rmtree(shell.here / to)
        shell("mv", "--", source, to)
        for content in (side.files, side.index):
            for path in below(source, content):
                content[to + path.removeprefix(source)] = content.pop(path)

    @rule(number=SIDES, path=st.sampled_from(DIRECTORIES))
    def remove_directory(self, number: int, path: str) -> None:
        side, shell = self.both(number)
        at_head, tracked = self.versions.content[side.head], below(path, side.index)
        if tracked and all(side.files.get(one) == side.index[one] == at_head.get(one) for one in tracked):
            shell("rm", "-r", "--", path)
            for one in tracked:
                del side.files[one], side.index[one]

    @rule(number=SIDES, key=st.sampled_from(KEYS), which=st.integers(0, 2))
    def set_reference(self, number: int, key: str, which: int) -> None:
        side, shell = self.both(number)
        uri = f"s3://bucket/{which}"
        shell("ref", "add", uri, f"data:{key}")
        side.index[REFERENCE + key] = uri.encode(), False

    @rule(number=SIDES, key=st.sampled_from(KEYS))
    def remove_reference(self, number: int, key: str) -> None:
        side, shell = self.both(number)
        done = shell("ref", "rm", f"data:{key}", code=-1)
        assert (done.code == 0) == (REFERENCE + key in side.index), done.err
        side.index.pop(REFERENCE + key, None)

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
