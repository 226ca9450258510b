"""The control socket: requests, refusals, nonsense, deep folders."""

import asyncio
import json
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from ops import control
from ops.errors import OpsError
from ops.state import StateFolder

from .scripts import folder_in


async def echo(arguments: Mapping[str, object]) -> object:
    return dict(arguments)


async def refuse(_: Mapping[str, object]) -> object:
    raise OpsError("Not today.", code=2)


HANDLERS: Mapping[str, control.Handler] = {"echo": echo, "refuse": refuse, "ping": echo}


async def ask(folder: StateFolder, do: str, **arguments: object) -> object:
    return await asyncio.to_thread(control.call, folder, do, **arguments)


async def send(folder: StateFolder, line: bytes) -> Mapping[str, object]:
    def talk() -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(folder.socket))
            connection.sendall(line)
            connection.shutdown(socket.SHUT_WR)
            return connection.makefile("rb").readline()

    return json.loads(await asyncio.to_thread(talk))


async def test_requests_are_answered(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    async with control.serve(folder, HANDLERS):
        assert await ask(folder, "echo", name="booking") == {"do": "echo", "name": "booking"}
        assert await asyncio.to_thread(control.is_running, folder)
    assert not control.is_running(folder)
    assert not folder.socket.exists()


async def test_a_refusal_keeps_its_sentence_and_its_code(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    async with control.serve(folder, HANDLERS):
        with pytest.raises(OpsError, match=r"^Not today\.$") as refusal:
            await ask(folder, "refuse")
        assert refusal.value.code == 2
        with pytest.raises(OpsError, match="knows no 'dance'"):
            await ask(folder, "dance")


@pytest.mark.parametrize(
    "line", [b"", b"{\n", b"[1]\n", b"\xff\n", b"null\n", b"[" * 50_000 + b"\n"]
)
async def test_nonsense_is_refused(tmp_path: Path, line: bytes) -> None:
    folder = folder_in(tmp_path)
    async with control.serve(folder, HANDLERS):
        assert (await send(folder, line))["ok"] is False
        assert await ask(folder, "echo") == {"do": "echo"}


async def test_a_folder_may_lie_deeper_than_socket_names_reach(tmp_path: Path) -> None:
    folder = folder_in(tmp_path / ("deep" * 20) / ("deeper" * 20))
    assert len(str(folder.socket)) > 107
    async with control.serve(folder, HANDLERS):
        assert await ask(folder, "echo") == {"do": "echo"}


def test_no_platform_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=r"isn't running on .*ubertruck up"):
        control.call(StateFolder(tmp_path / "nowhere"), "status")


async def test_a_platform_that_takes_too_long_is_not_said_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_in(tmp_path)
    monkeypatch.setattr(control, "PATIENCE", 0.05)
    answered = asyncio.Event()

    async def wait(_: Mapping[str, object]) -> object:
        await answered.wait()
        return None

    async with control.serve(folder, {"wait": wait}):
        with pytest.raises(OpsError, match=r"no answer in 0\.05 s"):
            await control.ask(folder, "wait")
        with pytest.raises(OpsError, match=r"no answer in 0\.05 s"):
            await ask(folder, "wait")
        answered.set()


async def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(folder.socket))
    async with control.serve(folder, HANDLERS):
        assert await ask(folder, "echo") == {"do": "echo"}
