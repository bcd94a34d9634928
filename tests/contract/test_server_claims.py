"""What a client may claim of blobs and names, and does not get: odd batches, blobs of others, races, names."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event

from aimdvc.server.embedded import EmbeddedServer
from tests.contract.git_packs import Made
from tests.contract.server_client import LFS, MAIN, Client, Reply, pointer_of, report_of

BATCH = "/a.git/info/lfs/objects/batch"
SMALL, LARGE = b"small\n" * 9, b"large\n" * 30_000


@pytest.fixture
def admin(shared: EmbeddedServer) -> Client:
    return Client(shared.url, shared.admin_key)


def ask(client: Client, accept: str | None = LFS, **fields: Any) -> Reply:
    headers = {"Content-Type": LFS} | ({"Accept": accept} if accept is not None else {})
    return client.request("POST", BATCH, json.dumps(fields).encode(), headers)


def named(*contents: bytes) -> list[dict[str, object]]:
    return [{"oid": pointer_of(one).oid, "size": len(one)} for one in contents]


def told(reply: Reply) -> list[object]:
    """Returns of each object what is to be done, or the code of its error."""
    assert reply.status == 200, reply.body
    return [
        blob["error"]["code"] if "error" in blob else sorted(blob.get("actions", ()))
        for blob in reply.json()["objects"]
    ]


def test_the_seven_of_git_lfs_s_own_test_of_servers(admin: Client) -> None:
    """As in git-lfs, t/git-lfs-test-server-api: all there, all missing, mixed, both ways; and its odd objects."""
    here, gone = [b"here %d\n" % n for n in range(5)], [b"gone %d\n" % n for n in range(5)]
    admin.upload("a", *here)
    ways: Mapping[str, tuple[object, object]] = {"download": (["download"], 404), "upload": ([], ["upload", "verify"])}
    for operation, (there, missing) in ways.items():
        assert told(ask(admin, operation=operation, objects=named(*here))) == [there] * 5
        assert told(ask(admin, operation=operation, objects=named(*gone))) == [missing] * 5
        assert told(ask(admin, operation=operation, objects=named(*here, *gone))) == [there] * 5 + [missing] * 5
    odd = [
        {"oid": "f" * 64, "size": -1},
        {"oid": "f" * 63, "size": 1},
        {"oid": "", "size": 1},
        {"oid": "-" * 64, "size": 1},
    ]
    assert told(ask(admin, operation="upload", objects=odd)) == [422] * 4


def test_odd_batches_are_answered_as_git_lfs_has_it(admin: Client) -> None:
    admin.upload("a", SMALL)
    one = named(SMALL)
    assert told(ask(admin, operation="download", objects=one * 2)) == [["download"]]
    assert told(ask(admin, operation="download", objects=[{**one[0], "size": len(SMALL) + 1}])) == [422]
    assert told(ask(admin, operation="upload", objects=named(b""))) == [["upload", "verify"]]
    assert told(ask(admin, operation="download", objects=one, ref={"name": "refs/heads/x"}, extra=[1, {}])) == [
        ["download"]
    ]
    assert told(ask(admin, operation="download", objects=one, transfers=["tus", "no such"])) == [["download"]]
    assert told(ask(admin, accept=None, operation="download", objects=one)) == [["download"]]
    assert told(ask(admin, accept=f"text/html, {LFS}; charset=utf-8", operation="download", objects=one)) == [
        ["download"]
    ]
    sizes: list[object] = [2**63 - 1, 2**63, 2**64, 10**40, 1.5, True, "9", None, [], 1e300]
    for size in sizes:
        assert told(ask(admin, operation="upload", objects=[{"oid": "ab" * 32, "size": size}])) == [422], size
    most = [{"oid": f"{number:064x}", "size": number} for number in range(10_000)]
    assert told(ask(admin, operation="download", objects=most)) == [404] * 10_000
    assert ask(admin, operation="download", objects=[*most, most[0]]).status == 413
    assert ask(admin, operation="download", objects=one, hash_algo="sha512").status == 409
    for operation in ("verify", "", ["download"], None):
        assert ask(admin, operation=operation, objects=one).status == 422
    assert ask(admin, operation="download", objects=one, transfers="basic").status == 422
    assert ask(admin, accept="text/html", operation="download", objects=one).status == 406


VOLATILE = re.compile(rb"[0-9a-f]{64}|expires=[0-9]+|[0-9a-f]{32}")


def seen(reply: Reply) -> tuple[int, bytes, dict[str, str]]:
    """Returns all of an answer that could tell one blob from another."""
    headers = {name: value for name, value in reply.headers.items() if name not in ("date", "x-request-id")}
    return reply.status, VOLATILE.sub(b"#", reply.body), headers


def every_claim(client: Client, content: bytes) -> list[tuple[int, bytes, dict[str, str]]]:
    """Asks all that can be asked of a blob, by its name alone, in an artifact that does not have it."""
    pointer, answers = pointer_of(content), []
    for transfer in ("basic", "aimd-pack"):
        for operation in ("download", "upload"):
            reply = client.batch("mine", operation, [pointer], transfer)
            answers.append(seen(reply))
            for blob in reply.json()["objects"]:
                answers += asked_by_href(client, blob, len(content))
    query = client.batch("mine", "download", [pointer_of(SMALL)], "aimd-pack").json()["aimd_pack"]["href"]
    body = json.dumps({"oids": [pointer.oid]}).encode()
    answers.append(seen(client.request("POST", query, body, {"Content-Type": "application/json"}, key=False)))
    made = Made()
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{pointer.oid}\nsize {pointer.size}\n".encode()
    commit = made.commit(made.tree([(b"100644", b"f", made.blob(text))]))
    answers.append((0, VOLATILE.sub(b"#", client.push("mine", [(None, commit, MAIN)], made.pack()).body), {}))
    return answers


def statements_of(server: EmbeddedServer, act: Callable[[], object]) -> tuple[list[str], object]:
    """Returns the SQL that is run for something, and what comes of it."""
    ran: list[str] = []

    def note(*arguments: Any) -> None:
        ran.append(arguments[2])

    engine = server.site.database._backend.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        return ran, act()
    finally:
        event.remove(engine, "before_cursor_execute", note)


def asked_by_href(client: Client, blob: Mapping[str, Any], size: int) -> list[tuple[int, bytes, dict[str, str]]]:
    if "upload" not in blob.get("actions", ()):
        return []
    href, check = (blob["actions"][action]["href"] for action in ("upload", "verify"))
    message = json.dumps({"oid": blob["oid"], "size": size}).encode()
    return [
        seen(client.request("POST", check, message, {"Content-Type": LFS}, key=False)),
        seen(client.request("PUT", href, b"!" * size, key=False)),
        seen(client.request("GET", href, key=False)),
    ]


def test_a_blob_of_others_is_answered_as_one_that_nobody_has(shared: EmbeddedServer) -> None:
    """Case S11: the same statuses, words and headers; and the same reads of the database, so no time tells either."""
    accounts = shared.site.accounts
    others = Client(shared.url, accounts.add_key(accounts.add_user("victim"), "write"))
    mine = Client(shared.url, accounts.add_key(accounts.add_user("curious"), "write"))
    mine.upload("mine", SMALL)
    for size in (100, 200_000):
        content, nowhere = b"theirs" * size, b"nobody" * size
        others.upload("secret", content)
        every_claim(mine, b"before" * size)
        by_name = [statements_of(shared, partial(every_claim, mine, one)) for one in (content, nowhere)]
        assert by_name[0] == by_name[1]
        assert told(mine.batch("mine", "download", [pointer_of(content)])) == [404]


def test_uploads_of_one_blob_at_once_and_again_keep_the_right_bytes(admin: Client) -> None:
    """Case S13: of many that send one oid, right and wrong, at once; what is stored is never written over."""
    for content in (SMALL + b"13", LARGE + b"13"):
        pointer, artifact = pointer_of(content), f"race{len(content)}"
        actions = admin.batch(artifact, "upload", [pointer]).json()["objects"][0]["actions"]
        statuses: list[int] = []

        def put(body: bytes, href: str = actions["upload"]["href"], into: list[int] = statuses) -> None:
            into.append(admin.request("PUT", href, body, key=False).status)

        bodies = [content, bytes(len(content))] * 4
        threads = [threading.Thread(target=put, args=(body,)) for body in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] * 4 + [422] * 4
        for body, status in ((content, 200), (bytes(len(content)), 422), (content[:-1], 422), (content + b"x", 422)):
            put(body)
            assert statuses[-1] == status
        href = admin.batch(artifact, "download", [pointer]).json()["objects"][0]["actions"]["download"]["href"]
        assert admin.request("GET", href, key=False).body == content


REFUSED = (
    *(
        ".",
        "..",
        ".git",
        "-x",
        " x",
        "x ",
        "a/b",
        "x" * 101,
        "\u00df" * 60,
        "\U0001f600",
        "a\u200bb",
        "a\u202eb",
        "\x1b[31m",
    ),
    *(
        "api",
        "API",
        "healthz",
        "openapi.json",
        "a\nb",
        "a\0b",
        "a:b",
        "a\\b",
        "a?b",
        "a#b",
        "a%b",
        "a;b",
        "\ufb01\u2044x",
    ),
)


def test_names_are_checked_and_are_one_in_any_case(admin: Client) -> None:
    """Case S21: of users, groups, roots and folders; those of artifacts come with a push."""
    kind = {"Content-Type": "application/json"}
    for name in REFUSED:
        for url in ("/api/v1/users", "/api/v1/groups"):
            body = json.dumps({"name": name}).encode()
            assert admin.request("POST", url, body, kind).status in (400, 422), (url, name)
    for name in ("x.git", "a.lock", "..x", "con\u0000"):
        assert admin.request("PUT", f"/api/v1/folders/admin/{name}".replace("\0", "%00")).status == 400, name
    made = Made()
    commit = made.commit(made.tree([]))
    for name in ("x.lock", ".x", "-x", "v3", "x" * 101, "a%20b", "%F0%9F%98%80", "x.git.git", "f.lock/x", "x.git/y"):
        assert admin.push(name, [(None, commit, MAIN)], made.pack()).status in (400, 404), name
    assert report_of(admin.push("info", [(None, commit, MAIN)], made.pack()))[1] == f"ok {MAIN}"
    assert admin.refs("info")[MAIN] == commit
    assert admin.refs("INFO")[MAIN] == commit
    for name in ("twin", "T\u00cfn"):
        for again, status in ((name, 201), (name.upper(), 409), (name.lower(), 409)):
            body = json.dumps({"name": again}).encode()
            assert admin.request("POST", "/api/v1/users", body, kind).status == status, again
