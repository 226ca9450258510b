"""Waiting for what happens by itself."""

import asyncio
import time
from collections.abc import Callable

PATIENCE = 20.0


async def eventually(condition: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
    """Return once `condition` holds; AssertionError when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it didn't happen"
        await asyncio.sleep(0.01)
