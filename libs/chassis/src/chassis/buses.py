"""Which bus a worker uses: the setting says, and only that one's library is imported."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chassis.bus import Bus
from chassis.settings import ServiceSettings


class BusNotConfigured(Exception):
    """The environment names no bus. The message is one sentence for an operator."""


@asynccontextmanager
async def connect_bus(settings: ServiceSettings, *, name: str) -> AsyncGenerator[Bus]:
    """The bus that `settings` choose, open until the context ends. Connects at first use.

    `name` is how its connections are called at the server.
    """
    if settings.bus == "aws":
        if settings.bus_topic_arn is None:
            raise BusNotConfigured(
                "UBERTRUCK_BUS is aws, so UBERTRUCK_BUS_TOPIC_ARN must name the topic."
            )
        from chassis.aws_bus import AwsBus

        async with AwsBus.connect(
            settings.bus_topic_arn, queue_prefix=settings.bus_queue_prefix
        ) as aws:
            yield aws
    else:
        if settings.bus_url is None:
            raise BusNotConfigured(
                "A worker needs a bus: set UBERTRUCK_BUS_URL, or UBERTRUCK_BUS to aws."
            )
        from chassis.postgres_bus import PostgresBus

        async with PostgresBus.connect(settings.bus_url.get_secret_value(), name=name) as postgres:
            yield postgres
