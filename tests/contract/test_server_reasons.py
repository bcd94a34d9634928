"""Why a ref moved, in words of who moved it: kept, in one line, whatever was sent."""

import shutil
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.compat.test_server_stock import Stock
from tests.contract.git_packs import EMPTY_PACK
from tests.contract.server_client import Client, first_version, pkt, push_body, report_of

ALIAS = "refs/aliases/production"
PUSH = {"Content-Type": "application/x-git-receive-pack-request"}


def reasons(client: Client, ref: str = ALIAS) -> list[tuple[str, str]]:
    moves = client.request("GET", f"/api/v1/moves/a?ref={ref}").json()["moves"]
    return [(move["why"], move["reason"]) for move in moves]


def with_options(commit: str, *options: bytes) -> bytes:
    """Returns the body of a push of an alias with options."""
    body = push_body([(None, commit, ALIAS)], EMPTY_PACK, "push-options")
    head, _, pack = body.partition(b"0000PACK")
    return head + b"0000" + b"".join(map(pkt, options)) + b"0000PACK" + pack


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ([b"reason=it is better"], "it is better"),
        ([b"reason=one\n", b"other=two"], "one"),
        ([b"reason=\x1b[31mred\r\n\0\xff  spaced\t"], "[31mred \ufffd spaced"),
        ([b"reason=" + b"x" * 60_000], "x" * 1000),
        ([b"reason"], ""),
        ([], ""),
    ],
)
def test_a_push_says_why(client: Client, sent: list[bytes], kept: str) -> None:
    commit = first_version(client)
    reply = client.request("POST", "/a.git/git-receive-pack", with_options(commit, *sent), PUSH)
    assert report_of(reply) == ["unpack ok", f"ok {ALIAS}"]
    assert reasons(client) == [("push", kept)]


def test_too_many_options_and_broken_ones_are_refused(client: Client) -> None:
    commit = first_version(client)
    whole = with_options(commit, *[b"x=y"] * 101)
    for body in (whole, with_options(commit, b"reason=x")[:-60], whole[: whole.index(b"x=y") + 2]):
        assert client.request("POST", "/a.git/git-receive-pack", body, PUSH).status == 400
    assert client.request("GET", f"/api/v1/moves/a?ref={ALIAS}").status == 404


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_stock_git_says_why(server: EmbeddedServer, client: Client, tmp_path: Path) -> None:
    stock = Stock(tmp_path / "one", server).start("a")
    stock.commit(a_bin=b"1")
    stock.git("push", "-o", "reason=first of all", "-o", "ci.skip", "origin", "main", f"main:{ALIAS}")
    assert reasons(client) == reasons(client, "refs/heads/main") == [("push", "first of all")]
    stock.commit(a_bin=b"2")
    stock.git("push", "--atomic", "origin", "main", f"main:{ALIAS}")
    assert reasons(client) == [("push", ""), ("push", "first of all")]
    wish = b'{"ref": "production", "commit": "v1", "reason": "was\\nbetter"}'
    assert client.request("PUT", "/api/v1/refs/a", wish, {"Content-Type": "application/json"}).status == 200
    assert reasons(client)[0] == ("restored", "was better")
