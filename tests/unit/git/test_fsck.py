"""What no repository should hold is refused by what is wrong with it; the same rules as stock Git's fsck."""

import pytest

from aimdvc.git.deltas import apply_delta
from aimdvc.git.fsck import BadObjectError, check_object, is_link_target, subtrees
from aimdvc.git.kinds import COMMIT, TAG, TREE

ID = b"1" * 20
WHO = b"author A <a> 1 +0000\ncommitter A <a> 1 +0000\n"
HEAD = b"tree " + b"1" * 40 + b"\n"
TAGGED = b"object " + b"1" * 40 + b"\ntype commit\ntag v1\ntagger A <a> 1 +0000\n\nm\n"

BAD: dict[str, tuple[int, bytes, str]] = {
    "another mode": (TREE, b"100600 a\0" + ID, "mode 100600"),
    "a padded mode": (TREE, b"040000 a\0" + ID, "can't be read"),
    "a dot": (TREE, b"100644 .\0" + ID, "an entry b'.'"),
    "two dots": (TREE, b"40000 ..\0" + ID, "an entry b'..'"),
    "git's directory": (TREE, b"40000 .GIT\0" + ID, "an entry b'.GIT'"),
    "git's short name": (TREE, b"40000 git~1\0" + ID, "git~1"),
    "git's directory for HFS": (TREE, b"40000 .g\xe2\x80\x8cit\0" + ID, "an entry"),
    "git's directory behind a backslash": (TREE, b"100644 a\\.git\0" + ID, "an entry"),
    "the wrong order": (TREE, b"100644 b\0" + ID + b"100644 a\0" + ID, "not sorted"),
    "a name twice": (TREE, b"100644 a\0" + ID + b"100644 a\0" + ID, "twice"),
    "a file and a directory": (TREE, b"100644 a\0" + ID + b"40000 a\0" + ID, "twice"),
    "a cut entry": (TREE, b"100644 a\0" + ID[:10], "can't be read"),
    "an empty name": (TREE, b"100644 \0" + ID, "can't be read"),
    "a slash": (TREE, b"100644 a/b\0" + ID, "can't be read"),
    "no tree": (COMMIT, b"parent " + b"1" * 40 + b"\n" + WHO + b"\nm\n", "header is malformed"),
    "no author": (COMMIT, HEAD + b"\nm\n", "header is malformed"),
    "a NUL": (COMMIT, HEAD + WHO + b"\nm\0\n", "NUL"),
    "no object": (TAG, TAGGED.replace(b"object", b"objekt"), "header is malformed"),
    "another type": (TAG, TAGGED.replace(b"commit", b"folder"), "header is malformed"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_object_is_refused_by_what_is_wrong(kind: str) -> None:
    type_, content, message = BAD[kind]
    with pytest.raises(BadObjectError, match=message.replace(".", r"\.")):
        check_object(type_, content, lambda *_, **__: None)


def test_good_objects_name_what_they_need() -> None:
    named: list[tuple[bytes, int, bool]] = []

    def refer(name: bytes, kind: int, *, is_link: bool = False) -> None:
        named.append((name, kind, is_link))

    check_object(TREE, b"120000 a\0" + ID + b"40000 b\0" + b"2" * 20 + b"160000 c\0" + b"3" * 20, refer)
    check_object(COMMIT, HEAD + b"parent " + b"2" * 40 + b"\n" + WHO + b"\nm\n", refer)
    check_object(TAG, TAGGED, refer)
    assert [(kind, is_link) for _, kind, is_link in named] == [
        (3, True),
        (TREE, False),
        (TREE, False),
        (COMMIT, False),
        (COMMIT, False),
    ]
    assert subtrees(b"100644 a\0" + ID) == []
    assert subtrees(b"100644 a\0" + ID + b"40000 b\0" + b"2" * 20) == [b"2" * 20]
    assert is_link_target(b"x") and not is_link_target(b"") and not is_link_target(b"a\0b")


DELTAS = {
    "cut in its sizes": b"\x85",
    "a size without end": b"\x80" * 12 + b"\0",
    "for another base": b"\x06\x01\x90\x01",
    "beyond the base": b"\x05\x05\x91\x03\x05",
    "more than it says": b"\x05\x01\x90\x05",
    "less than it says": b"\x05\x06\x90\x05",
    "the code 0": b"\x05\x05\0",
    "bytes that don't come": b"\x05\x05\x05ab",
    "cut in a copy": b"\x05\x05\x91",
}


@pytest.mark.parametrize("kind", DELTAS)
def test_a_bad_delta_is_refused(kind: str) -> None:
    with pytest.raises(BadObjectError):
        apply_delta(b"hello", DELTAS[kind], lambda size: None)


def test_a_delta_without_a_length_copies_64_kib() -> None:
    base = bytes(range(256)) * 256
    assert apply_delta(base, b"\x80\x80\x04\x80\x80\x04\x80", lambda size: None) == base
