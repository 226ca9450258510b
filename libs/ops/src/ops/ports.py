"""Which loopback port each process gets, the same one at each start while it is free."""

import secrets
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from ops.errors import OpsError
from ops.state import read_json, write_json

LOOPBACK = "127.0.0.1"
LOWEST = 20_000
TRIES = 200


def allot(names: Iterable[str], remembered: Path) -> dict[str, int]:
    """A free port for each name, kept in the file `remembered` for the next start."""
    before = read_json(remembered)
    ports: dict[str, int] = {}
    with ExitStack() as held:
        for name in names:
            taken = held.enter_context(_bind_first(_candidates(before.get(name))))
            ports[name] = taken.getsockname()[1]
    write_json(remembered, {**before, **ports})
    return ports


def require_free(port: int) -> None:
    """OpsError unless `port` can be listened on now."""
    try:
        _bind(port).close()
    except PermissionError as error:
        raise OpsError(
            f"Port {port} is not open to this user. Choose one above 1023 with --port."
        ) from error
    except OSError as error:
        raise OpsError(
            f"Port {port} is in use by another program. Choose another one with --port."
        ) from error


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        # Two sockets with SO_REUSEADDR may both bind; only one may listen.
        listener.listen(1)
    except OSError:
        listener.close()
        raise
    return listener


def _bind_first(ports: Iterator[int]) -> socket.socket:
    for port in ports:
        with suppress(OSError):
            return _bind(port)
    raise OpsError("No free port was found on the loopback address.")


def _candidates(remembered: object) -> Iterator[int]:
    if isinstance(remembered, int):
        yield remembered
    # Below the range of outgoing connections: a client that keeps dialling a port there, while
    # its server is down, may be given that very port for its own end and then connects to itself.
    ceiling = _first_outgoing_port()
    if ceiling > LOWEST:
        for _ in range(TRIES):
            yield LOWEST + secrets.randbelow(ceiling - LOWEST)
    yield 0


def _first_outgoing_port() -> int:
    text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    return int(text.split()[0])
