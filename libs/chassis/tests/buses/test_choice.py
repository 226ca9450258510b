"""The setting chooses the bus."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from chassis.aws_bus import AwsBus
from chassis.buses import BusNotConfigured, connect_bus
from chassis.postgres_bus import PostgresBus
from chassis.settings import ServiceSettings
from chassis.testing.databases import TestDatabase

from .happenings import LOADED, event, take

SETTINGS = ServiceSettings(
    database_url=SecretStr("postgresql+asyncpg://nowhere/none"), state_dir=Path()
)


async def test_postgres_by_its_address(bus_database: TestDatabase) -> None:
    settings = SETTINGS.model_copy(update={"bus_url": SecretStr(bus_database.url)})
    async with connect_bus(settings, name="booking") as bus:
        assert isinstance(bus, PostgresBus)
        await bus.declare("tracking", frozenset({LOADED}))
        await bus.publish([event()])
        assert len(await take(bus, "tracking")) == 1


@pytest.mark.usefixtures("aws_place")
async def test_aws_by_its_topic(topic: str, prefix: str) -> None:
    settings = SETTINGS.model_copy(
        update={"bus": "aws", "bus_topic_arn": topic, "bus_queue_prefix": prefix}
    )
    async with connect_bus(settings, name="booking") as bus:
        assert isinstance(bus, AwsBus)
        await bus.declare("tracking", frozenset({LOADED}))
        await bus.publish([event()])
        assert len(await take(bus, "tracking")) == 1


@pytest.mark.parametrize(
    ("chosen", "missing"), [("postgres", "UBERTRUCK_BUS_URL"), ("aws", "UBERTRUCK_BUS_TOPIC_ARN")]
)
async def test_a_setting_that_is_missing_is_named(chosen: str, missing: str) -> None:
    settings = SETTINGS.model_copy(update={"bus": chosen})
    with pytest.raises(BusNotConfigured, match=missing):
        async with connect_bus(settings, name="booking"):
            pass


def test_only_the_chosen_library_is_imported() -> None:
    code = (
        "import sys, chassis.serve, chassis.buses, chassis.postgres_bus; "
        "sys.exit('boto3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own code
