"""A version comes and goes under constant load: nobody is refused, and events count once."""

import asyncio

import pytest
import uvloop

from bench import folders, platform, preflight

from .versions import lived_through

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize(
    ("least", "rate", "pause"), [(100_000, 300, 5), (1_000_000, 500, 60)], ids=["100k", "1M"]
)
def test_nobody_notices_a_version_that_comes_and_goes(
    least: int, rate: float, pause: float
) -> None:
    preflight.require_files()

    async def live() -> int:
        with folders.temporary_folder() as folder:
            async with platform.running(folder / "platform") as up:
                outcomes = await lived_through(
                    up, folder, least=least, rate=rate, pause=pause, whole=True
                )
        return len(outcomes.acknowledged)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(live()) >= least
