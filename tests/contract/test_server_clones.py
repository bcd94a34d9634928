"""What a clone or fetch gets from the server by hand on a real port: what refs reach, in one pack, and nothing else."""

import hashlib
import struct
from pathlib import Path

import pytest

from tests.contract.git_packs import Made
from tests.contract.server_client import MAIN, Client, first_version, lines_of, pkt


def test_what_is_not_the_tip_of_a_ref_is_not_given(client: Client) -> None:
    first = first_version(client)
    made = Made()
    hidden = made.commit(made.tree([]), (first,))
    client.push("a", [(None, hidden, "refs/heads/secret")], made.pack())
    client.push("a", [(hidden, None, "refs/heads/secret")], b"")
    headers = {"Content-Type": "application/x-git-upload-pack-request"}
    for wanted in (hidden, "9" * 40):
        body = pkt(b"want " + wanted.encode() + b" side-band-64k thin-pack ofs-delta\n") + b"0000" + pkt(b"done\n")
        assert client.request("POST", "/a/git-upload-pack", body, headers).status == 400


@pytest.mark.parametrize("depth", ["0", "-1", "2147483648", "x", "0" * 10 + "1", "0" * 9 + "1" * 5000])
def test_a_depth_that_is_none_is_refused(client: Client, depth: str) -> None:
    first = first_version(client)
    wants = pkt(f"want {first} side-band-64k ofs-delta\n".encode()) + pkt(f"deepen {depth}\n".encode())
    headers = {"Content-Type": "application/x-git-upload-pack-request"}
    assert client.request("POST", "/a/git-upload-pack", wants + b"0000" + pkt(b"done\n"), headers).status == 400


def test_a_clone_holds_nothing_of_a_deleted_branch(client: Client) -> None:
    first = first_version(client)
    made = Made()
    hidden = made.commit(made.tree([(b"100644", b"secret", made.blob(b"secret\n"))]), (first,))
    client.push("a", [(None, hidden, "refs/heads/secret")], made.pack())
    client.push("a", [(hidden, None, "refs/heads/secret")], b"")
    wants = pkt(f"want {first} side-band-64k ofs-delta thin-pack\n".encode()) + b"0000" + pkt(b"done\n")
    headers = {"Content-Type": "application/x-git-upload-pack-request"}
    lines = lines_of(client.request("POST", "/a/git-upload-pack", wants, headers).body)
    pack = b"".join(line[1:] for line in lines[1:] if line[:1] == b"\1")
    assert struct.unpack(">4sII", pack[:12]) == (b"PACK", 2, 3)


def test_a_clone_of_several_packs_is_one_pack(client: Client) -> None:
    first = first_version(client)
    made = Made()
    second = made.commit(made.tree([(b"100644", b"t", made.blob(b"text\n"))]), (first,))
    client.push("a", [(first, second, MAIN)], made.pack())
    wants = pkt(f"want {second} side-band-64k ofs-delta thin-pack\n".encode()) + pkt(f"want {first}\n".encode())
    headers = {"Content-Type": "application/x-git-upload-pack-request"}
    reply = client.request("POST", "/a/git-upload-pack", wants + b"0000" + pkt(b"done\n"), headers)
    lines = lines_of(reply.body)
    assert lines[0] == b"NAK\n"
    pack = b"".join(line[1:] for line in lines[1:] if line[:1] == b"\1")
    assert struct.unpack(">4sII", pack[:12]) == (b"PACK", 2, 6)
    assert hashlib.sha1(pack[:-20]).digest() == pack[-20:]


def test_packs_of_many_pushes_are_joined_and_a_clone_holds_them_all(client: Client, tmp_path: Path) -> None:
    tip = first_version(client)
    for number in range(60):
        made = Made()
        made_at = made.commit(made.tree([(b"100644", b"t", made.blob(b"%d\n" % number))]), (tip,))
        client.push("a", [(tip, made_at, MAIN)], made.pack())
        tip = made_at
    assert len(list(tmp_path.rglob("pack/*.pack"))) < 50
    wants = pkt(f"want {tip} side-band-64k ofs-delta thin-pack\n".encode()) + b"0000" + pkt(b"done\n")
    headers = {"Content-Type": "application/x-git-upload-pack-request"}
    lines = lines_of(client.request("POST", "/a/git-upload-pack", wants, headers).body)
    pack = b"".join(line[1:] for line in lines[1:] if line[:1] == b"\1")
    assert struct.unpack(">4sII", pack[:12]) == (b"PACK", 2, 3 + 3 * 60)
