"""Every route of the table, asked by every role with every scope of key: what comes of it follows from the table.

A route without its row here fails.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from uuid import UUID, uuid4

import pytest

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.rights import SCOPES, SYSTEM, Rights
from aimdvc.server.routes import ROUTES
from aimdvc.server.routing import Route
from tests.contract.aimd_client import ARTIFACTS, AimdClient
from tests.contract.git_packs import Made
from tests.contract.server_client import LFS, Client, pkt

MAIN = "refs/heads/main"
JSON = "application/json"
OID = "ab" * 32
ETAG = "c4ca4238a0b923820dcc509a6f75849b"
"""The MD5 of `1`."""
GIVEN = {
    "anonymous": Rights.NONE,
    "stranger": Rights.NONE,
    "viewer": Rights.VIEW,
    "editor": Rights.EDIT,
    "alice": Rights.OWN,
    "admin": Rights.OWN,
}
_CAP = {"read": Rights.VIEW, "write": Rights.EDIT, "admin": Rights.OWN}


@dataclass(frozen=True)
class Sample:
    """A request that succeeds for whoever may: `needs` is what it takes on alice's node, NONE where it is of none.

    `is_own`: a stranger means a place of their own, and has it made. `then` is the status of success.
    `is_for_all`: whoever asks gets what they see. `is_alices`: there for her alone, whatever others may.
    """

    url: str
    body: bytes | None = None
    kind: str = JSON
    needs: Rights = Rights.NONE
    is_own: bool = False
    is_for_all: bool = False
    is_alices: bool = False
    then: int = 200


class Place:
    """A server with somebody in each role, and what the samples ask for."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self.accounts = server.site.accounts
        self.folders = server.site.folders
        self.numbers = count()
        self.uploads = self.new()
        self.ids = {"admin": self.accounts.user("admin").id}
        for name in ("stranger", "viewer", "editor", "alice"):
            self.ids[name] = self.accounts.add_user(name)
        self.accounts.add_group("team")
        made = Made()
        self.commit = made.commit(made.tree([]))
        self.client("alice", "admin").push("data/a", [(None, self.commit, MAIN)], made.pack())
        self.folders.share(SYSTEM, "alice/data", "user", "viewer", "view")
        self.folders.share(SYSTEM, "alice/data", "user", "editor", "edit")

    def client(self, role: str, scope: str) -> Client:
        key = None if role == "anonymous" else self.accounts.add_key(self.ids[role], scope)
        return Client(self.server.url, key)

    def new(self) -> str:
        return f"x{next(self.numbers)}"

    def lock(self) -> str:
        url = "/alice/data/a.git/info/lfs/locks"
        body = json.dumps({"path": self.new()}).encode()
        reply = self.client("alice", "write").request("POST", url, body, {"Content-Type": LFS})
        return str(reply.json()["lock"]["id"])

    def key_of(self, role: str) -> str:
        self.accounts.add_key(self.ids.get(role, self.ids["alice"]), "read")
        return self.accounts.list_keys(self.ids.get(role, self.ids["alice"]))[-1].id

    def id(self, path: str) -> str:
        """Returns the id of a node as AIMD clients write it."""
        return str(UUID(hex=self.folders.id_of(SYSTEM, path)))

    def named_trial(self) -> str:
        """Makes a trial and returns its name."""
        trial = self.trial()
        reply = self.client("alice", "read").request("GET", f"/apis/v1/trials/{trial}")
        return str(reply.json()["doc"]["metadata"]["name"])

    def trial(self) -> str:
        """Makes a trial in alice's folder and returns its id."""
        message = {"metadata": {"name": self.new(), "folder": self.id("alice/data")}}
        reply = self.client("alice", "write").request("POST", "/apis/v1/trials", json.dumps(message).encode())
        return str(reply.json()["id"])

    def draft(self) -> str:
        """Returns the URL of what alice is uploading, with one object."""
        alice = AimdClient(self.server.url, self.accounts.add_key(self.ids["alice"], "write"))
        name = alice.begin(self.id("alice/data"), self.uploads)
        assert alice.send(name, "x", b"1").status_code == 200
        return f"{ARTIFACTS}/{name}"

    def parts(self, with_one: bool = True) -> str:
        """Returns the URL of an object that alice is uploading in parts, the first of which came."""
        alice = AimdClient(self.server.url, self.accounts.add_key(self.ids["alice"], "write"))
        draft = self.draft()
        url = f"{draft}/multipart/{alice.post(f'{draft}/multipart', key='y').json()['uploadId']}"
        assert not with_one or alice.put(url, data=b"1", key="y", partNum=1).json() == {"etag": ETAG}
        return url

    def version(self) -> str:
        """Returns the URL of the version of alice's artifact."""
        alice = AimdClient(self.server.url, self.accounts.add_key(self.ids["alice"], "read"))
        told = alice.get(ARTIFACTS, folder=self.id("alice/data"), repo="a").json()
        return f"{ARTIFACTS}/{told['metadata']['id']}"

    def folder(self) -> str:
        return self.folders.make(SYSTEM, f"alice/data/{self.new()}")

    def group(self) -> str:
        name = self.new()
        self.accounts.add_group(name)
        return name

    def removed(self) -> str:
        return self.server.site.removals.remove(SYSTEM, self.folder()).path


def body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


A = "/alice/data/a.git"
UPLOAD, RECEIVE = ("application/x-git-upload-pack-request", "application/x-git-receive-pack-request")
VIEW, EDIT, OWN = Rights.VIEW, Rights.EDIT, Rights.OWN
SAMPLES: dict[tuple[str, str], Callable[[Place, str], Sample]] = {
    ("GET", "/api/v1/whoami"): lambda at, role: Sample("/api/v1/whoami"),
    ("GET", "/api/v1/users"): lambda at, role: Sample("/api/v1/users"),
    ("POST", "/api/v1/users"): lambda at, role: Sample("/api/v1/users", body(name=at.new()), then=201),
    ("PATCH", "/api/v1/users/{user}"): lambda at, role: Sample("/api/v1/users/stranger", body(is_disabled=False)),
    ("GET", "/api/v1/groups"): lambda at, role: Sample("/api/v1/groups"),
    ("POST", "/api/v1/groups"): lambda at, role: Sample("/api/v1/groups", body(name=at.new()), then=201),
    ("DELETE", "/api/v1/groups/{group}"): lambda at, role: Sample(f"/api/v1/groups/{at.group()}", then=204),
    ("PUT", "/api/v1/groups/{group}/members/{user}"): lambda at, role: Sample(
        "/api/v1/groups/team/members/alice", then=204
    ),
    ("DELETE", "/api/v1/groups/{group}/members/{user}"): lambda at, role: Sample(
        "/api/v1/groups/team/members/alice", then=204
    ),
    ("GET", "/api/v1/audit"): lambda at, role: Sample("/api/v1/audit"),
    ("GET", "/api/v1/stats"): lambda at, role: Sample("/api/v1/stats?path=alice/data"),
    ("GET", "/api/v1/keys"): lambda at, role: Sample("/api/v1/keys"),
    ("POST", "/api/v1/keys"): lambda at, role: Sample("/api/v1/keys", body(name="x", scope="read"), then=201),
    ("DELETE", "/api/v1/keys/{key}"): lambda at, role: Sample(f"/api/v1/keys/{at.key_of(role)}", then=204),
    ("GET", "/api/v1/nodes/{node}"): lambda at, role: Sample(
        f"/api/v1/nodes/{at.folders.id_of(SYSTEM, 'alice/data/a')}", needs=VIEW
    ),
    ("GET", "/api/v1/folders"): lambda at, role: Sample("/api/v1/folders"),
    ("GET", "/api/v1/folders/{path}"): lambda at, role: Sample("/api/v1/folders/alice/data", needs=VIEW),
    ("PUT", "/api/v1/folders/{path}"): lambda at, role: Sample(
        f"/api/v1/folders/alice/data/{at.new()}", needs=EDIT, is_own=True, then=201
    ),
    ("PATCH", "/api/v1/folders/{path}"): lambda at, role: Sample(
        f"/api/v1/folders/{at.folder()}", body(to=f"alice/data/{at.new()}"), needs=EDIT
    ),
    ("DELETE", "/api/v1/folders/{path}"): lambda at, role: Sample(f"/api/v1/folders/{at.folder()}", needs=OWN),
    ("GET", "/api/v1/removed"): lambda at, role: Sample("/api/v1/removed"),
    ("POST", "/api/v1/removed"): lambda at, role: Sample("/api/v1/removed", body(path=at.removed())),
    ("GET", "/api/v1/shares/{path}"): lambda at, role: Sample("/api/v1/shares/alice/data/a", needs=OWN),
    ("PUT", "/api/v1/shares/{path}"): lambda at, role: Sample(
        "/api/v1/shares/alice/data/a", body(kind="group", subject="team", may="view"), needs=OWN
    ),
    ("DELETE", "/api/v1/shares/{path}"): lambda at, role: Sample(
        "/api/v1/shares/alice/data/a?kind=group&subject=team", needs=OWN
    ),
    ("GET", "/api/v1/protections/{path}"): lambda at, role: Sample("/api/v1/protections/alice/data/a", needs=OWN),
    ("PUT", "/api/v1/protections/{path}"): lambda at, role: Sample(
        "/api/v1/protections/alice/data/a", body(pattern="aliases/x", kind="user", subject="alice"), needs=OWN
    ),
    ("DELETE", "/api/v1/protections/{path}"): lambda at, role: Sample(
        "/api/v1/protections/alice/data/a?pattern=aliases/x&kind=nobody", needs=OWN
    ),
    ("GET", "/api/v1/quotas"): lambda at, role: Sample("/api/v1/quotas"),
    ("PUT", "/api/v1/quotas"): lambda at, role: Sample("/api/v1/quotas", body(subject="user:stranger", size=1 << 40)),
    ("DELETE", "/api/v1/quotas"): lambda at, role: Sample("/api/v1/quotas?subject=user:stranger", then=204),
    ("GET", "/api/v1/search"): lambda at, role: Sample("/api/v1/search?q=a", is_for_all=True),
    ("GET", "/api/v1/artifacts/{path}"): lambda at, role: Sample("/api/v1/artifacts/alice/data/a", needs=VIEW),
    ("GET", "/api/v1/versions/{path}"): lambda at, role: Sample("/api/v1/versions/alice/data/a", needs=VIEW),
    ("GET", "/api/v1/aliases/{path}"): lambda at, role: Sample("/api/v1/aliases/alice/data/a", needs=VIEW),
    ("PUT", "/api/v1/refs/{path}"): lambda at, role: Sample(
        "/api/v1/refs/alice/data/a", body(ref="main", commit=at.commit)
    ),
    ("GET", "/api/v1/moves/{path}"): lambda at, role: Sample("/api/v1/moves/alice/data/a", needs=VIEW),
    ("GET", "/api/v1/objects/{path}"): lambda at, role: Sample("/api/v1/objects/alice/data/a", needs=VIEW),
    ("GET", "/api/v1/lineage/{path}"): lambda at, role: Sample("/api/v1/lineage/alice/data/a?depth=3", needs=VIEW),
    ("GET", "/api/v1/diff/{path}"): lambda at, role: Sample("/api/v1/diff/alice/data/a?old=v1&new=main", needs=VIEW),
    ("GET", "/api/v1/trials/{path}"): lambda at, role: Sample("/api/v1/trials/alice/data", needs=VIEW),
    ("GET", "/api/v1/compare/trials"): lambda at, role: Sample(
        f"/api/v1/compare/trials?trials={at.trial()},{at.trial()}", needs=VIEW
    ),
    ("GET", "/oauth2/userinfo"): lambda at, role: Sample("/oauth2/userinfo"),
    ("GET", "/apis/v1/folders"): lambda at, role: Sample("/apis/v1/folders"),
    ("POST", "/apis/v1/folders"): lambda at, role: Sample(
        "/apis/v1/folders", body(metadata={"name": at.new(), "folder": at.id("alice/data")}), needs=EDIT
    ),
    ("GET", "/apis/v1/folders/id"): lambda at, role: Sample("/apis/v1/folders/id?path=/alice/data", needs=VIEW),
    ("GET", "/apis/v1/folders/{folder}"): lambda at, role: Sample(
        f"/apis/v1/folders/{at.id('alice/data')}", needs=VIEW
    ),
    ("GET", "/apis/v1/repos"): lambda at, role: Sample("/apis/v1/repos?scope=all"),
    ("POST", "/apis/v1/trials"): lambda at, role: Sample(
        "/apis/v1/trials",
        body(metadata={"name": at.new(), "id": str(uuid4()), "folder": at.id("alice/data")}),
        needs=EDIT,
    ),
    ("GET", "/apis/v1/trials/id"): lambda at, role: Sample(
        f"/apis/v1/trials/id?folder={at.id('alice/data')}&name={at.named_trial()}", needs=VIEW
    ),
    ("GET", "/apis/v1/trials/{trial}"): lambda at, role: Sample(f"/apis/v1/trials/{at.trial()}", needs=VIEW),
    ("PUT", "/apis/v1/trials/{trial}"): lambda at, role: Sample(
        f"/apis/v1/trials/{at.trial()}", body(status="Running"), needs=EDIT
    ),
    ("DELETE", "/apis/v1/trials/{trial}"): lambda at, role: Sample(f"/apis/v1/trials/{at.trial()}", needs=EDIT),
    ("POST", "/apis/v1/trials/{trial}/status"): lambda at, role: Sample(
        f"/apis/v1/trials/{at.trial()}/status", body(status="Failed"), needs=EDIT
    ),
    ("GET", "/apis/v1/trials/{trial}/parameters"): lambda at, role: Sample(
        f"/apis/v1/trials/{at.trial()}/parameters", needs=VIEW
    ),
    ("POST", "/apis/v1/trials/{trial}/parameters"): lambda at, role: Sample(
        f"/apis/v1/trials/{at.trial()}/parameters", body(lr=1), needs=EDIT
    ),
    ("POST", "/apis/v1/trials/{trial}/metrics/{type}"): lambda at, role: Sample(
        f"/apis/v1/trials/{at.trial()}/metrics/train?start=0", body(value={"loss": 1}), needs=EDIT
    ),
    ("GET", "/apis/v1/trials/{trial}/metrics"): lambda at, role: Sample(
        f"/apis/v1/trials/{at.trial()}/metrics", needs=VIEW
    ),
    ("POST", ARTIFACTS): lambda at, role: Sample(
        f"{ARTIFACTS}?folder={at.id('alice/data')}&repo={at.new()}&type=x",
        body(metadata={"id": str(uuid4())}, aliases=["prod"]),
        needs=EDIT,
    ),
    ("GET", ARTIFACTS): lambda at, role: Sample(f"{ARTIFACTS}?folder={at.id('alice/data')}&repo=a", needs=VIEW),
    ("GET", f"{ARTIFACTS}/{{id}}"): lambda at, role: Sample(at.version(), needs=VIEW),
    ("PUT", f"{ARTIFACTS}/{{id}}/finalize"): lambda at, role: Sample(f"{at.draft()}/finalize", is_alices=True),
    ("GET", f"{ARTIFACTS}/{{id}}/objects/ls"): lambda at, role: Sample(f"{at.version()}/objects/ls", needs=VIEW),
    ("GET", f"{ARTIFACTS}/{{id}}/objects"): lambda at, role: Sample(f"{at.draft()}/objects?key=x", is_alices=True),
    ("POST", f"{ARTIFACTS}/{{id}}/objects"): lambda at, role: Sample(
        f"{at.draft()}/objects?key=y",
        b'--b\r\nContent-Disposition: form-data; name="content"\r\n\r\n1\r\n--b--\r\n',
        "multipart/form-data; boundary=b",
        is_alices=True,
    ),
    ("POST", f"{ARTIFACTS}/{{id}}/multipart"): lambda at, role: Sample(f"{at.draft()}/multipart?key=y", is_alices=True),
    ("PUT", f"{ARTIFACTS}/{{id}}/multipart/{{upload}}"): lambda at, role: Sample(
        f"{at.parts(with_one=False)}?key=y&partNum=1", b"1", "application/octet-stream", is_alices=True
    ),
    ("POST", f"{ARTIFACTS}/{{id}}/multipart/{{upload}}"): lambda at, role: Sample(
        f"{at.parts()}?key=y", body(parts=[{"etag": ETAG, "partNumber": 1}]), is_alices=True
    ),
    ("GET", "/{artifact}/info/refs"): lambda at, role: Sample(f"{A}/info/refs?service=git-upload-pack", needs=VIEW),
    ("POST", "/{artifact}/git-upload-pack"): lambda at, role: Sample(
        f"{A}/git-upload-pack",
        pkt(f"want {at.commit} side-band-64k thin-pack ofs-delta\n".encode()) + b"0000" + pkt(b"done\n"),
        UPLOAD,
        VIEW,
    ),
    ("POST", "/{artifact}/git-receive-pack"): lambda at, role: Sample(
        f"{A}/git-receive-pack", b"0000", RECEIVE, EDIT, True
    ),
    ("POST", "/{artifact}/info/lfs/objects/batch"): lambda at, role: Sample(
        f"{A}/info/lfs/objects/batch", body(operation="download", objects=[{"oid": OID, "size": 1}]), LFS, VIEW
    ),
    ("POST", "/{artifact}/info/lfs/objects/verify"): lambda at, role: Sample(
        f"{A}/info/lfs/objects/verify", body(oid=OID, size=1), LFS
    ),
    ("PUT", "/{artifact}/info/lfs/objects/{oid}"): lambda at, role: Sample(f"{A}/info/lfs/objects/{OID}", b"x"),
    ("GET", "/{artifact}/info/lfs/objects/{oid}"): lambda at, role: Sample(f"{A}/info/lfs/objects/{OID}"),
    ("HEAD", "/{artifact}/info/lfs/objects/{oid}"): lambda at, role: Sample(f"{A}/info/lfs/objects/{OID}"),
    ("PATCH", "/{artifact}/info/lfs/objects/{oid}"): lambda at, role: Sample(
        f"{A}/info/lfs/objects/{OID}", b"x", "application/offset+octet-stream"
    ),
    ("OPTIONS", "/{artifact}/info/lfs/objects/{oid}"): lambda at, role: Sample(f"{A}/info/lfs/objects/{OID}"),
    ("POST", "/{artifact}/info/lfs/aimd-pack"): lambda at, role: Sample(f"{A}/info/lfs/aimd-pack", body(oids=[OID])),
    ("GET", "/{artifact}/info/lfs/locks"): lambda at, role: Sample(f"{A}/info/lfs/locks", needs=VIEW),
    ("POST", "/{artifact}/info/lfs/locks"): lambda at, role: Sample(
        f"{A}/info/lfs/locks", body(path=at.new()), LFS, EDIT, then=201
    ),
    ("POST", "/{artifact}/info/lfs/locks/verify"): lambda at, role: Sample(
        f"{A}/info/lfs/locks/verify", body(), LFS, EDIT, True
    ),
    ("POST", "/{artifact}/info/lfs/locks/{lock}/unlock"): lambda at, role: Sample(
        f"{A}/info/lfs/locks/{at.lock()}/unlock", body(force=True), LFS, EDIT
    ),
}
"""A request for each route, by method and path."""


def expected(route: Route, sample: Sample, role: str, scope: str) -> int:
    """Returns the status that the table and the rights come to."""
    status = judged(route, sample, role, scope)
    return route.errors.told(status, "")[0] if route.errors is not None else status


def judged(route: Route, sample: Sample, role: str, scope: str) -> int:
    """Returns the status as it is everywhere but where clients know others."""
    if route.door == "signed":
        return 403
    if sample.is_for_all:
        return sample.then
    may = min(GIVEN[role], _CAP[scope])
    if role == "anonymous":
        return 401
    if SCOPES.index(scope) < SCOPES.index(route.scope) or (route.door == "admin" and role != "admin"):
        return 403
    if sample.is_alices and role != "alice":
        return 404
    if sample.needs == Rights.NONE or may >= sample.needs or (role == "stranger" and sample.is_own):
        return sample.then
    return 404 if may < Rights.VIEW else 403


def test_every_route_has_its_row() -> None:
    assert set(SAMPLES) == {(route.method, route.path) for route in ROUTES}


@pytest.fixture
def place(server: EmbeddedServer) -> Place:
    return Place(server)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_who_may_what_follows_from_the_table(place: Place, route: Route) -> None:
    found, wanted = {}, {}
    for role in GIVEN:
        for scope in SCOPES:
            sample = SAMPLES[route.method, route.path](place, role)
            client = place.client(role, scope)
            headers = {"Content-Type": sample.kind} if sample.body is not None else {}
            reply = client.request(route.method, sample.url, sample.body, headers)
            found[role, scope] = reply.status
            wanted[role, scope] = expected(route, sample, role, scope)
            if reply.status >= 400:
                assert (
                    "alice" not in reply.body.decode()
                    or place.ids.get(role) == place.ids["alice"]
                    or reply.status == 403
                )
    assert found == wanted
    # Whatever a stranger did was in a place of their own.
    refs = place.client("alice", "read").refs("alice/data/a")
    assert refs == {MAIN: place.commit, "HEAD": place.commit, "refs/tags/v1": place.commit}


def test_with_everyone_it_is_there_without_a_key(place: Place) -> None:
    place.folders.share(SYSTEM, "alice/data/a", "everyone", "", "edit")
    for route in ROUTES:
        sample = SAMPLES[route.method, route.path](place, "anonymous")
        headers = {"Content-Type": sample.kind} if sample.body is not None else {}
        status = place.client("anonymous", "read").request(route.method, sample.url, sample.body, headers).status
        shown = sample.is_for_all or (route.door == "shared" and sample.needs == Rights.VIEW)
        refused = 403 if route.door == "signed" else 401 if route.errors is None else 400
        assert status == (sample.then if shown else refused), (route.method, route.path)


def test_the_document_tells_of_every_route(server: EmbeddedServer) -> None:
    reply = Client(server.url, None).request("GET", "/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, JSON)
    paths = reply.json()["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == set(SAMPLES)
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(set(names)) == len(names)
    assert paths["/api/v1/users"]["post"]["requestBody"]["content"][JSON]["schema"]["required"] == ["name"]
    assert {} in paths["/{artifact}/info/refs"]["get"]["security"]
    assert {} not in paths["/api/v1/whoami"]["get"]["security"]
