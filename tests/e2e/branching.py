"""Two versions and a branch: what the tests of branches, here and on a remote, begin with."""

from pathlib import Path

from tests.shell import Shell, git


def with_topic(shell: Shell) -> Shell:
    """Makes two versions in the workspace, and a branch `topic` at the first."""
    shell.write("data/a", "one\n")
    shell.commit("data", "one")
    shell("branch", "topic")
    shell.write("data/a", "two\n")
    shell.write("data/b", "b\n")
    shell.commit("data", "two")
    return shell


def in_git(shell: Shell, *arguments: str, name: str = "data") -> str:
    return git(shell.here, "--git-dir", str(shell.here / f".aimdvc/repos/{name}.git"), *arguments).strip()


def names(shell: Shell, *options: str) -> list[str]:
    found = shell("branch", "--json", *options).json["artifacts"][0]["branches"]
    return [line["branch"] for line in found]


def current(shell: Shell) -> str | None:
    found = [
        line["branch"] for line in shell("branch", "--json").json["artifacts"][0]["branches"] if line["is_current"]
    ]
    return found[0] if found else None


def clone(tmp_path: Path, address: str, name: str = "clone") -> Shell:
    Shell(tmp_path)("clone", address, name)
    return Shell(tmp_path / name)
