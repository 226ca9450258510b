"""Waiting until a version is there, by a clock that tests can turn."""

import asyncio
from datetime import UTC, datetime

from ops.errors import OpsError
from ops.rollout.ports import Colour, Site

POLL_SECONDS = 0.2


class Clock:
    """The time, and waiting."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Let others go on for a while."""
        await asyncio.sleep(seconds)


async def have_ready(
    site: Site,
    service: str,
    colour: Colour,
    version: str,
    *,
    replicas: int,
    seconds: float,
    clock: Clock,
) -> None:
    """See to it that so many processes of a version are ready; OpsError when they don't get so."""
    await site.bring_up(service, colour, version, replicas=replicas)
    await site.scale(service, colour, replicas)
    deadline = clock.now().timestamp() + seconds
    while (targets := await site.targets(service, colour)).ready < replicas:
        if clock.now().timestamp() >= deadline:
            raise OpsError(
                f"{targets.ready} of {replicas} processes of {service} {version} were ready after "
                f"{seconds:g} s."
            )
        await clock.sleep(POLL_SECONDS)
