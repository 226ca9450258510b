from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from booking.distance import Point
from booking.surge import (
    Applied,
    BadCondition,
    ConditionFailed,
    Surge,
    SurgeInputs,
    compile_trigger,
    surge_inputs,
)
from contracts.pricing import MAX_CONDITION_LENGTH, SURGE_VARIABLES

from .factories import SURGE_EXAMPLE

EXAMPLE = SurgeInputs(**SURGE_EXAMPLE)


def applied(*triggers: tuple[str, str], max_multiplier: str = "3") -> Applied:
    surge = Surge(
        triggers=[compile_trigger(text, Decimal(value)) for text, value in triggers],
        max_multiplier=Decimal(max_multiplier),
    )
    return surge.apply(EXAMPLE)


def test_variables_are_those_of_the_contract() -> None:
    assert (
        [field.name for field in fields(SurgeInputs)]
        == list(SURGE_VARIABLES)
        == list(SURGE_EXAMPLE)
    )


def test_every_variable_can_be_used() -> None:
    for name, value in SURGE_EXAMPLE.items():
        literal = f'"{value}"' if isinstance(value, str) else value
        assert applied((f"{name} == {literal}", "2")).multiplier == 2


def test_no_trigger_no_surge() -> None:
    assert applied() == Applied(multiplier=Decimal(1), condition=None)


def test_no_condition_holds() -> None:
    assert applied(("hour == 23", "2")) == Applied(multiplier=Decimal(1), condition=None)


def test_the_highest_counts() -> None:
    result = applied(("hour == 9", "1.2"), ('material == "coal"', "1.5"), ("month == 1", "2"))
    assert result == Applied(multiplier=Decimal("1.5"), condition='material == "coal"')


def test_of_equals_the_first_is_named() -> None:
    assert applied(("hour == 9", "1.2"), ("month == 11", "1.2")).condition == "hour == 9"


def test_the_limit_caps() -> None:
    assert applied(("true", "2.5"), max_multiplier="1.75").multiplier == Decimal("1.75")


@pytest.mark.parametrize(
    "condition",
    [
        "hour >= 8 && hour < 20",
        "!(weekday in [6, 7]) && distance_km > 100",
        'material in ["coal", "sand"] || quantity_mt >= 1000.5',
        "pickup_lat > -12.5 && pickup_lng != drop_lng",
    ],
)
def test_well_formed(condition: str) -> None:
    assert applied((condition, "2")).condition == condition


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "hour ==",
        "hour = 9",
        "price > 5",
        "os.system('x')",
        "hour + 1 == 10",
        "hour / 0 == 1",
        'material.startsWith("c")',
        'material.matches("(a+)+$")',
        "size(material) > 2",
        "hour == 9 ? true : false",
        "[1, 2].exists(hour, hour == 1)",
        "[1, 2].all(hour, true)",
        "[1, 2].map(hour, hour) == [1]",
        "[1, 2].filter(hour, true) == [1]",
        "[1, 2].exists_one(hour, true)",
        "9999999999999999999999 == hour",
        "(" * 250 + "true" + ")" * 250,
        "[" * 240 + "]" * 240 + " == []",
        "hour == 9" + " " * MAX_CONDITION_LENGTH,
    ],
)
def test_refused(condition: str) -> None:
    with pytest.raises(BadCondition):
        compile_trigger(condition, Decimal(2))


@pytest.mark.parametrize(
    "condition", ["hour", "material < 3", "hour in 3", "material.foo == 1", 'hour == 9 && "a" < 1']
)
def test_what_gives_no_yes_or_no_fails_loudly(condition: str) -> None:
    with pytest.raises(ConditionFailed):
        applied((condition, "2"))


def test_time_is_indian() -> None:
    inputs = surge_inputs(
        material="sand",
        quantity_mt=Decimal("1.250"),
        distance_m=12_300,
        pickup=Point(1, 2),
        drop=Point(3, 4),
        at=datetime(2026, 12, 31, 18, 30, tzinfo=UTC),
    )
    assert (inputs.hour, inputs.weekday, inputs.month) == (0, 5, 1)
    assert (inputs.quantity_mt, inputs.distance_km) == (1.25, 12.3)
    assert (inputs.pickup_lat, inputs.pickup_lng, inputs.drop_lat, inputs.drop_lng) == (1, 2, 3, 4)
