"""A server's port: shared by its own processes, and by nobody else."""

import socket
import sys
import time

import pytest

from aimdvc.server.listening import listen_apart


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the processes share one socket")
def test_connections_that_come_together_are_dealt_out() -> None:
    sockets = listen_apart("127.0.0.1", 0, 2)
    clients = [socket.create_connection(sockets[0].getsockname()) for _ in range(64)]
    time.sleep(0.1)
    taken = [_accepted(sock) for sock in sockets]
    for sock in (*sockets, *clients, *taken[0], *taken[1]):
        sock.close()
    assert len(taken[0]) + len(taken[1]) == 64
    # All on one side would be a chance of one to 2 ** 63.
    assert min(len(taken[0]), len(taken[1])) > 0


def test_a_port_that_another_server_has_is_taken() -> None:
    sockets = listen_apart("127.0.0.1", 0, 2)
    port = sockets[0].getsockname()[1]
    with pytest.raises(OSError, match="in use"):
        listen_apart("127.0.0.1", port, 2)
    for sock in sockets:
        sock.close()
    for sock in listen_apart("127.0.0.1", port, 2):
        sock.close()


def _accepted(sock: socket.socket) -> list[socket.socket]:
    found = []
    try:
        while True:
            found.append(sock.accept()[0])
    except BlockingIOError:
        return found
