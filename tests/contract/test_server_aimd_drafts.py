"""What AIMD clients are uploading: theirs alone, kept from gc, counted, gone after a week; made a version just once."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, select, update

from aimdvc.model.oid import Oid
from aimdvc.model.progress import Silent
from aimdvc.server import sealing
from aimdvc.server.drafts import LIFETIME_S
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.gc import Graces, collect
from aimdvc.server.limits import Limits
from aimdvc.server.rights import SYSTEM
from aimdvc.server.rowcheck import faults_of_rows
from aimdvc.server.schema import aimd_versions, draft_objects, draft_parts, draft_uploads, drafts, owned_blobs
from tests.contract.aimd_client import ARTIFACTS, AimdClient, document
from tests.contract.git_packs import Made
from tests.contract.server_client import MAIN, Client, first_version, report_of

BLOB = b"some content\n" * 100


def key_for(server: EmbeddedServer, name: str) -> str:
    return server.site.accounts.add_key(server.site.accounts.add_user(name), "write")


@pytest.fixture
def alice(server: EmbeddedServer) -> AimdClient:
    return AimdClient(server.url, key_for(server, "alice"))


@pytest.fixture
def folder(alice: AimdClient) -> str:
    return alice.make_folder("default")


def run_gc(server: EmbeddedServer) -> None:
    collect(server.site.database, server.site.storage, Graces(0, 0), True, Silent())


def age(server: EmbeddedServer, seconds: float) -> None:
    with server.site.database.write() as connection:
        connection.execute(update(drafts).values(expires_s=drafts.c.expires_s - seconds))


def rows(server: EmbeddedServer) -> dict[str, int]:
    """Returns how many rows there are of drafts, once the others were found to fit together."""
    assert faults_of_rows(server.site.database) == []
    with server.site.database.read() as connection:
        tables = (drafts, draft_objects, draft_uploads, draft_parts)
        return {one.name: connection.scalar(select(func.count()).select_from(one)) or 0 for one in tables}


NONE = {"drafts": 0, "draft_objects": 0, "draft_uploads": 0, "draft_parts": 0}


def is_owned(server: EmbeddedServer, content: bytes) -> bool:
    with server.site.database.read() as connection:
        oid = sha256(content).digest()
        return connection.scalar(select(owned_blobs.c.oid).where(owned_blobs.c.oid == oid)) is not None


def test_what_others_upload_is_not_there(server: EmbeddedServer, alice: AimdClient, folder: str) -> None:
    name = alice.begin(folder, "a")
    alice.send(name, "x", BLOB)
    bob = AimdClient(server.url, key_for(server, "bob"))
    server.site.folders.share(SYSTEM, "alice/default", "user", "bob", "edit")
    admin = AimdClient(server.url, server.admin_key or "")
    for other in (bob, admin):
        for reply in (
            other.show(name),
            other.finalize(name),
            other.get(f"{ARTIFACTS}/{name}/objects/ls"),
            other.download(name, "x"),
            other.send(name, "x", b"evil"),
            other.post(f"{ARTIFACTS}/{name}/multipart", key="x"),
        ):
            assert (reply.status_code, reply.text) == (404, "not found")
        # Whoever takes the id of another's gets one of their own.
        taken = other.post(ARTIFACTS, json=document(name), folder=folder, repo="a", type="x")
        assert taken.status_code == 200 and taken.json()["id"] != name
    assert alice.download(name, "x").content == BLOB
    server.site.folders.share(SYSTEM, "alice/default", "user", "bob", "view")
    assert bob.send(taken.json()["id"], "x", b"1").status_code == 404


def test_a_draft_that_is_begun_again_goes_on(alice: AimdClient, folder: str) -> None:
    name = alice.begin(folder, "a", description="first")
    alice.send(name, "x", BLOB)
    alice.begin(folder, "a", name=name, description="second")
    assert alice.show(name).json()["description"] == "second" and list(alice.ls(name)) == ["x"]
    alice.begin(folder, "b", name=name)
    assert alice.ls(name) == {}
    alice.send(name, "y", BLOB)
    assert (
        alice.finalize(name).json()["metadata"]["folder"] == alice.get("/apis/v1/folders/id", path="/default/b").json()
    )


def test_an_upload_that_is_left_for_a_week_is_gone(server: EmbeddedServer, alice: AimdClient, folder: str) -> None:
    left, kept = alice.begin(folder, "a"), alice.begin(folder, "a")
    alice.send(left, "x", BLOB)
    path = f"{ARTIFACTS}/{left}/multipart/{alice.post(f'{ARTIFACTS}/{left}/multipart', key='p').json()['uploadId']}"
    alice.put(path, data=b"part", key="p", partNum=1)
    age(server, LIFETIME_S - 1000)
    assert alice.send(kept, "y", b"1").status_code == 200
    age(server, 2000)
    assert alice.show(left).status_code == 404 and alice.show(kept).status_code == 200
    assert rows(server)["drafts"] == 2
    alice.begin(folder, "b")
    assert rows(server) == {"drafts": 2, "draft_objects": 1, "draft_uploads": 0, "draft_parts": 0}
    age(server, LIFETIME_S)
    run_gc(server)
    assert rows(server) == NONE
    run_gc(server)
    run_gc(server)
    assert not is_owned(server, BLOB)


def test_gc_keeps_what_is_being_uploaded(server: EmbeddedServer, alice: AimdClient, folder: str) -> None:
    name = alice.begin(folder, "a")
    alice.send(name, "x", BLOB)
    part = b"part of a large one\n" * 10_000
    path = f"{ARTIFACTS}/{name}/multipart/{alice.post(f'{ARTIFACTS}/{name}/multipart', key='p').json()['uploadId']}"
    etag = alice.put(path, data=part, key="p", partNum=1).json()["etag"]
    for _ in range(3):
        run_gc(server)
        # As if nobody had wanted any of it for long.
        server.site.storage.keeping.take([], 1 << 40)
    assert alice.post(path, json={"parts": [{"etag": etag, "partNumber": 1}]}, key="p").status_code == 200
    assert alice.finalize(name).status_code == 200
    for _ in range(3):
        run_gc(server)
    assert alice.download(name, "x").content == BLOB and alice.download(name, "p").content == part
    assert rows(server) == NONE


def test_quotas_hold_for_uploads_to_the_byte(server: EmbeddedServer, alice: AimdClient, folder: str) -> None:
    quotas = server.site.quotas
    quotas.set("user:alice", 1000)

    def used() -> int:
        return quotas.read()[0].used

    name = alice.begin(folder, "a")
    assert alice.send(name, "x", b"1" * 400).status_code == 200
    path = f"{ARTIFACTS}/{name}/multipart/{alice.post(f'{ARTIFACTS}/{name}/multipart', key='p').json()['uploadId']}"
    etags = [alice.put(path, data=b"%d" % n * 300, key="p", partNum=n).json()["etag"] for n in (1, 2)]
    assert used() == 1000
    for reply in (alice.put(path, data=b"3", key="p", partNum=3), alice.send(name, "y", b"3")):
        assert reply.status_code == 507 and "quota" in reply.text
    # A part that comes again counts once.
    assert alice.put(path, data=b"1" * 300, key="p", partNum=1).json()["etag"] == etags[0]
    parts = [{"etag": f'"{etag}"', "partNumber": n} for n, etag in enumerate(etags, 1)]
    for _ in range(2):
        done = alice.post(path, json={"parts": parts[::-1]}, key="p")
        assert (done.status_code, done.json()["size_bytes"]) == (200, 600)
    assert used() == 1000
    assert alice.download(name, "p").content == b"1" * 300 + b"2" * 300
    assert alice.finalize(name).status_code == 200
    assert used() == 1000 and rows(server) == NONE


def test_parts_are_those_that_the_client_names(alice: AimdClient, folder: str) -> None:
    name = alice.begin(folder, "a")
    path = f"{ARTIFACTS}/{name}/multipart/{alice.post(f'{ARTIFACTS}/{name}/multipart', key='p').json()['uploadId']}"
    etag = alice.put(path, data=b"1", key="p", partNum=1).json()["etag"]
    for parts in ([], [{"etag": etag, "partNumber": 2}], [{"etag": "0" * 32, "partNumber": 1}]):
        assert alice.post(path, json={"parts": parts}, key="p").status_code == 400
    for number in (0, -1, "x", 10_001, 10**30):
        assert alice.put(path, data=b"1", key="p", partNum=number).status_code == 400
    assert alice.put(path, data=b"", key="p", partNum=1).status_code == 400
    for odd in (path.replace(path[-1], "z"), path[:-32] + uuid4().hex):
        assert alice.put(odd, data=b"1", key="p", partNum=1).status_code == 404
    assert alice.put(path, data=b"1", key="other", partNum=1).status_code == 404
    assert alice.post(path, json={"parts": [{"etag": etag, "partNumber": 1}]}, key="/p").status_code == 200
    assert alice.put(path, data=b"1", key="p", partNum=1).status_code == 404


def test_two_that_make_a_version_at_once_make_one(server: EmbeddedServer, alice: AimdClient, folder: str) -> None:
    names = [alice.begin(folder, "a", aliases=["prod"]) for _ in range(3)]
    for name in names:
        alice.send(name, name, name.encode())
    with ThreadPoolExecutor(9) as pool:
        replies = list(pool.map(alice.finalize, names * 3))
    assert [reply.status_code for reply in replies] == [200] * 9
    found = [{reply.json()["version"] for reply in replies[at::3]} for at in range(3)]
    assert sorted(found, key=str) == [{"v1"}, {"v2"}, {"v3"}]
    again = alice.finalize(names[0])
    assert again.json()["commit"] == replies[0].json()["commit"]
    assert rows(server) == NONE


def test_who_asks_again_after_a_crash_gets_what_was_made(
    server: EmbeddedServer, alice: AimdClient, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = alice.begin(folder, "a", aliases=["prod"])
    alice.send(name, "x", BLOB)
    before = alice.show(name).json()

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    # Between the pack and the refs, and within the transaction: nothing has happened.
    for place in ("_end", "land"):
        with monkeypatch.context() as cut:
            cut.setattr(sealing, place, die)
            with pytest.raises((ConnectionError, AssertionError)):
                assert alice.finalize(name).status_code == 200
        assert alice.show(name).json() == before
        assert alice.get(ARTIFACTS, folder=folder, repo="a").status_code == 404
    # Behind it: the answer was lost, and the version is there.
    first = alice.finalize(name)
    assert first.json()["version"] == "v1"
    assert alice.finalize(name).content == first.content
    assert alice.get(ARTIFACTS, folder=folder, repo="a", tag="prod").content == first.content


def test_protections_and_locks_hold_for_uploads(server: EmbeddedServer, alice: AimdClient, folder: str) -> None:
    alice.upload(folder, "a", {"x": b"1"})
    protections = server.site.protections
    protections.protect(SYSTEM, "alice/default/a", "aliases/prod", "nobody", "")
    name = alice.begin(folder, "a", aliases=["prod"])
    refused = alice.finalize(name)
    assert (refused.status_code, refused.text) == (403, "refs/aliases/prod: protected: nobody may move it")
    assert alice.get(ARTIFACTS, folder=folder, repo="a").json()["version"] == "v1"
    protections.protect(SYSTEM, "alice/default/a", "aliases/prod", "nobody", "", is_on=False)
    server.site.folders.share(SYSTEM, "alice/default", "user", "admin", "edit")
    lock = Client(server.url, server.admin_key).request(
        "POST",
        "/alice/default/a.git/info/lfs/locks",
        b'{"path": "x"}',
        {"Content-Type": "application/vnd.git-lfs+json"},
    )
    assert lock.status == 201
    refused = alice.finalize(name)
    assert (refused.status_code, refused.text) == (403, "refs/heads/main: 'x' is locked by admin")
    alice.send(name, "x", b"1")
    assert alice.finalize(name).json()["version"] == "v2"


def test_an_object_and_a_folder_in_one_place_are_no_version(alice: AimdClient, folder: str) -> None:
    name = alice.begin(folder, "a")
    alice.send(name, "x/y", b"1")
    alice.send(name, "x", b"1")
    refused = alice.finalize(name)
    assert (refused.status_code, refused.text) == (400, "'x' is an object, and 'x/y' would lie below it")


def test_a_pointer_is_no_content(alice: AimdClient, folder: str) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 5\n" % (b"a" * 64)
    name = alice.begin(folder, "a")
    assert alice.send(name, "x", pointer).status_code == 400
    assert alice.send_parts(name, "x", [pointer[:50], pointer[50:]]).status_code == 400
    assert alice.ls(name) == {}


def test_attributes_that_are_uploaded_say_what_git_keeps(alice: AimdClient, folder: str) -> None:
    own = b"*.bin filter=lfs diff=lfs merge=lfs -text\n"
    objects = {
        ".gitattributes": own,
        "sub/.gitattributes": b"*.bin !filter\n",
        "a.bin": BLOB,
        "sub/b.bin": BLOB,
        "c": BLOB,
    }
    told = alice.upload(folder, "a", objects)
    client = Client(alice.url, alice.key)
    listed = client.request("GET", "/api/v1/objects/default/a").json()["objects"]
    assert {one["path"] for one in listed if "oid" in one} == {"a.bin"}
    assert set(alice.ls(told["metadata"]["id"])) == set(objects)


def test_a_large_text_is_kept_outside_git(server: EmbeddedServer, alice: AimdClient, folder: str) -> None:
    large = b"# title\n" * (17 << 17)
    told = alice.upload(folder, "a", {"notes [1]*.md": large, "small.md": b"#\n"})
    listed = Client(alice.url, alice.key).request("GET", "/api/v1/objects/default/a").json()["objects"]
    assert {one["path"] for one in listed if "oid" in one} == {"notes [1]*.md"}
    assert alice.download(told["metadata"]["id"], "notes [1]*.md").content == large


def test_the_id_in_a_commit_is_the_version_s_if_it_is_free(
    server: EmbeddedServer, alice: AimdClient, folder: str
) -> None:
    taken = alice.upload(folder, "a", {})["metadata"]["id"]
    begun, free = alice.begin(folder, "a"), str(uuid4())
    client = Client(server.url, alice.key)

    def push(artifact: str, wish: str) -> dict[str, object]:
        made = Made()
        commit = made.commit(made.tree([]), message=b"m\n\nAimd-Id: " + wish.encode() + b"\n")
        report = report_of(client.push(f"default/{artifact}", [(None, commit, MAIN)], made.pack()))
        assert report == ["unpack ok", f"ok {MAIN}"]
        told = alice.get(ARTIFACTS, folder=folder, repo=artifact).json()
        assert told["commit"] == commit
        return dict(told["metadata"])

    assert push("b", free)["id"] == free
    for number, wish in enumerate((taken, begun, free, "no uuid")):
        found = str(push(f"c{number}", wish)["id"])
        assert found not in (taken, begun, free) and UUID(found).version == 5
    assert alice.finalize(begun).json()["metadata"]["id"] == begun


def test_versions_from_before_there_were_ids_get_theirs_when_they_are_named(
    server: EmbeddedServer, alice: AimdClient, folder: str
) -> None:
    made = alice.upload(folder, "a", {"x": b"1"})
    first_version(Client(server.url, alice.key), "default/b")
    pushed = alice.get(ARTIFACTS, folder=folder, repo="b").json()
    with server.site.database.write() as connection:
        connection.execute(delete(aimd_versions))
    for told, repo in ((made, "a"), (pushed, "b")):
        assert alice.show(told["metadata"]["id"]).status_code == 404
        assert alice.get(ARTIFACTS, folder=folder, repo=repo, tag="v1").json() == told
        assert alice.show(told["metadata"]["id"]).json() == told


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    limits = Limits(form_blob_bytes=1000, part_bytes=2000, blob_bytes=3000, parts=2)
    with EmbeddedServer(tmp_path / "srv", limits=limits) as server:
        alice = AimdClient(server.url, server.admin_key or "")
        name = alice.begin(alice.make_folder("default"), "a")
        assert [alice.send(name, "x", b"1" * size).status_code for size in (1000, 1001, 3 << 20)] == [200, 413, 413]
        path = f"{ARTIFACTS}/{name}/multipart/{alice.post(f'{ARTIFACTS}/{name}/multipart', key='p').json()['uploadId']}"
        sizes = ((1, 2001, 413), (1, 2000, 200), (2, 2000, 200), (3, 1, 400))
        for number, size, status in sizes:
            assert alice.put(path, data=b"1" * size, key="p", partNum=number).status_code == status
        etag = alice.put(path, data=b"1" * 2000, key="p", partNum=2).json()["etag"]
        both = [{"etag": etag, "partNumber": number} for number in (1, 2)]
        assert alice.post(path, json={"parts": both}, key="p").status_code == 413
        assert alice.post(path, json={"parts": both[:1]}, key="p").status_code == 200
        assert {key: size for key, (size, _) in alice.ls(name).items()} == {"p": 2000, "x": 1000}


def test_many_objects_are_one_version(server: EmbeddedServer, alice: AimdClient, folder: str) -> None:
    name = alice.begin(folder, "a")
    with ThreadPoolExecutor(8) as pool:
        assert {
            one.status_code for one in pool.map(lambda n: alice.send(name, f"d{n % 7}/{n}", b"%d" % n), range(100))
        } == {200}
    assert alice.finalize(name).status_code == 200
    assert len(alice.ls(name)) == 100


def test_a_part_that_a_restored_server_lacks_is_sent_again(
    server: EmbeddedServer, alice: AimdClient, folder: str, tmp_path: Path
) -> None:
    name = alice.begin(folder, "a")
    path = f"{ARTIFACTS}/{name}/multipart/{alice.post(f'{ARTIFACTS}/{name}/multipart', key='p').json()['uploadId']}"
    part = b"part\n" * 20_000
    etag = alice.put(path, data=part, key="p", partNum=1).json()["etag"]
    server.site.storage.keeping.take([Oid(sha256(part).hexdigest())], 1 << 40)
    for batch in server.site.storage.keeping.batches():
        server.site.storage.keeping.empty(batch.name)
    wish = {"parts": [{"etag": etag, "partNumber": 1}]}
    lost = alice.post(path, json=wish, key="p")
    assert (lost.status_code, lost.text) == (400, "part 1 is lost, send it again")
    alice.put(path, data=part, key="p", partNum=1)
    assert alice.post(path, json=wish, key="p").status_code == 200
