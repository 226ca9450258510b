"""What a rollout asks of versions, asked of those that run."""

from datetime import UTC, datetime

import httpx

from ops.rollout.dependencies import unconfirmed
from ops.rollout.laptop_health import LaptopHealth
from ops.rollout.ports import Colour
from ops.rollout.smoke import probes_of, what_is_wrong
from ops.rollout.validator import HealthAnswer
from ops.services import SERVICES, Layout
from ops.state import StateFolder

from .driver import Driver


async def it_would_pass_its_own_validation(driver: Driver) -> None:
    """Smoke tests, and dependencies, of every service."""
    folder = StateFolder(driver.state)
    layout = Layout.remembered(folder)
    for service in SERVICES:
        async with httpx.AsyncClient(base_url=layout.api_url(service), trust_env=False) as client:
            wrong = [await what_is_wrong(client, probe) for probe in probes_of(service.virtual)]
            assert not any(wrong), wrong
        health = LaptopHealth(folder)
        ready = await health.health(service.virtual, Colour.BLUE, "/readyz")
        assert ready == {service.api: HealthAnswer(200, "ready\n")}
        metrics = (await health.health(service.virtual, Colour.BLUE, "/metrics"))[service.api]
        assert unconfirmed(metrics.text, datetime.now(UTC)) == []
        # auth-service knows its keys by itself, and depends on nobody.
        assert ("_confirmed_timestamp_seconds{" in metrics.text) == (service.name != "auth")
