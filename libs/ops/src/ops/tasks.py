"""Doing things side by side, and again and again."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any


async def together(*works: Coroutine[Any, Any, object]) -> None:
    """Do all of `works` side by side; the first error ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def first_of(*works: Awaitable[object]) -> None:
    """Return, or raise, as soon as one of `works` does; the others are cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def again_and_again(
    pause: float, work: Callable[[], Awaitable[object]], say: Callable[[str], None]
) -> None:
    """Do `work` every `pause` seconds; what the disk refuses is said and tried again."""
    while True:
        await asyncio.sleep(pause)
        try:
            await work()
        except OSError as error:
            say(f"{error.filename}: {error.strerror}")
