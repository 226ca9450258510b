"""A service behind the gateway: keeps what reached it and answers as it is told."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

JWKS_PATH = "/keys.json"


class Seen(NamedTuple):
    """A request as it arrived. Header names are in lower case; repeated ones are all here."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class Stub:
    """`answers` maps a path to what is done instead of the echo."""

    def __init__(self, jwks: str = '{"keys": []}') -> None:
        self.jwks = jwks
        self.seen: list[Seen] = []
        self.fetches = 0
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], object]] = {}
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @classmethod
    def closed(cls) -> Self:
        """One that has gone away: nobody listens on its port."""
        with cls() as stub:
            return stub

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port and every connection."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that went away is no fault of a stub."""


def _handler(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def handle_one_request(self) -> None:
            with suppress(ConnectionError):
                super().handle_one_request()

        def respond(self) -> None:
            path = self.path.partition("?")[0]
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if path == JWKS_PATH:
                stub.fetches += 1
                answer(self, 200, stub.jwks.encode())
                return
            headers = [(name.lower(), value) for name, value in self.headers.items()]
            stub.seen.append(Seen(self.command, self.path, headers, body))
            if path in stub.answers:
                stub.answers[path](self)
            else:
                answer(self, 200, json.dumps({"path": self.path}).encode())

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond

        def log_message(self, format: str, *args: object) -> None:
            """Tests say what went wrong."""

    return Handler


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"content_type": "application/json", **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
    handler.wfile.flush()
