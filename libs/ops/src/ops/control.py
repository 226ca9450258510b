"""The control socket: how other commands speak to the running platform.

A request is one line of JSON, `{"do": "status", ...}`, and so is the answer: `{"ok": true,
"result": ...}` or `{"ok": false, "error": sentence, "code": exit code}`. The folder that holds the
socket lets only its owner in.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import cast

from ops.errors import OpsError
from ops.state import StateFolder

Handler = Callable[[Mapping[str, object]], Awaitable[object]]
LONGEST_LINE = 1024 * 1024
PATIENCE = 120.0


@asynccontextmanager
async def serve(folder: StateFolder, handlers: Mapping[str, Handler]) -> AsyncGenerator[None]:
    """Answer requests on the folder's socket while the body runs."""
    folder.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _short(folder.socket) as address:
        listener.bind(address)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ValueError):
            answer = await _answer(handlers, await reader.readline())
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_unix_server(talk, sock=listener, limit=LONGEST_LINE)
    try:
        yield
    finally:
        server.close()
        folder.socket.unlink(missing_ok=True)


async def _answer(handlers: Mapping[str, Handler], line: bytes) -> Mapping[str, object]:
    try:
        request: object = json.loads(line)
        if not isinstance(request, dict):
            raise OpsError("A request is a JSON object.", code=2)
        arguments = cast("dict[str, object]", request)
        handler = handlers.get(str(arguments.get("do")))
        if handler is None:
            raise OpsError(f"The platform knows no {arguments.get('do')!r}.", code=2)
        return {"ok": True, "result": await handler(arguments)}
    except (ValueError, RecursionError):
        return {"ok": False, "error": "A request is one line of JSON.", "code": 2}
    except OpsError as error:
        return {"ok": False, "error": str(error), "code": error.code}


async def ask(folder: StateFolder, do: str, **arguments: object) -> object:
    """The same as `call`, for those with more to do meanwhile; it may be cancelled."""
    try:
        with _short(folder.socket) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=LONGEST_LINE)
        try:
            writer.write(_request(do, arguments))
            async with asyncio.timeout(PATIENCE):
                answer = await reader.readline()
        finally:
            writer.close()
        return _result(answer)
    except TimeoutError as error:
        raise _silent() from error
    except (OSError, ValueError) as error:
        raise _not_running(folder) from error


def call(folder: StateFolder, do: str, **arguments: object) -> object:
    """Ask the running platform; its result. OpsError when it refuses, or isn't running."""
    try:
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection,
            _short(folder.socket) as address,
        ):
            connection.settimeout(PATIENCE)
            connection.connect(address)
            connection.sendall(_request(do, arguments))
            with connection.makefile("rb") as answers:
                return _result(answers.readline())
    except TimeoutError as error:
        raise _silent() from error
    except (OSError, ValueError) as error:
        raise _not_running(folder) from error


def _silent() -> OpsError:
    return OpsError(f"Ubertruck gave no answer in {PATIENCE:g} s. It may be at it still.")


def _not_running(folder: StateFolder) -> OpsError:
    return OpsError(f"Ubertruck isn't running on {folder.root}. Start it with: ubertruck up")


def _request(do: str, arguments: Mapping[str, object]) -> bytes:
    return json.dumps({**arguments, "do": do}).encode() + b"\n"


def _result(line: bytes) -> object:
    answer = cast("dict[str, object]", json.loads(line or b"{}"))
    if answer.get("ok"):
        return answer.get("result")
    raise OpsError(str(answer.get("error", "The platform gave no answer.")), code=_code(answer))


def _code(answer: Mapping[str, object]) -> int:
    code = answer.get("code")
    return code if isinstance(code, int) else 1


def is_running(folder: StateFolder) -> bool:
    """Whether a platform answers on this folder's socket."""
    with suppress(OpsError):
        call(folder, "ping")
        return True
    return False


@contextmanager
def _short(path: Path) -> Generator[str]:
    """`path` under a name that fits: the kernel takes 107 bytes, and folders may lie deep."""
    descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
