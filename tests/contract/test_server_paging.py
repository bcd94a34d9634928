"""Lists that can grow: a page at a time, whatever is asked for; and what a client has already is not sent again."""

from collections.abc import Callable

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.rights import SYSTEM
from aimdvc.server.routes import ROUTES
from tests.contract.git_packs import Made
from tests.contract.server_client import MAIN, Client, first_version, report_of, version_with

NAMES = [f"n{at:02}" for at in range(5)]
ALIASES = "/api/v1/aliases/admin/a"


def fill(server: EmbeddedServer, client: Client) -> None:
    """Makes five of each."""
    site = server.site
    commit = first_version(client, "a")
    admin = site.accounts.user("admin").id
    for name in NAMES:
        user = site.accounts.add_user(name)
        site.accounts.add_group(name)
        site.accounts.add_key(admin, "read", name)
        site.folders.make(SYSTEM, f"admin/folder/{name}")
        site.folders.share(SYSTEM, "admin/folder", "user", name, "view")
        site.protections.protect(SYSTEM, "admin/folder", "aliases/x", "user", name)
        site.quotas.set(f"user:{name}", 10)
        assert user
    client.push("a", [(None, commit, f"refs/aliases/{name}") for name in NAMES], Made().pack())


LISTS: dict[str, tuple[str, Callable[[dict[str, str]], str]]] = {
    "/api/v1/users": ("users", lambda one: one["name"]),
    "/api/v1/groups": ("groups", lambda one: one["name"]),
    "/api/v1/keys": ("keys", lambda one: one["name"]),
    "/api/v1/folders": ("nodes", lambda one: one["path"]),
    "/api/v1/folders/admin/folder": ("nodes", lambda one: one["path"][-3:]),
    "/api/v1/shares/admin/folder": ("shares", lambda one: one["subject"]),
    "/api/v1/protections/admin/folder": ("protections", lambda one: one["subject"]),
    "/api/v1/quotas": ("quotas", lambda one: one["subject"][5:]),
    ALIASES: ("aliases", str),
}


def test_each_list_comes_a_page_at_a_time(server: EmbeddedServer, client: Client) -> None:
    fill(server, client)
    for url, (member, name) in LISTS.items():
        whole = [name(one) for one in client.request("GET", url).json()[member]]
        # What has more members than these begins with them, or ends.
        assert set(NAMES) <= set(whole) and len(whole) == len(set(whole)), url
        found: list[str] = []
        cursor = ""
        while True:
            page = client.request("GET", f"{url}?limit=2{cursor}").json()
            assert 1 <= len(page[member]) <= 2
            found += [name(one) for one in page[member]]
            if "next_cursor" not in page:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert sorted(found) == sorted(whole) and len(found) == len(whole), url


def test_no_page_is_larger_than_it_may_be_and_made_up_cursors_are_refused(
    server: EmbeddedServer, client: Client
) -> None:
    fill(server, client)
    paged = [route.path for route in ROUTES if "cursor" in route.query and route.path.startswith("/api/")]
    assert len(paged) >= len(LISTS)
    for url in paged:
        asked = url.format(path="admin/folder" if "folder" in url else "admin/a")
        asked += "?old=v1&new=v1&" if "diff" in url else "?"
        for fine in ("limit=999999999999", "limit=0"):
            assert client.request("GET", f"{asked}{fine}").status == 200, asked
        for wrong in ("-1", "1e3", "x", "99999999999999999999"):
            assert client.request("GET", f"{asked}limit={wrong}").status == 422, asked
        for made_up in ("x", "%00", "bnVsbA==", "WyJceDAwIl0=", "WzFd", "WyJcdTAwMDAiXQ==", "WyJcdWQ4MDAiXQ==", "[["):
            assert client.request("GET", f"{asked}cursor={made_up}").status in (200, 400, 422), (asked, made_up)


def test_what_a_client_has_is_not_sent_again_until_it_changes(server: EmbeddedServer, client: Client) -> None:
    commit = first_version(client, "a")
    urls = [f"/api/v1/{kind}/admin/a" for kind in ("artifacts", "versions", "aliases", "objects")]
    urls.append("/api/v1/diff/admin/a?old=v1")
    tags = {}
    for url in urls:
        reply = client.request("GET", url)
        assert (reply.status, reply.headers["cache-control"]) == (200, "private, no-cache")
        tags[url] = reply.headers["etag"]
        for header in (tags[url], f'"x", W/{tags[url]}', "*"):
            again = client.request("GET", url, headers={"If-None-Match": header})
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", tags[url])
        assert client.request("GET", url, headers={"If-None-Match": '"x"'}).status == 200
        assert client.request("GET", f"{url}{'&' if '?' in url else '?'}limit=1").headers["etag"] != tags[url]
    made = Made()
    second = version_with(made, parents=(commit,))
    assert report_of(client.push("a", [(commit, second, MAIN)], made.pack()))[0] == "unpack ok"
    for url in urls:
        assert client.request("GET", url, headers={"If-None-Match": tags[url]}).status == 200
    # It is another's answer where somebody else asks.
    server.site.folders.share(SYSTEM, "admin/a", "everyone", "", "view")
    tag = client.request("GET", urls[0]).headers["etag"]
    assert client.request("GET", urls[0], headers={"If-None-Match": tag}, key=False).status == 200
