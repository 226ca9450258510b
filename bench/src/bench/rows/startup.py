"""Row `startup`: how long the whole platform takes until it serves."""

from collections.abc import Sequence

from bench import platform
from bench.results import Figure, figure
from bench.rows import Row
from bench.stage import Stage


async def measure(stage: Stage) -> Sequence[Figure]:
    """Once over an empty folder, which makes everything, then again and again over the same."""
    root = stage.folder / "startup"
    seconds: list[float] = []
    for number in range(len(stage.rounds) + 1):
        stage.say(f"startup: {number} of {len(stage.rounds)} starts again" if number else "startup")
        async with platform.running(root) as up:
            seconds.append(up.seconds)
    return [
        figure("startup.first", "s", seconds[:1]),
        figure("startup.again", "s", seconds[1:]),
    ]


ROW = Row(
    name="startup",
    about="`ubertruck up` until it serves: over an empty folder, and over its own of before",
    measure=measure,
)
