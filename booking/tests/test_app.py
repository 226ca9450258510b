"""The service as it is put together for real, without a fake for config-service."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from booking.__main__ import SERVICE
from booking.app import create_app, create_jobs
from booking.settings import BookingSettings, booking_settings
from booking.trips.steps import Step
from chassis.config_cache import ConfigCache, ConfigValue, Kept
from chassis.db import Database
from chassis.serve import main
from chassis.testing.client import client_for
from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer

from .factories import SHIPPER, Caller, configuration, problem, transport

Started = Callable[[], AbstractAsyncContextManager[Caller]]

# Trucks and drivers have the same.
TRIP_PATHS = {
    "/v1/trips",
    "/v1/trips/{trip_id}",
    "/v1/trips/{trip_id}/cancel",
    "/v1/trips/{trip_id}/report-loss",
    "/v1/trips/{trip_id}/swap-truck",
    "/v1/trips/{trip_id}/eway-bill",
    "/v1/trips/{trip_id}/eway-bill/extend",
    "/v1/trips/{trip_id}/evidence",
    "/v1/trips/{trip_id}/lorry-receipt",
    "/v1/trips/{trip_id}/codes/{purpose}",
    *(f"/v1/trips/{{trip_id}}/{step}" for step in Step),
}
FLEET_PATHS = frozenset(
    f"/v1/{things}{rest}"
    for things, one in (("trucks", "/{truck_id}"), ("drivers", "/{driver_id}"))
    for rest in (
        "",
        one,
        f"{one}/retire",
        f"{one}/absences",
        f"{one}/absences/{{absence_id}}",
    )
)


def settings(state_dir: Path) -> BookingSettings:
    return BookingSettings.model_validate(
        {"database_url": "postgresql+asyncpg://nobody@127.0.0.1/unused", "state_dir": state_dir}
    )


@pytest.fixture
def started(tmp_path: Path, rollback_database: Database, issuer: Issuer) -> Started:
    @asynccontextmanager
    async def start() -> AsyncGenerator[Caller]:
        app = create_app(settings(tmp_path), rollback_database, keys=issuer)
        async with client_for(app) as client:
            yield Caller(client, issuer, *SHIPPER)

    return start


async def test_without_any_configuration_it_runs_and_prices_nothing(started: Started) -> None:
    async with started() as shipper:
        problem(await shipper.post("/v1/quotes", transport()), 503, "configuration-unavailable")
        assert (await shipper.get("/v1/booking")).status_code == 200


async def test_without_config_service_it_prices_by_what_was_good(
    started: Started, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    good = configuration(version=7)
    value = ConfigValue(data=good.data, version=7, checksum=good.checksum, last_modified=now)
    ConfigCache(tmp_path, service="booking", environment="dev").save(
        Kept(
            service="booking",
            environment="dev",
            path="pricing",
            etag=None,
            confirmed_at=now,
            value=value,
        )
    )
    async with started() as shipper:
        quote = await shipper.quote()
    assert quote["price_basis"]["config_version"] == 7
    assert quote["price"]["amount"] == 105_988_500


async def test_the_worker_seals_and_keeps_partitions(
    database: TestDatabase, tmp_path: Path, issuer: Issuer, new_client: Any
) -> None:
    committing = Database.connect(database.url, name="test")
    async with new_client(committing) as client:
        shipper = Caller(client, issuer, *SHIPPER)
        await shipper.cancel((await shipper.book())["booking_id"])
        jobs = create_jobs(settings(tmp_path), committing)
        assert [job.name for job in jobs] == [
            "seal-audit",
            "maintain-partitions",
            "expire-bookings",
            "lapse-bids",
            "call-off-no-shows",
            "expire-rests",
            "expired-documents",
        ]
        for job in jobs:
            assert await job.run() is False
        async with committing.begin() as session:
            assert await session.scalar(text("SELECT count(*) FROM audit_seals")) == 1


def test_prints_its_openapi(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(SERVICE, ["openapi"])
    assert ended.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document["paths"]) == {
        "/v1/quotes",
        "/v1/booking",
        "/v1/booking/{booking_id}",
        "/v1/booking/{booking_id}/cancel",
        "/v1/trucks/{truck_id}/documents/{kind}",
        "/v1/pricing/dry-run",
        *FLEET_PATHS,
        *TRIP_PATHS,
        "/v1/board",
        "/v1/board/{booking_id}/accept",
        "/v1/board/{booking_id}/assign",
        "/v1/board/{booking_id}/bids",
        "/v1/bids",
        "/v1/bids/{bid_id}",
        "/v1/bids/{bid_id}/withdraw",
        "/v1/booking/{booking_id}/bids",
        "/v1/booking/{booking_id}/bids/{bid_id}/accept",
        "/v1/booking/{booking_id}/bids/{bid_id}/decline",
    }


def test_its_own_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UBERTRUCK_DATABASE_URL", "postgresql+asyncpg://nobody@127.0.0.1/unused")
    monkeypatch.setenv("UBERTRUCK_QUOTE_MINUTES", "5")
    monkeypatch.setenv("UBERTRUCK_ROAD_FACTOR", "1.25")
    monkeypatch.setenv("UBERTRUCK_PAYMENT_HOURS", "2")
    monkeypatch.setenv("UBERTRUCK_COVER_DAYS", "9")
    own = SERVICE.settings()
    assert booking_settings(own) is own
    assert isinstance(own, BookingSettings)
    assert (own.quote_minutes, str(own.road_factor)) == (5, "1.25")
    assert (own.payment_hours, own.cover_days) == (2, 9)
