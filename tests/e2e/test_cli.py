"""The command line itself: what may be typed, what is printed, and how it ends."""

import pytest

from tests.shell import Shell, files_of


@pytest.fixture
def versions(shell: Shell) -> Shell:
    """A workspace whose artifact `scenes`, at data/images, has two versions."""
    shell.write("data/images/a", "1\n")
    shell.write("data/images/train/b", "1\n")
    shell("add", "data/images", "-n", "scenes")
    shell("commit", "-m", "First")
    shell.write("data/images/a", "2\n")
    shell.commit("data/images", "Second")
    return shell


WITH_PATH = [
    ("reset", "--hard", "scenes:a"),
    ("reset", "scenes@HEAD~1:a"),
    ("checkout", "-f", "scenes@HEAD~1:a"),
    ("show", "scenes:a"),
    ("log", "scenes:a"),
    ("diff", "scenes@HEAD~1:a"),
    ("diff", "scenes@HEAD~1", "scenes:a"),
    ("alias", "set", "scenes:a", "best"),
    ("meta", "get", "scenes:a"),
    ("meta", "set", "scenes:a", "type", "x"),
    ("track", "*.csv", "-n", "scenes:a"),
]


@pytest.mark.parametrize("arguments", WITH_PATH, ids=" ".join)
def test_a_path_in_a_selector_is_refused_where_none_is_taken(versions: Shell, arguments: tuple[str, ...]) -> None:
    versions.write("data/images/train/b", "changed\n")
    before = files_of(versions.here)
    done = versions(*arguments, "--json", code=2)
    assert done.json["message"].endswith(":a': expected no path")
    assert done.json["hint"]
    assert files_of(versions.here) == before


def test_the_hint_for_a_path_says_what_to_type_instead(versions: Shell) -> None:
    assert versions("show", "scenes:a", "--json", code=2).json["hint"] == "run `aimdvc cat NAME@REV:PATH`"
    assert versions("log", "scenes:a", "--json", code=2).json["hint"] == "paths come after `--`"
    assert versions("cat", "scenes@HEAD~1:a").out == "1\n"
