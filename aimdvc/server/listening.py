"""The listening sockets, made by us before any server runs on them: the port is known, and connections queue up.

On Linux each of several processes has one of its own on the same port, and the kernel deals out the connections. Of one
that all share the first process awake takes all that come together (docs/decisions/0021).
"""

import socket
import sys

BACKLOG = 1024
"""Connections that may wait to be accepted."""


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket; port 0 takes a free one. From here on connections queue up."""
    return listen_apart(host, port, 1)[0]


def listen_apart(host: str, port: int, count: int) -> list[socket.socket]:
    """Returns as many listening sockets on one port, or one where the system can't deal out what comes.

    Raises OSError where another server has the port: only these share it.
    """
    opened = [_listening(host, port, is_shared=False)]
    if count > 1 and sys.platform == "linux":
        try:
            # Shared only now that it listens: of two servers that begin at once one finds the port taken.
            opened[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            port = opened[0].getsockname()[1]
            for _ in range(count - 1):
                opened.append(_listening(host, port, is_shared=True))
        except OSError:
            for sock in opened:
                sock.close()
            raise
    return opened


def _listening(host: str, port: int, is_shared: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
        sock.set_inheritable(True)
    except OSError:
        sock.close()
        raise
    return sock
