"""A real Envoy under test, on a port that the system chose, gone when the test is."""

import ctypes
import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, TypeVar

import httpx

from mesh.description import Admin, Edge, Endpoint, Listen, Route, TokenChecks, Upstream
from mesh.edge import OwnEgress, edge_config
from mesh.envoy import envoy_command, write_config
from mesh.tokens import write_checks

from .keys import AUDIENCE, ISSUER
from .stub import JWKS_PATH, Stub

PATIENCE_SECONDS = 10
_PR_SET_PDEATHSIG = 1

T = TypeVar("T")


def eventually(look: Callable[[], T | None]) -> T:
    """The first true thing that `look` gives."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        if time.monotonic() > until:
            raise AssertionError(f"It never became true; the last answer was {found!r}.")
        time.sleep(0.01)
    return found


def upstream(name: str, stub: Stub) -> Upstream:
    return Upstream(name=name, endpoints=(Endpoint(host="127.0.0.1", port=stub.port),))


def describe(folder: Path, service: Stub, issuer: Stub, **changes: Any) -> Edge:
    """A gateway with one service and the issuer behind it. `/open` needs no token."""
    values: dict[str, Any] = {
        "listen": Listen(host="127.0.0.1", port=0),
        "admin": Admin(socket=folder / "admin.sock"),
        "upstreams": (upstream("service", service), upstream("issuer", issuer)),
        "routes": (
            Route(upstream="service", prefix="/open", needs_token=False),
            Route(
                upstream="service",
                path="/specification.json",
                rewrite="/openapi.json",
                needs_token=False,
            ),
            Route(upstream="service", prefix="/v1"),
        ),
        "tokens": token_checks(folder),
        "access_log": folder / "access.log",
    }
    return Edge(**(values | changes))


def token_checks(folder: Path, **changes: Any) -> TokenChecks:
    watched = folder / "tokens"
    watched.mkdir(exist_ok=True)
    values: dict[str, Any] = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "upstream": "issuer",
        "jwks_path": JWKS_PATH,
        "file": watched / "checks.json",
    }
    return TokenChecks(**(values | changes))


class Gateway:
    """What a caller sees of the running Envoy, and what its operator sees."""

    def __init__(self, edge: Edge, port: int, client: httpx.Client) -> None:
        self.edge = edge
        self.port = port
        self._client = client

    def call(
        self, method: str, path: str, *, token: str | None = None, **options: Any
    ) -> httpx.Response:
        headers = [*dict(options.pop("headers", {})).items()]
        if token is not None:
            headers.append(("authorization", f"Bearer {token}"))
        return self._client.request(method, path, headers=headers, **options)

    @contextmanager
    def connection(self) -> Generator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS) as connection:
            yield connection

    def raw(self, data: bytes) -> httpx.Response:
        """Send bytes as they are and read one answer."""
        with self.connection() as connection:
            connection.sendall(data)
            return read_answer(connection)

    def log_of(self, request_id: str) -> dict[str, Any]:
        """The line of the access log for one request."""
        log = self.edge.access_log
        assert log is not None

        def look() -> dict[str, Any] | None:
            lines = (json.loads(line) for line in log.read_text().splitlines())
            return next((line for line in lines if line.get("request_id") == request_id), None)

        return eventually(look)

    def stat(self, name: str) -> int:
        """A counter or gauge of Envoy, by its whole name."""
        assert self.edge.admin is not None
        assert self.edge.admin.socket is not None
        text = admin(self.edge.admin.socket, f"/stats?filter=^{name}$").text
        return int(text.rpartition(":")[2])

    def wait_for_keys(self, token: str, status: int = 200) -> None:
        """Until Envoy has taken up the keys that make this token good, or bad."""
        eventually(lambda: self.call("GET", "/v1/keys", token=token).status_code == status)


def read_answer(connection: socket.socket) -> httpx.Response:
    """The next answer on a connection, whatever was sent."""
    answer = HTTPResponse(connection)
    answer.begin()
    return httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())


@contextmanager
def running(
    edge: Edge,
    *,
    jwks: str | None = None,
    write: bool = True,
    egress: OwnEgress | None = None,
) -> Generator[Gateway]:
    """Envoy from this description until the end of the block."""
    if write and edge.tokens.file:
        write_checks(edge.tokens, jwks)
    assert edge.admin is not None
    assert edge.admin.socket is not None
    folder = edge.admin.socket.parent
    config = folder / "edge.json"
    write_config(edge_config(edge, egress), config)
    with (
        (folder / "envoy.log").open("w+b") as log,
        subprocess.Popen(  # noqa: S603 - our own command
            envoy_command(config), stdout=log, stderr=log, preexec_fn=die_with_parent
        ) as process,
    ):
        try:
            port = _port(process, edge.admin.socket, folder / "envoy.log")
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS, trust_env=False
            ) as client:
                yield Gateway(edge, port, client)
        finally:
            process.kill()
            edge.admin.socket.unlink(missing_ok=True)


def admin(path: Path, target: str, method: str = "GET") -> httpx.Response:
    """Ask the admin interface; `OSError` if it isn't there yet."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect(str(path))
        lines = (f"{method} {target} HTTP/1.1", "Host: admin", "Connection: close", "", "")
        connection.sendall("\r\n".join(lines).encode())
        return read_answer(connection)


def _port(process: subprocess.Popen[bytes], socket_path: Path, log: Path) -> int:
    def look() -> int | None:
        if process.poll() is not None:
            raise AssertionError(f"Envoy ended: {log.read_text()}")
        try:
            if admin(socket_path, "/ready").status_code != 200:
                return None
            listeners = admin(socket_path, "/listeners?format=json").json()
        except OSError:
            return None
        address = listeners["listener_statuses"][0]["local_address"]["socket_address"]
        return int(address["port_value"])

    return eventually(look)


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
