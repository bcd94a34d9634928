"""An HTTP server of somebody else's, for references to lead to."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = b"what lies elsewhere\n" * 1000


class Elsewhere:
    """An HTTP server of somebody else's; what it serves can be changed."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, str]] = {"/a.csv": (CONTENT, '"one"')}
        self.redirects: dict[str, str] = {}
        self.is_short = False
        self.has_ranges = False
        self.is_careless = False
        self.length: str | None = None
        self.asked: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append({name.lower(): value for name, value in self.headers.items()})
                if self.path in outer.redirects:
                    self.send_response(302)
                    self.send_header("Location", outer.redirects[self.path])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                found = outer.files.get(self.path)
                if found is None:
                    self.send_error(404)
                    return
                start = self.headers.get("Range", "")
                is_same = outer.is_careless or self.headers.get("If-Range") == found[1]
                if outer.has_ranges and start and is_same:
                    rest = found[0][int(start[len("bytes=") : -1]) :]
                    self.send_response(206 if rest else 416)
                    size = len(found[0])
                    covered = f"{size - len(rest)}-{size - 1}" if rest else "*"
                    self.send_header("Content-Range", f"bytes {covered}/{size}")
                    self.send_header("ETag", found[1])
                    self.send_header("Content-Length", str(len(rest)))
                    self.end_headers()
                    self.wfile.write(rest)
                    return
                self.send_response(200)
                self.send_header("Content-Length", outer.length or str(len(found[0])))
                self.send_header("ETag", found[1])
                self.end_headers()
                self.wfile.write(found[0][:100] if outer.is_short else found[0])

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
