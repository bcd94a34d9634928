"""What users did to each other, and to the server, when somebody tried: each case once."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from aimdvc.errors import CorruptRepository
from aimdvc.server.access_log import AccessLog
from aimdvc.server.app import Application
from aimdvc.server.audit import read_audit, verify_audit
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.engines import open_backend
from aimdvc.server.granian_backend import GranianBackend
from aimdvc.server.guard import HttpError
from aimdvc.server.limits import Limits
from aimdvc.server.observing import Observer
from aimdvc.server.protection import matches_glob
from aimdvc.server.rights import SYSTEM
from aimdvc.server.schema import audit
from aimdvc.server.site import Location, open_site
from tests.contract.git_packs import Made
from tests.contract.server_client import LFS, Client, pkt, report_of

MAIN = "refs/heads/main"
J = {"Content-Type": "application/json"}


def user(server: EmbeddedServer, name: str, scope: str = "admin", folder: str | None = None) -> Client:
    accounts = server.site.accounts
    known = {one.name: one.id for one in accounts.list_users()}
    return Client(server.url, accounts.add_key(known.get(name) or accounts.add_user(name), scope, folder=folder))


def ask(client: Client, method: str, url: str, **fields: object) -> int:
    body = json.dumps(fields).encode() if fields else None
    return client.request(method, f"/api/v1{url}", body, J if fields else {}).status


def test_a_pattern_takes_no_time(server: EmbeddedServer, client: Client) -> None:
    assert matches_glob("a*b*c", "aXbYbZc")
    for pattern, text, is_one in (
        ("*", "", True),
        ("a*", "a", True),
        ("a*a", "a", False),
        ("*b*", "abc", True),
        ("a", "ab", False),
        ("a*bc*bc", "abc", False),
        ("heads/*", "heads/a\nb", True),
    ):
        assert matches_glob(pattern, text) is is_one, (pattern, text)
    started_s = time.monotonic()
    assert not matches_glob("heads/" + "*a" * 190 + "b", "heads/" + "a" * 5000)
    assert time.monotonic() - started_s < 5


def bomb(made: Made, levels: int) -> str:
    tree = made.tree([(b"100644", b"f", made.blob(b"x"))])
    for _ in range(levels):
        tree = made.tree([(b"40000", b"%d" % number, tree) for number in range(10)])
    return tree


@pytest.mark.timeout(60)
def test_a_tree_that_names_itself_over_and_over_is_read_a_page_at_a_time(client: Client) -> None:
    made = Made()
    tree = bomb(made, 40)
    empty = made.commit(made.tree([]))
    hidden = made.tree([(b"40000", b".aimd", tree)])
    versions = [(empty, "v1"), (made.commit(hidden, (empty,)), "v2")]
    versions.append((made.commit(tree, (versions[1][0],)), "v3"))
    told = report_of(client.push("bomb", [(None, versions[2][0], MAIN)], made.pack()))
    if not told[1].startswith("ok"):
        return  # refused whole: better still
    for url in (
        "/objects/bomb?version=v3&limit=3",
        "/objects/bomb?version=v3&prefix=zzz",
        "/objects/bomb?version=v3&cursor=enp6",
        "/objects/bomb?version=v2",
        "/diff/bomb?old=v1&new=v2",
        "/diff/bomb?old=v1&new=v3&limit=3",
    ):
        assert client.request("GET", f"/api/v1{url}").status == 200, url


def test_what_no_ref_reaches_is_not_given_to_who_names_it(client: Client, server: EmbeddedServer) -> None:
    made = Made()
    base = made.commit(made.tree([]))
    secret = made.commit(made.tree([(b"100644", b"s", made.blob(b"SECRET0"))]), (base,))
    top = made.commit(made.tree([]), (secret,))
    client.push("a", [(None, base, MAIN), (None, top, "refs/heads/p")], made.pack())
    client.push("a", [(top, None, "refs/heads/p")], b"")
    caps = b"side-band-64k ofs-delta thin-pack multi_ack_detailed deepen-relative"
    want = pkt(f"want {base} ".encode() + caps + b"\n")
    for line in (f"shallow {top}\n", f"shallow {secret}\n"):
        body = want + pkt(line.encode()) + pkt(b"deepen 9\n") + b"0000" + pkt(b"done\n")
        reply = client.request(
            "POST", "/a.git/git-upload-pack", body, {"Content-Type": "application/x-git-upload-pack-request"}
        )
        assert reply.status == 200
        assert secret.encode() not in reply.body
    body = want + b"0000" + pkt(f"have {secret}\n".encode()) + b"0000"
    reply = client.request(
        "POST", "/a.git/git-upload-pack", body, {"Content-Type": "application/x-git-upload-pack-request"}
    )
    assert secret.encode() not in reply.body
    body = want + pkt(f"shallow {made.tree([])}\n".encode()) + pkt(b"deepen 2\n") + b"0000" + pkt(b"done\n")
    kind = {"Content-Type": "application/x-git-upload-pack-request"}
    assert client.request("POST", "/a.git/git-upload-pack", body, kind).status == 200


def test_two_branches_that_go_at_once_leave_nothing_to_clone(
    client: Client, server: EmbeddedServer, tmp_path: Path
) -> None:
    made = Made()
    base = made.commit(made.tree([]))
    secret = made.commit(made.tree([(b"100644", b"s", made.blob(b"SECRET"))]), (base,))
    client.push("a", [(None, base, MAIN)], made.pack())
    client.push("a", [(None, secret, "refs/heads/p"), (None, secret, "refs/heads/q")], made.pack())
    client.push("a", [(secret, None, "refs/heads/p"), (secret, None, "refs/heads/q")], b"")
    url = server.url.replace("http://", f"http://any:{server.admin_key}@")
    subprocess.run(["git", "clone", "-q", "--bare", f"{url}/a", str(tmp_path / "clone")], check=True)
    found = subprocess.run(["git", "cat-file", "-e", secret], cwd=tmp_path / "clone", capture_output=True)
    assert found.returncode != 0


def test_what_comes_before_a_pack_is_bounded(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "srv", limits=Limits(command_bytes=100_000)) as server:
        client = Client(server.url, server.admin_key)
        kind = {"Content-Type": "application/x-git-receive-pack-request"}
        line = pkt(b"0" * 40 + b" " + b"ab" * 20 + b" refs/heads/" + b"x" * 60_000)
        assert client.request("POST", "/a.git/git-receive-pack", line * 3, kind).status == 413
        shallow = pkt(b"shallow " + b"ab" * 20)
        assert client.request("POST", "/a.git/git-receive-pack", shallow * 3000 + b"0000", kind).status == 413


def test_a_key_of_a_folder_lists_and_ends_only_its_like(server: EmbeddedServer) -> None:
    ada = user(server, "ada")
    assert ask(ada, "PUT", "/folders/ada/inner") == 201
    bound = user(server, "ada", folder=server.site.folders.id_of(SYSTEM, "ada/inner"))
    listed = bound.request("GET", "/api/v1/keys").json()["keys"]
    assert [key["folder"] for key in listed] == ["ada/inner"]
    others = {key["id"] for key in ada.request("GET", "/api/v1/keys").json()["keys"]} - {listed[0]["id"]}
    assert {ask(bound, "DELETE", f"/keys/{other}") for other in others} == {404}
    assert ask(ada, "GET", "/whoami") == 200
    server.site.folders.make_root("elsewhere")
    server.site.folders.move(SYSTEM, "ada/inner", "elsewhere/hidden")
    assert bound.request("GET", "/api/v1/whoami").json()["folder"] is None


def test_a_root_that_becomes_visible_takes_no_path_away(server: EmbeddedServer) -> None:
    bob, data = user(server, "bob"), user(server, "data")
    made = Made()
    commit = made.commit(made.tree([]))
    assert report_of(bob.push("data/x", [(None, commit, MAIN)], made.pack()))[1] == f"ok {MAIN}"
    server.site.folders.share(SYSTEM, "data", "user", "bob", "edit")
    assert bob.refs("data/x")[MAIN] == commit
    assert bob.request("GET", "/api/v1/artifacts/data/x").json()["path"] == "bob/data/x"
    assert data.request("GET", "/api/v1/artifacts/data/x").status == 404


def test_rules_end_where_a_node_comes_under_another_s(server: EmbeddedServer, client: Client) -> None:
    made = Made()
    commit = made.commit(made.tree([]))
    user(server, "mal").push("x", [(None, commit, MAIN)], made.pack())
    server.site.folders.make_root("team")
    server.site.protections.protect(SYSTEM, "mal/x", "*", "user", "mal")
    server.site.folders.move(SYSTEM, "mal/x", "team/x")
    assert server.site.protections.rules(SYSTEM, "team/x") == []


def test_no_artifact_lies_too_deep_to_be_read(server: EmbeddedServer) -> None:
    ada = user(server, "ada")
    made = Made()
    commit = made.commit(made.tree([]))
    for depth, status in ((31, 200), (32, 400)):
        path = "/".join(["d"] * depth)
        reply = ada.push(path, [(None, commit, MAIN)], made.pack())
        assert reply.status == status
        if status == 200:
            assert ada.refs(path)[MAIN] == commit


@pytest.mark.parametrize(
    ("method", "url", "body", "kind", "statuses"),
    [
        ("POST", "/a/info/lfs/locks/verify", b'{"cursor": "\xed\xa0\x80"}', LFS, {400}),
        ("PATCH", "/api/v1/folders/admin/a", b'{"to": "admin/\xed\xa0\x80"}', J["Content-Type"], {400}),
        (
            "PUT",
            "/api/v1/shares/admin/a",
            '{"kind":"user","may":"view","subject":"a\\u0000"}'.encode("utf-16-le"),
            J["Content-Type"],
            {400, 422},
        ),
        ("POST", "/a/info/lfs/locks", json.dumps({"path": "/".join(["x" * 200] * 20)}).encode(), LFS, {422}),
        ("GET", "/api/v1/objects/a?version=blobtag", None, "", {404}),
        ("GET", "/api/v1/diff/a?old=treetag&new=main", None, "", {404}),
    ],
)
def test_odd_requests_are_refused(
    client: Client, method: str, url: str, body: bytes | None, kind: str, statuses: set[int]
) -> None:
    made = Made()
    commit = made.commit(made.tree([]))
    tags = [(None, made.blob(b"x"), "refs/tags/blobtag"), (None, made.tree([]), "refs/tags/treetag")]
    client.push("a", [(None, commit, MAIN), *tags], made.pack())
    assert client.request(method, url, body, {"Content-Type": kind} if body is not None else {}).status in statuses


def test_a_password_in_a_query_is_not_shown() -> None:
    for url in ("postgresql://h/db?user=u&password=SECRET", "postgresql://u:SECRET@h/db"):
        backend = open_backend(url)
        assert "SECRET" not in backend.name
        backend.engine.dispose()


def test_a_detail_that_is_no_json_breaks_the_chain(server: EmbeddedServer) -> None:
    with server.site.database.write() as connection:
        connection.execute(audit.update().values(detail="x"))
    with pytest.raises(CorruptRepository, match="entry 1 is not what was written"):
        verify_audit(server.site.database)


def test_hrefs_are_urls_whatever_the_names(server: EmbeddedServer) -> None:
    for name in ("ann lee", "j\u00f6rg"):
        person = user(server, name)
        pointer = person.upload("z+1/data", b"bytes\n" * 9)[0]
        href = person.batch("z+1/data", "download", [pointer]).json()["objects"][0]["actions"]["download"]["href"]
        assert href.isascii() and " " not in href
        assert person.request("GET", href, key=False).body == b"bytes\n" * 9


def test_sizes_of_many_large_objects_are_not_all_read(client: Client) -> None:
    made = Made()
    names = [(b"100644", b"%02d" % number, made.blob(b"%d" % number + b"\0" * 12_000_000)) for number in range(8)]
    same = [(b"100644", b"same%03d" % number, names[0][2]) for number in range(200)]
    commit = made.commit(made.tree([*names, *same]))
    assert report_of(client.push("large", [(None, commit, MAIN)], made.pack()))[1] == f"ok {MAIN}"
    objects = client.request("GET", "/api/v1/objects/large?limit=1000").json()["objects"]
    assert [one["size"] for one in objects[:5]] == [12_000_001] * 5
    assert objects[7]["size"] is None
    assert {one["size"] for one in objects[8:]} == {12_000_001}


def test_a_key_that_somebody_puts_into_a_path_is_not_logged(tmp_path: Path) -> None:
    site = open_site(Location(tmp_path / "srv"))
    key = site.accounts.first_start()
    application = Application(site, Observer(log=AccessLog(tmp_path / "log")))
    backend = GranianBackend(application, "127.0.0.1", 0, 8)
    try:
        client = Client(f"http://127.0.0.1:{backend.port}", key)
        assert ask(client, "DELETE", f"/keys/{key}") == 404
        assert ask(client, "GET", "/whoami") == 200
    finally:
        backend.stop()
        application.close()
    text = (tmp_path / "log").read_text()
    assert "/api/v1/keys/(key)" in text
    assert str(key) not in text


def test_the_audit_log_tells_of_artifacts_and_forced_locks(server: EmbeddedServer, client: Client) -> None:
    made = Made()
    client.push("sets/a", [(None, made.commit(made.tree([])), MAIN)], made.pack())
    bob = user(server, "bob")
    server.site.folders.share(SYSTEM, "admin/sets", "user", "bob", "edit")
    lock = bob.request("POST", "/admin/sets/a/info/lfs/locks", b'{"path": "x"}', {"Content-Type": LFS}).json()["lock"]
    url = f"/admin/sets/a/info/lfs/locks/{lock['id']}/unlock"
    assert client.request("POST", url, b'{"force": true}', {"Content-Type": LFS}).status == 200
    told = [(one.user, one.action, one.target) for one in read_audit(server.site.database)]
    assert ("admin", "artifact.make", "admin/sets/a") in told
    assert told[-1] == ("admin", "lock.force", "admin/sets/a")


def test_reserved_names_are_so_in_every_case(server: EmbeddedServer) -> None:
    for name in ("\u017ftatic", "DOCS", "doc\u017f"):
        with pytest.raises(HttpError):
            server.site.accounts.add_user(name)
