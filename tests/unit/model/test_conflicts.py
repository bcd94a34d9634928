"""Files in Git's config syntax that a merge left unsettled: the error says what to do."""

import pytest

from aimdvc.errors import ConfigSyntaxError
from aimdvc.model.gitconfig import parse
from aimdvc.model.lock import parse_lock

HEADER = b'[artifact "a"]\n'
COMMITS = b"\tcommit = " + b"1" * 40 + b"\n", b"\tcommit = " + b"2" * 40 + b"\n"
SETTLE = "settle the merge conflict: see `aimdvc help lock`"
UNSETTLED = {
    "two sides": HEADER + b"<<<<<<< HEAD\n" + COMMITS[0] + b"=======\n" + COMMITS[1] + b">>>>>>> other\n",
    "with the base": HEADER + b"||||||| base\n" + COMMITS[0],
    "marks removed": HEADER + COMMITS[0] + COMMITS[1] + b"\tpath = a\n",
    "both sections": (HEADER + COMMITS[0] + b"\tpath = a\n") * 2,
}


@pytest.mark.parametrize("kind", UNSETTLED)
def test_an_unsettled_merge_of_the_lock_says_how_to_settle_it(kind: str) -> None:
    with pytest.raises(ConfigSyntaxError) as caught:
        parse_lock(UNSETTLED[kind])
    assert caught.value.hint == SETTLE


def test_an_unsettled_merge_of_the_settings_is_named_with_its_line() -> None:
    with pytest.raises(ConfigSyntaxError) as caught:
        parse(b"[core]\n<<<<<<< HEAD\n", ".aimdvc/config")
    assert caught.value.message == ".aimdvc/config, line 2: a merge conflict is not settled"
    assert caught.value.hint == "keep one of the two sides of the conflict"
