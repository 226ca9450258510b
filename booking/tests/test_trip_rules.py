"""The rules that trips are judged by: how they are read, and where they are kept with a step."""

import logging
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.trips.rules import RulesInForce
from booking.trips.steps import TripStatus
from booking.trips.transit_pass import PASS_RULES, PassRule
from chassis.config_client import ConfigurationUnavailable
from chassis.testing.issuer import Issuer
from contracts.values import Material

from .factories import TRIPS, FakeSource, problem, trip_rules
from .trips import journey

DECLARED: dict[str, int] = TRIPS["declared_paise_per_ton"]


def test_what_is_not_said_has_its_default() -> None:
    rules = RulesInForce(FakeSource()).current().rules
    assert rules.shortage_tolerance_percent == Decimal("0.5")
    assert rules.km_per_day == 350
    assert rules.transit_passes == PASS_RULES
    assert rules.declared_paise_per_ton.keys() == set(Material)


def test_the_version_in_force_is_followed() -> None:
    source = FakeSource()
    rules = RulesInForce(source)
    first = rules.current()
    assert rules.current() is first
    passes = {"JH": {"name": "challan", "materials": ["coal"], "pattern": "JH-[0-9]{4}"}}
    source.trips = trip_rules(
        version=2,
        km_per_day=400.0,
        shortage_tolerance_percent=0.1,
        transit_passes=passes,
        declared_paise_per_ton={**DECLARED, "coal": 500.0},
        weights={"least_tare_percent": 20},
    )
    ruling = rules.current()
    assert ruling.evidence == {"version": 2, "checksum": source.trips.checksum}
    assert ruling.rules.km_per_day == 400
    assert ruling.rules.shortage_tolerance_percent == Decimal("0.1")
    assert ruling.rules.declared_paise_per_ton[Material.COAL] == 500
    assert ruling.rules.weights.least_tare_percent == Decimal(20)
    assert ruling.rules.transit_passes["JH"] == PassRule(
        name="challan", materials=frozenset({Material.COAL}), pattern="JH-[0-9]{4}"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"declared_paise_per_ton": {"coal": 1}},
        {"declared_paise_per_ton": {**DECLARED, "gold": 1}},
        {"declared_paise_per_ton": {**DECLARED, "coal": 0}},
        {"declared_paise_per_ton": {**DECLARED, "coal": 0.5}},
        {"shortage_tolerance_percent": 100.1},
        {"shortage_tolerance_percent": "1"},
        {"km_per_day": 49},
        {"km_per_day": True},
        {"transit_passes": {"JH": {"pattern": "("}}},
        {"weights": {"most": 1}},
        {"unknown": 1},
    ],
)
def test_rules_that_cannot_be_used_are_not_used(
    changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    rules = RulesInForce(FakeSource(trips=trip_rules(version=7, **changes)))
    with caplog.at_level(logging.ERROR), pytest.raises(ConfigurationUnavailable):
        rules.current()
    assert "trips version 7 can't be used" in caplog.text


async def test_a_step_keeps_what_it_was_judged_by(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer, source: FakeSource
) -> None:
    trip = await journey(session, client, issuer)
    await trip.reach("at_drop")
    source.trips = trip_rules(
        version=2,
        shortage_tolerance_percent=0.1,
        declared_paise_per_ton={**DECLARED, "coal": 1},
    )
    assert (await trip.deliver(net_kg=24_974)).status_code == 200
    entries = (await trip.owner.get(f"{trip.path}/evidence")).json()["entries"]
    judged = {entry["kind"]: entry["data"].get("rules") for entry in entries}
    before = {"version": 1, "checksum": trip_rules().checksum}
    assert judged["loaded"] == judged["in_transit"] == before
    assert judged["delivered"] == {"version": 2, "checksum": source.trips.checksum}
    # Judged by the tolerance of today, at the value that was declared when the truck was loaded.
    claim = (await session.execute(text("SELECT * FROM shortage_claims"))).mappings().one()
    assert (claim["tolerance_percent"], claim["paise_per_ton"]) == (Decimal("0.1"), 4_500_00)


async def test_without_rules_nothing_is_judged(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer, source: FakeSource
) -> None:
    trip = await journey(session, client, issuer)
    await trip.reach("at_pickup")
    source.trips = None
    problem(await trip.load(), 503, "configuration-unavailable")
    assert (await trip.driver.get(trip.path)).json()["status"] == "at_pickup"
    source.trips = trip_rules()
    await trip.advance(TripStatus.LOADED)
