"""Doing things side by side, and again and again."""

import asyncio

import pytest

from ops.errors import OpsError
from ops.tasks import again_and_again, first_of, together

from .support import eventually


async def fail() -> None:
    raise OpsError("No.")


async def for_ever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("ended")


async def test_the_first_error_ends_the_others_and_is_raised_as_it_is() -> None:
    ended: list[str] = []
    with pytest.raises(OpsError, match=r"^No\.$"):
        await together(for_ever(ended), fail())
    assert ended == ["ended"]


async def test_the_first_to_return_ends_the_others() -> None:
    ended: list[str] = []
    await first_of(for_ever(ended), asyncio.sleep(0))
    assert ended == ["ended"]
    with pytest.raises(OpsError):
        await first_of(for_ever(ended), fail())


async def test_what_the_disk_refuses_is_said_and_tried_again() -> None:
    said: list[str] = []
    calls: list[int] = []

    async def work() -> None:
        calls.append(1)
        raise OSError(28, "No space left on device", "/somewhere")

    task = asyncio.create_task(again_and_again(0, work, said.append))
    await eventually(lambda: len(calls) > 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert said[0] == "/somewhere: No space left on device"
