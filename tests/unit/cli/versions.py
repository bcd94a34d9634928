"""A workspace to type commands in."""

from tests.shell import Shell


def with_versions(shell: Shell) -> Shell:
    """Returns the shell, with an artifact `scenes` at data/images that has two versions."""
    shell.write("data/images/a", "1\n")
    shell.write("data/images/train/b", "1\n")
    shell("add", "data/images", "-n", "scenes")
    shell("commit", "-m", "First")
    shell.write("data/images/a", "2\n")
    shell.commit("data/images", "Second")
    return shell
