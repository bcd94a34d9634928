"""Connections that know whether they lead into this machine or a private network, and pools of those that never do.

A name is looked up once, its addresses are checked, and the connection goes to one that passed: what the name leads to
can't change between the check and the use. TLS still proves the name, not the address.
"""

import socket

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from aimdvc.errors import UnsafeUrl
from aimdvc.remote.urls import is_inside_address


class _Known(HTTPConnection):
    """Notes where it leads when it is made: an answer may close it before anyone asks."""

    is_inside = False

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        try:
            self.is_inside = is_inside_address(str(made.getpeername()[0]))
        except (OSError, ValueError):
            self.is_inside = False
        return made


class _Outside(_Known):
    """Goes to addresses outside only."""

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            found = socket.getaddrinfo(name, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            # Never left to a second look-up, which might succeed, and lead anywhere.
            raise NewConnectionError(self, f"failed to resolve '{name}': {error}") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        if any(is_inside_address(address) for address in addresses):
            raise UnsafeUrl(
                f"{'https' if isinstance(self, HTTPSConnection) else 'http'}://{name}",
                "leads into this machine or its network, and what redirects there is outside",
            )
        try:
            return self._connect_to(addresses)
        finally:
            self._dns_host = name

    def _connect_to(self, addresses: list[str]) -> socket.socket:
        for address in addresses[:-1]:
            self._dns_host = address
            try:
                return super()._new_conn()
            except (NewConnectionError, ConnectTimeoutError):
                continue
        self._dns_host = addresses[-1]
        return super()._new_conn()


class _SecureKnown(_Known, HTTPSConnection):
    pass


class _SecureOutside(_Outside, HTTPSConnection):
    pass


class _KnownPool(HTTPConnectionPool):
    ConnectionCls = _Known


class _SecureKnownPool(HTTPSConnectionPool):
    ConnectionCls = _SecureKnown


class _OutsidePool(HTTPConnectionPool):
    ConnectionCls = _Outside


class _SecureOutsidePool(HTTPSConnectionPool):
    ConnectionCls = _SecureOutside


def with_addresses(pool: PoolManager, only_outside: bool) -> PoolManager:
    """Returns the pool, whose connections know where they lead, or raise UnsafeUrl where they would lead inside."""
    known = {"http": _KnownPool, "https": _SecureKnownPool}
    outside = {"http": _OutsidePool, "https": _SecureOutsidePool}
    pool.pool_classes_by_scheme = outside if only_outside else known
    return pool


def leads_inside(connection: object) -> bool:
    """Returns whether a connection of such a pool leads inside; False for others."""
    return isinstance(connection, _Known) and connection.is_inside
