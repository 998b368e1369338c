"""One file over HTTP on this machine, by a server that can misbehave."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class FileServer(ThreadingHTTPServer):
    """Change its attributes to change its manners. `requests` are the headers it saw."""

    daemon_threads = True

    def __init__(self, content: bytes, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.etag: str | None = '"first"'
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.has_ranges = True
        self.checks_if_range = True
        self.claimed_bytes: int | None = None  # its Content-Length
        self.sent_bytes: int | None = None  # after which it hangs up
        self.gate = threading.Event()  # the second half waits for it
        self.gate.set()
        self.paths: list[str] = []
        self.requests: list[dict[str, str]] = []
        self._scheme = "https" if context else "http"
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def url(self, path: str = "/tiny.gguf", user: str = "") -> str:
        return f"{self._scheme}://{user}127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves early is no news."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.gate.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def do_GET(self) -> None:
        server = self.server
        server.paths.append(self.path)
        server.requests.append(dict(self.headers))
        start = self._start()
        if server.status:
            self._answer(server.status, b"", {})
        elif start and start >= len(server.content):
            self._answer(416, b"", {"Content-Range": f"bytes */{len(server.content)}"})
        elif start:
            last = len(server.content) - 1
            range_ = {"Content-Range": f"bytes {start}-{last}/{last + 1}"}
            self._answer(206, server.content[start:], range_)
        else:
            self._answer(200, server.content, {})

    def _start(self) -> int:
        wanted = self.headers.get("Range", "bytes=0-")
        changed = self.headers.get("If-Range") != self.server.etag
        if not self.server.has_ranges or (changed and self.server.checks_if_range):
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        server = self.server
        self.send_response(status)
        self.send_header("Content-Length", str(server.claimed_bytes or len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        for name, value in {**headers, **server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self._send(body if server.sent_bytes is None else body[: server.sent_bytes])
        self.close_connection = server.sent_bytes is not None or server.claimed_bytes is not None

    def _send(self, body: bytes) -> None:
        middle = len(body) // 2
        self.wfile.write(body[:middle])
        self.wfile.flush()
        self.server.gate.wait(10)
        self.wfile.write(body[middle:])

    def log_message(self, *args: object) -> None:
        """Not on standard error."""
