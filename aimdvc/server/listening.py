"""The listening socket, made by us before any server runs on it: the port is known, and connections queue up."""

import socket

BACKLOG = 1024
"""Connections that may wait to be accepted."""


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket; port 0 takes a free one. From here on connections queue up."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
        sock.set_inheritable(True)
    except OSError:
        sock.close()
        raise
    return sock
