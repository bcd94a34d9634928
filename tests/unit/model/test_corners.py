"""The corners of the formats, one by one: what each rule refuses, and in which words."""

import re
from collections.abc import Callable

import pytest

from aimdvc.errors import (
    AimdvcError,
    ConfigSyntaxError,
    CorruptRepository,
    InvalidName,
    InvalidSelector,
    MalformedPointer,
    UnsafePath,
    UsageError,
)
from aimdvc.model.attributes import Attributes
from aimdvc.model.changes import with_renames
from aimdvc.model.entries import Entry, Mode
from aimdvc.model.gitconfig import parse
from aimdvc.model.lock import parse_lock
from aimdvc.model.merge import merge_entries
from aimdvc.model.metadata import parse_metadata
from aimdvc.model.names import check_alias_name, check_artifact_name, check_remote_name
from aimdvc.model.oid import GitId, Oid, parse_oid
from aimdvc.model.paths import check_entry_path, check_workspace_path
from aimdvc.model.pointer import Pointer, encode_pointer, parse_pointer
from aimdvc.model.selector import is_revision, parse_revision, split_url_selector
from aimdvc.model.settings import parse_local_settings, parse_settings
from aimdvc.model.wildmatch import NEVER, translate

COMMIT = "\tcommit = " + "1" * 40 + "\n"


def lock(text: str) -> Callable[[], object]:
    return lambda: parse_lock(text.encode())


REFUSED: list[tuple[Callable[[], object], type[AimdvcError], str]] = [
    (lock("[core]\n\tx = 1\n"), ConfigSyntaxError, "unknown section '[core]'"),
    (lock(f'[artifact "a"]\n{COMMIT}\tpath = a\n[artifact "A"]\n'), ConfigSyntaxError, "'A' stands twice"),
    (lock(f'[artifact "a"]\n{COMMIT}{COMMIT}\tpath = a\n'), ConfigSyntaxError, "has a key twice"),
    (lock('[artifact "a"]\n\tcommit = 12\n\tpath = a\n'), ConfigSyntaxError, "commit is '12', expected 40 hex digits"),
    (lock(f'[artifact "a"]\n{COMMIT}'), UnsafePath, "is empty"),
    (lock(f'[artifact "a"]\n{COMMIT}\tsource = origin\n\tpath = a\n'), UnsafePath, "the form is REMOTE/PATH"),
    (lock(f'[artifact "a"]\n{COMMIT}\tsource = origin/../x\n\tpath = a\n'), UnsafePath, "the form is REMOTE/PATH"),
    (
        lock(f'[artifact "a"]\n{COMMIT}\tpath = x\n[artifact "b"]\n{COMMIT}\tpath = x/y\n'),
        UnsafePath,
        "the path of 'b' lies inside another artifact's",
    ),
    (
        lock(f'[artifact "a"]\n{COMMIT}\tpath = .\n[artifact "b"]\n{COMMIT}\tpath = y\n'),
        UnsafePath,
        "the path of 'b' lies inside another artifact's",
    ),
    (lambda: parse_metadata(b"[]"), CorruptRepository, "is not a JSON object"),
    (lambda: parse_metadata(b'{"type": 1}'), CorruptRepository, "has a value of the wrong type"),
    (lambda: parse_metadata(b'{"labels": [1]}'), CorruptRepository, "has labels that are no list of texts"),
    (lambda: parse_metadata(b"{"), CorruptRepository, "is not JSON"),
    (lambda: check_artifact_name("a..b"), InvalidName, "a name that every system can hold"),
    (lambda: check_artifact_name("con.x"), InvalidName, "a name that every system can hold"),
    (lambda: check_remote_name("a/b"), InvalidName, "remote name 'a/b'"),
    (lambda: check_remote_name("a.lock"), InvalidName, "remote name 'a.lock'"),
    (lambda: check_alias_name("feature", {"feature"}), InvalidName, "a name that no branch has"),
    (lambda: check_alias_name("abcd12"), InvalidName, "doesn't look like a commit"),
    (lambda: parse_oid("A" * 64), MalformedPointer, "expected 64 lower-case hex digits"),
    (lambda: parse_pointer(b"x"), MalformedPointer, "is not a canonical Git LFS pointer"),
    (lambda: check_entry_path("é/" * 3000), UnsafePath, "is longer than 4096 characters"),
    (lambda: check_entry_path("é" * 200), UnsafePath, "more than 255 bytes"),
    (lambda: check_entry_path("plain/" * 1000), UnsafePath, "is longer than 4096 characters"),
    (lambda: check_entry_path("a/" + "b" * 256), UnsafePath, "more than 255 bytes"),
    (lambda: check_entry_path("Aimdvc.Lock"), UnsafePath, "a name that aimdvc keeps for itself"),
    (lambda: check_entry_path("aimdvc.lock/é"), UnsafePath, "a name that aimdvc keeps for itself"),
    (lambda: check_entry_path("a/.\u200c."), UnsafePath, "as '..'"),
    (lambda: check_workspace_path(".."), UnsafePath, "has a component '..'"),
    (lambda: parse_revision("main~100001"), InvalidSelector, "more than 100,000 steps"),
    (lambda: parse_revision("main~1x"), InvalidSelector, "'x' is no step"),
    (lambda: split_url_selector("https://h/a@"), InvalidSelector, "no revision after '@'"),
    (
        lambda: parse_local_settings([parse(b"[core]\n\tlink = move\n", "x")]),
        UsageError,
        "expected reflink, hardlink or copy",
    ),
    (lambda: parse_settings(parse(b'[remote "-"]\n\turl = x\n', "x")), InvalidName, "remote name '-'"),
    (lambda: parse(b"key = 1\n", "x"), ConfigSyntaxError, "x, line 1: a key before any section"),
    (lambda: parse(b'[a]\n\tk = "\n', "x"), ConfigSyntaxError, "line 2: a quote is not closed"),
    (lambda: parse(b"[a]\n\tk = \\q\n", "x"), ConfigSyntaxError, "bad escape '\\q'"),
    (lambda: parse(b"[a]\n\tk x\n", "x"), ConfigSyntaxError, "expected '=' after 'k'"),
    (lambda: parse(b"[a]\n\t1 = x\n", "x"), ConfigSyntaxError, "bad key '1 = x'"),
    (lambda: parse(b"[a\n", "x"), ConfigSyntaxError, "bad section '[a'"),
    (lambda: Attributes.parse({"": b"**a*[b]?" * 240 + b" x\n"} | {"d": b"*" * 9 + b" x\n"}), UnsafePath, "line 1"),
    (
        lambda: Attributes.parse({"d": b"*a x\n" * 10_001}),
        UnsafePath,
        "'d/.gitattributes': line 10001: more than 10000",
    ),
    (lambda: Attributes.parse({"": b"a x\n" * 100_001}), UnsafePath, "line 100001: more than 100000 rules"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_is_refused_says_why(case: int) -> None:
    act, error, message = REFUSED[case]
    if message == "line 1":
        act()  # 960 wildcards in a line of less than 2048 bytes are fine.
        return
    with pytest.raises(error, match=re.escape(message)):
        act()


def test_what_is_right_is_read() -> None:
    pointer = Pointer(Oid("a" * 64), 5)
    assert parse_pointer(encode_pointer(pointer)) == pointer
    hard = parse(b"[core]\n\tlink = hardlink\n", "x")
    assert parse_local_settings([parse(b"", "x"), hard]).link == "hardlink"
    assert parse_local_settings([parse(b"[core]\n\tlink = copy\n", "x"), hard]).link == "copy"
    assert parse_settings(parse(b'[remote "x"]\n\tother = 1\n', "x")).remotes == {}
    assert is_revision("main~1") and not is_revision("two words") and not is_revision("a/b")
    assert check_workspace_path(".") == "."
    assert parse_oid("b" * 64) == "b" * 64


def test_settings_are_put_where_they_belong() -> None:
    config = parse(b"[core]\n\tlink = copy\n[x]\n\ty = 1\n[core]\n\tLINK = reflink\n# end", "x")
    config.set("core", None, "link", "hardlink")
    assert config.dump() == b"[core]\n[x]\n\ty = 1\n[core]\n\tlink = hardlink\n# end"
    config.set("core", None, "other", 'a "b"; c')
    config.set("new", "sub", "key", "")
    assert config.dump().endswith(b'\tother = "a \\"b\\"; c"\n# end\n[new "sub"]\n\tkey = \n')
    config.unset("core", None, "other")
    config.remove_section("x", None)
    assert config.dump() == b'[core]\n[core]\n\tlink = hardlink\n# end\n[new "sub"]\n\tkey = \n'
    short = parse(b"[core]", "x")
    short.set("core", None, "link", "copy")
    assert short.dump() == b"[core]\n\tlink = copy\n"


def entry(path: str, content: str) -> Entry:
    return Entry(path, int(Mode.FILE), GitId(content * 40), None)


def test_both_sides_of_a_merge() -> None:
    a, b, c = entry("a", "1"), entry("a", "2"), entry("a", "3")
    assert merge_entries([(a, b)], [(a, b)]).conflicts == []
    assert merge_entries([(a, None)], [(a, None)]).edits == {}
    assert [conflict.path for conflict in merge_entries([(a, None)], [(a, c)]).conflicts] == ["a"]
    assert [conflict.path for conflict in merge_entries([(a, b)], [(a, None)]).conflicts] == ["a"]
    below = entry("a/x", "4")
    assert [conflict.path for conflict in merge_entries([(None, b)], [(None, below)]).conflicts] == ["a/x"]
    assert [conflict.path for conflict in merge_entries([(None, below)], [(None, b)]).conflicts] == ["a"]
    assert merge_entries([(None, below)], [(a, None)]).edits == {"a": None}


def test_a_rename_goes_to_the_file_of_the_same_name_first() -> None:
    moved = with_renames([(entry("x/a", "1"), None), (entry("b", "1"), None), (None, entry("y/b", "1")), (None, None)])
    kinds = {change.path: (change.kind, change.old.path if change.old else None) for change in moved}
    assert kinds == {"y/b": ("renamed", "b"), "x/a": ("deleted", "x/a")}


MATCHES = [
    ("**\\/a", "x/y/a", True),
    ("[[:nothing:]]", "a", False),
    ("[a", "a", False),
    ("[\\", "a", False),
    ("[a-\\", "a", False),
    ("[a-\\]]", "b", False),
    ("[a-\\c]", "b", True),
    ("[!a]", "b", True),
    ("[^]]", "a", True),
    ("[z-a]", "m", False),
    ("[!z-a]", "m", True),
    ("[[:", ":", False),
    ("a**b", "axxb", True),
    ("a/**/b", "a/b", True),
    ("a/**/x/**/b", "a/1/x/2/b", True),
    ("**", "a/b", True),
    ("x\\", "x\\", False),
]


@pytest.mark.parametrize(("pattern", "path", "wanted"), MATCHES)
def test_patterns_match_as_gits(pattern: str, path: str, wanted: bool) -> None:
    assert (re.fullmatch(translate(pattern), path) is not None) is wanted
    assert re.fullmatch(NEVER, path) is None


def test_lines_of_attributes_that_say_nothing() -> None:
    rules = b'[attr]no-good/name filter=lfs\n"unclosed filter=lfs\n"bad\\q" filter=lfs\n!x filter=lfs\nx/ filter=lfs\n'
    rules += b"a -+bad filter=lfs\n# note\n\n" + b"b" * 3000 + b" filter=lfs\n"
    attributes = Attributes.parse({"": rules, "sub": b"[attr]m filter=lfs\n"})
    assert not any(attributes.is_lfs(path) for path in ("x", "a", "bad", "unclosed", "sub/x"))
    assert Attributes.parse({"": b'"a\\101\\t" filter=lfs\n'}).is_lfs("aA\t")
