"""Where connections lead: looked up once, checked, and connected to. Case C22."""

import socket

import pytest
import urllib3
from urllib3.exceptions import NewConnectionError

from aimdvc.errors import UnsafeUrl
from aimdvc.remote import addresses
from aimdvc.remote.addresses import leads_inside, with_addresses
from aimdvc.remote.urls import is_inside_address
from tests.unit.remote.hostile import Answer, hostile


@pytest.mark.parametrize("text", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"])
def test_addresses_inside(text: str) -> None:
    assert is_inside_address(text)


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_outside(text: str) -> None:
    assert not is_inside_address(text)


@pytest.mark.parametrize("name", ["localhost", "127.1", "0x7f000001"])
def test_a_name_that_leads_inside_is_not_connected_to(name: str) -> None:
    with hostile(lambda seen: Answer()) as server:
        pool = with_addresses(urllib3.PoolManager(), True)
        with pytest.raises(UnsafeUrl, match="leads into this machine"):
            pool.request("GET", server.url.replace("127.0.0.1", name), retries=False)
        assert server.seen == []


def test_the_connection_goes_to_the_address_that_was_checked_and_keeps_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The resolver stands for a name server that changes its mind; all addresses count as outside."""
    asked = []
    look_up = socket.getaddrinfo

    def changing(host: str, *arguments: object, **options: object) -> object:
        if host != "name.example.org":
            return look_up(host, *arguments, **options)  # type: ignore[arg-type]
        asked.append(host)
        return look_up("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    monkeypatch.setattr(addresses, "is_inside_address", lambda text: False)
    with hostile(lambda seen: Answer()) as server:
        pool = with_addresses(urllib3.PoolManager(), True)
        url = server.url.replace("127.0.0.1", "name.example.org")
        assert pool.request("GET", url, retries=False).status == 200
        assert asked == ["name.example.org"]
        assert server.seen[0].headers["host"].startswith("name.example.org:")


def test_a_connection_tells_where_it_led_after_it_was_closed() -> None:
    with hostile(lambda seen: Answer(headers={"Connection": "close"})) as server:
        pool = with_addresses(urllib3.PoolManager(), False)
        reply = pool.request("GET", server.url.replace("127.0.0.1", "localhost"), preload_content=False, retries=False)
        assert leads_inside(reply.connection)


def test_a_name_that_is_not_found_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver stands for a name server that fails first, and then leads inside."""
    asked = []

    def failing_once(host: str, *arguments: object, **options: object) -> object:
        asked.append(host)
        if len(asked) == 1:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look_up("127.0.0.1", *arguments, **options)  # type: ignore[arg-type]

    with hostile(lambda seen: Answer()) as server:
        look_up = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", failing_once)
        pool = with_addresses(urllib3.PoolManager(), True)
        with pytest.raises(NewConnectionError, match="Temporary failure"):
            pool.request("GET", server.url.replace("127.0.0.1", "name.example.org"), retries=False)
        assert (asked, server.seen) == (["name.example.org"], [])
