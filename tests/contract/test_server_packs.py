"""What the server keeps of a push, and what a clone is given of it."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from aimdvc.fs.leftovers import owner
from tests.contract import git_packs as packs
from tests.contract.git_packs import Made
from tests.contract.server_client import Client, lines_of, pkt, report_of

MAIN = "refs/heads/main"
UPLOAD_PACK = {"Content-Type": "application/x-git-upload-pack-request"}


def _first_version(client: Client) -> tuple[Made, str]:
    made = Made()
    commit = made.commit(made.tree([(b"100644", b"t", made.blob(b"text\n"))]))
    assert report_of(client.push("a", [(None, commit, MAIN)], made.pack())) == ["unpack ok", f"ok {MAIN}"]
    return made, commit


def _clone(client: Client, *wants: str, caps: str = "side-band-64k ofs-delta thin-pack") -> bytes:
    """Returns the pack that a clone of these tips is given."""
    first, *others = wants
    body = pkt(f"want {first} {caps}\n".encode()) + b"".join(pkt(f"want {want}\n".encode()) for want in others)
    reply = client.request("POST", "/a/git-upload-pack", body + b"0000" + pkt(b"done\n"), UPLOAD_PACK)
    assert reply.status == 200, reply.body
    return b"".join(line[1:] for line in lines_of(reply.body)[1:] if line[:1] == b"\1")


def _count(pack: bytes) -> int:
    return int(struct.unpack(">4sII", pack[:12])[2])


@pytest.mark.parametrize("others", [0, 600])
def test_what_is_there_already_has_to_be_of_the_type_that_names_it(client: Client, others: int) -> None:
    made = Made()
    entries = [(b"100644", b"%04d" % number, made.blob(b"%d" % number)) for number in range(others + 1)]
    tree = made.tree(entries)
    commit = made.commit(tree)
    client.push("a", [(None, commit, MAIN)], made.pack())
    for mode, git_id in ((b"100644", tree), (b"100644", commit), (b"40000", entries[0][2])):
        hostile = Made()
        named = hostile.commit(hostile.tree([*entries[1:], (mode, b"x", git_id)]))
        report = report_of(client.push("a", [(None, named, "refs/heads/side")], hostile.pack()))
        assert report == [
            "unpack missing necessary objects",
            "ng refs/heads/side missing necessary objects",
        ]
    right = Made()
    named = right.commit(right.tree([*entries, (b"40000", b"x", tree)]), (commit,))
    assert report_of(client.push("a", [(commit, named, MAIN)], right.pack()))[1] == f"ok {MAIN}"


def test_types_of_deltas_are_those_of_their_bases(client: Client) -> None:
    _, commit = _first_version(client)
    base = b"some text that a delta is made of\n"
    whole = packs.entry(packs.BLOB, base)
    copy = packs.varint(len(base)) + packs.varint(len(base) + 1) + b"\x90" + bytes([len(base)])
    made = Made()
    by_offset, by_name = made.blob(base + b"1"), made.blob(base + b"2")
    root = Made()
    tree = root.tree([(b"100644", b"1", by_offset), (b"100644", b"2", by_name)])
    second = root.commit(tree, (commit,))
    entries = [
        whole,
        packs.ofs_entry(len(whole), copy + b"\x011"),
        packs.ref_entry(
            by_offset,
            packs.varint(len(base) + 1) + packs.varint(len(base) + 1) + b"\x90" + bytes([len(base)]) + b"\x012",
        ),
        *root.entries,
    ]
    assert report_of(client.push("a", [(commit, second, MAIN)], packs.pack_of(entries)))[1] == f"ok {MAIN}"
    again = Made()
    third = again.commit(again.tree([(b"100644", b"3", by_offset), (b"120000", b"4", by_name)]), (second,))
    assert report_of(client.push("a", [(second, third, MAIN)], again.pack()))[1] == f"ok {MAIN}"
    wrong = Made()
    fourth = wrong.commit(wrong.tree([(b"40000", b"3", by_name)]), (third,))
    assert report_of(client.push("a", [(third, fourth, MAIN)], wrong.pack()))[0] != "unpack ok"


def test_a_clone_holds_nothing_of_a_ref_that_was_refused_beside_another(client: Client) -> None:
    _, first = _first_version(client)
    made = Made()
    hidden = made.commit(made.tree([(b"100644", b"secret", made.blob(b"secret\n"))]), (), b"unrelated\n")
    second = made.commit(made.tree([(b"100644", b"u", made.blob(b"other\n"))]), (first,))
    updates = [(first, hidden, MAIN), (None, second, "refs/heads/side")]
    assert report_of(client.push("a", updates, made.pack())) == [
        "unpack ok",
        f"ng {MAIN} non-fast-forward",
        "ok refs/heads/side",
    ]
    assert _count(_clone(client, first, second)) == 6


def test_a_tag_that_is_refused_beside_its_commit_hides_nothing(client: Client) -> None:
    _, first = _first_version(client)
    made = Made()
    second = made.commit(made.tree([]), (first,))
    client.push("a", [(first, second, MAIN), (None, second, "refs/tags/v9")], made.pack())
    whole = _clone(client, first, second)
    assert packs.pack_of(made.entries)[12:-20] in whole


def test_a_fetch_without_thin_pack_is_answered(client: Client) -> None:
    _, first = _first_version(client)
    made = Made()
    second = made.commit(made.tree([]), (first,))
    client.push("a", [(first, second, MAIN)], made.pack())
    body = pkt(f"want {second} side-band-64k ofs-delta\n".encode()) + b"0000" + pkt(f"have {first}\n".encode())
    reply = client.request("POST", "/a/git-upload-pack", body + pkt(b"done\n"), UPLOAD_PACK)
    assert reply.status == 200
    sent = b"".join(line[1:] for line in lines_of(reply.body)[1:] if line[:1] == b"\1")
    assert _count(sent) == 2
    assert _count(_clone(client, first, caps="side-band-64k ofs-delta")) == 3


def test_what_killed_processes_left_of_a_push_goes(client: Client, tmp_path: Path) -> None:
    _, first = _first_version(client)
    incoming = next((tmp_path / "srv").glob("*/*/*/incoming"))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, running = incoming / f"tmp-{owner(gone.pid)}-0", incoming / f"tmp-{owner(os.getppid())}-0"
    for path in (left, running):
        path.write_bytes(b"PACK")
    client.push("a", [(None, first, "refs/heads/side")], packs.EMPTY_PACK)
    assert [path.name for path in incoming.iterdir()] == [running.name]


def _nested(made: Made, tree: str, levels: int) -> str:
    for _ in range(levels):
        tree = made.tree([(b"40000", b"d", tree)])
    return tree


def test_folders_are_not_nested_too_deep(client: Client) -> None:
    made = Made()
    deep = _nested(made, made.tree([]), 512)
    commit = made.commit(deep)
    too_deep = made.commit(_nested(made, deep, 1))
    reason = "unpack folders are nested more than 512 deep"
    assert report_of(client.push("a", [(None, too_deep, MAIN)], made.pack()))[0] == reason
    made.entries[-2:] = []
    assert report_of(client.push("a", [(None, commit, MAIN)], made.pack()))[1] == f"ok {MAIN}"
    on_top = Made()
    too_deep = on_top.commit(_nested(on_top, deep, 1), (commit,))
    assert report_of(client.push("a", [(commit, too_deep, MAIN)], on_top.pack()))[0] == reason
    other = Made()
    fine = other.commit(other.tree([(b"40000", b"e", _nested(Made(), made.tree([]), 511))]), (commit,))
    assert report_of(client.push("a", [(commit, fine, MAIN)], other.pack()))[1] == f"ok {MAIN}"


def test_a_blob_that_is_here_already_has_to_be_fit_for_a_link_that_names_it(client: Client) -> None:
    made = Made()
    odd, good = made.blob(b"a\0b"), made.blob(b"target")
    commit = made.commit(made.tree([(b"100644", b"good", good), (b"100644", b"odd", odd)]))
    assert report_of(client.push("a", [(None, commit, MAIN)], made.pack()))[1] == f"ok {MAIN}"
    for target, result in ((odd, f"ng {MAIN} unpacker error"), (good, f"ok {MAIN}")):
        link = Made()
        second = link.commit(link.tree([(b"120000", b"l", target)]), (commit,))
        assert report_of(client.push("a", [(commit, second, MAIN)], link.pack()))[1] == result


def test_a_small_pack_holds_no_more_objects_than_its_size_tells(client: Client) -> None:
    tiny = [packs.entry(packs.BLOB, b"%x" % number) for number in range(100_001)]
    pack = packs.pack_of(tiny)
    report = report_of(client.push("a", [(None, "1" * 40, MAIN)], pack))
    assert report[0] == f"unpack 100001 git objects in a pack of {len(pack)} bytes, expected at most 100000"


def test_a_small_pack_is_not_inflated_without_end(client: Client) -> None:
    base = b"x" * (1 << 20)
    entries = [packs.entry(packs.BLOB, base)]
    size = packs.varint(1 << 20)
    for number in range(300):
        # Copies all but the last bytes, and says which one it is.
        delta = size + size + b"\xf0" + ((1 << 20) - 4).to_bytes(3, "little") + b"\4%04d" % number
        entries.append(packs.ofs_entry(sum(map(len, entries)), delta))
    report = report_of(client.push("a", [(None, "1" * 40, MAIN)], packs.pack_of(entries)))
    assert report[0].startswith(f"unpack git objects of more than {256 << 20} bytes together")
