"""Two lines of versions: what the tests of merging and reverting begin with, and how they look at what came of it."""

from pathlib import Path

from tests.shell import Shell, files_of, git

BASE = {"a.txt": "a\n", "b.txt": "b\n", "c.md": "c\n", "dir/d": "d\n"}


def write_all(shell: Shell, files: dict[str, str | None]) -> None:
    for path, content in files.items():
        if content is None:
            (shell.here / "data" / path).unlink()
        else:
            shell.write(f"data/{path}", content)


def two_lines(shell: Shell, ours: dict[str, str | None], theirs: dict[str, str | None]) -> Shell:
    """Makes main and `topic`, each with changes of its own since the first version; main is current."""
    write_all(shell, dict(BASE))
    shell.commit("data", "base")
    shell("switch", "-c", "topic")
    write_all(shell, theirs)
    shell.commit("data", "theirs")
    shell("switch", "main")
    write_all(shell, ours)
    shell.commit("data", "ours")
    return shell


def conflicting(shell: Shell) -> Shell:
    return two_lines(
        shell,
        {"a.txt": "ours a\n", "b.txt": None, "mine": "m\n"},
        {"a.txt": "theirs a\n", "b.txt": "theirs b\n", "c.md": "theirs c\n", "dir/d": None, "new/n": "n\n"},
    )


def repository(shell: Shell) -> Path:
    return shell.here / ".aimdvc/repos/data.git"


def in_git(shell: Shell, *arguments: str) -> str:
    return git(shell.here, "--git-dir", str(repository(shell)), *arguments).strip()


def data(shell: Shell) -> dict[str, bytes]:
    return files_of(shell.here / "data")


def conflicts(shell: Shell) -> list[str]:
    merging = shell("status", "--json").json["artifacts"][0]["merging"]
    return [conflict["path"] for conflict in merging["conflicts"]]
