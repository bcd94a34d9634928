"""An HTTP server that misbehaves on purpose, over a real port."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What to send. `cut` bytes of the body are sent before the connection is dropped."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    length: int | None = None


class Hostile:
    """Answers by a function of the request; keeps what it saw."""

    def __init__(self, answer: Callable[[Seen], Answer]) -> None:
        self.seen: list[Seen] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.command, self.path, headers, self.rfile.read(size))
                outer.seen.append(seen)
                made = answer(seen)
                self.send_response(made.status)
                for name, value in made.headers.items():
                    self.send_header(name, value)
                length = len(made.body) if made.length is None else made.length
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(made.body if made.cut is None else made.body[: made.cut])
                if made.cut is not None or length != len(made.body):
                    self.close_connection = True

            do_GET = do_HEAD = do_PATCH = do_POST = do_PUT = _any  # noqa: N815 - http.server's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def hostile(answer: Callable[[Seen], Answer]) -> Iterator[Hostile]:
    """Runs a misbehaving server while the `with` lasts."""
    made = Hostile(answer)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()
