import logging
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from booking.distance import GreatCircle, Point
from booking.errors import MaterialNotPriced, SamePlace
from booking.pricing import recompute
from booking.surge import BadCondition
from booking.tariff import Freight, Price, Tariff, Tariffs
from chassis.config_client import ConfigurationUnavailable
from contracts.booking import Material

from .factories import FakeSource, configuration, surge

DELHI = Point(28.6139, 77.2090)
MUMBAI = Point(19.0760, 72.8777)
ROAD = GreatCircle(road_factor=Decimal("1.3"))
NOON = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)


def priced(configured: dict[str, Any] | None = None, **freight: Any) -> Price:
    values: dict[str, Any] = {
        "pickup": DELHI,
        "drop": MUMBAI,
        "material": Material.COAL,
        "quantity_mt": Decimal(100),
    }
    tariff = Tariff.of(configuration(**(configured or {})))
    return tariff.price(Freight(**{**values, **freight}), distance=ROAD, at=NOON)


def test_the_basis_says_everything() -> None:
    configured = configuration(surge_config=surge(("hour == 12", 1.25)))
    price = priced({"surge_config": surge(("hour == 12", 1.25))})
    assert price.paise == 132_485_625
    assert recompute(price.basis) == price.paise
    assert orjson.loads(price.basis.to_json()) == {
        "rule": 1,
        "config_version": 1,
        "config_checksum": configured.checksum,
        "quantity_mt": "100",
        "distance_m": 1_492_500,
        "distance_method": "great-circle*1.3",
        "rates": {"base": "250.5", "distance": "5.75", "material": "1.2"},
        "surge": {
            "multiplier": "1.25",
            "condition": "hour == 12",
            "inputs": {
                "material": "coal",
                "quantity_mt": 100.0,
                "distance_km": 1492.5,
                "hour": 12,
                "weekday": 2,
                "month": 11,
                "pickup_lat": 28.6139,
                "pickup_lng": 77.209,
                "drop_lat": 19.076,
                "drop_lng": 72.8777,
            },
        },
    }


def test_surge_is_off_unless_switched_on() -> None:
    always = surge(("true", 2))
    dear = priced({"surge_config": always})
    calm = priced({"surge_config": {**always, "enabled": False}})
    assert calm.basis.surge.multiplier == 1
    assert dear.paise == 2 * calm.paise


def test_surge_may_be_left_out() -> None:
    bare = {"base_rate": 100, "distance_rate": 5, "material_rates": {"coal": 1}}
    tariff = Tariff.of(configuration().__class__(bare, 1, "c"))
    assert tariff.surge.triggers == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"base_rate": 99.99},
        {"base_rate": 10_000.01},
        {"base_rate": "500"},
        {"base_rate": True},
        {"base_rate": None},
        {"distance_rate": 4.99},
        {"distance_rate": 100.5},
        {"material_rates": {"coal": 0.4}},
        {"material_rates": {"coal": 5.1}},
        {"material_rates": []},
        {"discount": 5},
        {"surge_config": surge(("true", 3.5))},
        {"surge_config": surge(("true", 0.5))},
        {"surge_config": surge(max_multiplier=3.01)},
        {"surge_config": surge(*[("true", 2.0)] * 51)},
        {"surge_config": {"enabled": "yes"}},
    ],
)
def test_what_breaks_the_schema_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Tariff.of(configuration(**changes))


def test_a_bad_condition_is_refused_even_when_surge_is_off() -> None:
    with pytest.raises(BadCondition):
        Tariff.of(configuration(surge_config=surge(("price > 3", 2), enabled=False)))


def test_a_material_without_a_rate_has_no_price() -> None:
    with pytest.raises(MaterialNotPriced, match="limestone"):
        priced(material=Material.LIMESTONE)


def test_nothing_to_drive() -> None:
    with pytest.raises(SamePlace):
        priced(drop=Point(DELHI.lat + 0.0001, DELHI.lng))


def test_a_condition_that_fails_gives_no_price(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(ConfigurationUnavailable):
        priced({"surge_config": surge(("material < 3", 2))})
    assert "material < 3" in caplog.text


def test_nothing_configured_gives_no_price() -> None:
    with pytest.raises(ConfigurationUnavailable):
        Tariffs(FakeSource(None)).current()


def test_an_unusable_configuration_gives_no_price(caplog: pytest.LogCaptureFixture) -> None:
    source = FakeSource(configuration(version=4, base_rate=-1))
    with caplog.at_level(logging.ERROR), pytest.raises(ConfigurationUnavailable):
        Tariffs(source).current()
    assert "pricing version 4" in caplog.text


def test_a_version_is_made_ready_once_and_followed() -> None:
    source = FakeSource(configuration(version=1))
    tariffs = Tariffs(source)
    first = tariffs.current()
    assert tariffs.current() is first
    source.now = configuration(version=2, base_rate=300)
    assert tariffs.current().rates["coal"].base == 300
    source.now = configuration(version=3, base_rate=300)
    assert tariffs.current().version == 3
