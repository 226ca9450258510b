"""What README.md and docs/pricing.md say is so."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from booking.arrangements import LONGEST_AHEAD
from booking.cancellation import CancellationConfig
from booking.distance import GreatCircle, Point, great_circle_m
from booking.errors import BadSchedule, NotAmendable
from booking.pace import AT_BOTH_ENDS
from booking.pricing import Rates, price_paise
from booking.statuses import TRANSITIONS
from booking.surge import compile_trigger
from booking.tariff import Freight, Tariff
from chassis.config_client import ConfigurationUnavailable
from contracts.booking import Material
from contracts.pricing import MAX_CONDITION_LENGTH, MAX_TRIGGERS, SURGE_VARIABLES

from .factories import FakeConfiguration

ROOT = Path(__file__).parents[2]
README = (ROOT / "booking" / "README.md").read_text().replace("\N{MULTIPLICATION SIGN}", "x")
LIFE = (ROOT / "docs" / "bookings.md").read_text()
PRICING = (ROOT / "docs" / "pricing.md").read_text()
DELHI, MUMBAI = Point(28.6139, 77.2090), Point(19.0760, 72.8777)


def test_the_worked_example() -> None:
    road = GreatCircle(road_factor=Decimal("1.3")).between(DELHI, MUMBAI)
    rates = Rates(base=Decimal("250.50"), distance=Decimal("5.75"), material=Decimal("1.2"))
    per_ton = rates.base + rates.distance * road / 1000
    paise = price_paise(
        quantity_mt=Decimal(100), distance_m=road, rates=rates, surge_multiplier=Decimal("1.25")
    )
    for cells in (
        f"over the globe | {great_circle_m(DELHI, MUMBAI) / 1000:.3f} km",
        f"by road, x 1.3, to 100 m | {road / 1000} km",
        f"for each ton, {rates.base} + {rates.distance} x {road / 1000} | ₹{per_ton.normalize()}",
        f"x 1.2 x 1.25 | ₹{Decimal(paise) / 100}, as {paise} paise",
    ):
        assert f"{cells} |" in README


def test_the_example_configuration_prices_everything() -> None:
    found = re.search(r"```json\n(.*?)```", PRICING, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    tariff = Tariff.of(FakeConfiguration(data, 1, "c"))
    assert len(tariff.surge.triggers) == 2
    for material in Material:
        freight = Freight(pickup=DELHI, drop=MUMBAI, material=material, quantity_mt=Decimal(1))
        road = GreatCircle(road_factor=Decimal(1))
        assert tariff.price(freight, distance=road, at=datetime.now(UTC)).paise > 0


def test_the_variables_and_limits() -> None:
    for name, meaning in SURGE_VARIABLES.items():
        assert f"| `{name}` | {meaning} |" in PRICING
    assert f"at most {MAX_TRIGGERS}, each condition at most {MAX_CONDITION_LENGTH} char" in PRICING
    compile_trigger("quantity_mt > 500", Decimal(2))


def test_the_life_of_a_booking() -> None:
    for before, ways in TRANSITIONS.items():
        for after in ways:
            assert f"    {before} --> {after}" in LIFE
    found = re.search(r"```json\n(.*?)```", LIFE, re.DOTALL)
    assert found
    assert CancellationConfig.model_validate_json(found[1]).assigned.fixed_paise == 50_000
    for limit in (f"{LONGEST_AHEAD.days} days ahead", f"{AT_BOTH_ENDS.seconds // 3600} hours"):
        assert limit in LIFE
    for refusal in (BadSchedule, NotAmendable, ConfigurationUnavailable):
        assert f"{refusal.status} `{refusal.type}`" in LIFE


def test_problem_types() -> None:
    assert f"503 `{ConfigurationUnavailable.type}`" in README
