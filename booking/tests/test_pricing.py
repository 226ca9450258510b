from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.pricing import PriceBasis, Rates, SurgeBasis, price_paise, recompute
from booking.surge import SurgeInputs

from .factories import SURGE_EXAMPLE

FLAT = Rates(base=Decimal(100), distance=Decimal(5), material=Decimal(1))


def numbers(low: str, high: str) -> st.SearchStrategy[Decimal]:
    """What configuration can hold: any double between the bounds, as its shortest form."""
    return st.floats(float(low), float(high)).map(repr).map(Decimal)


rates = st.builds(
    Rates,
    base=numbers("100", "10000"),
    distance=numbers("5", "100"),
    material=numbers("0.5", "5"),
)
quantities = st.decimals("1", "1000", places=3)
distances = st.integers(1, 260_000).map(lambda steps: steps * 100)
multipliers = numbers("1", "3")


def price(
    quantity: Decimal | str = "1",
    distance_m: int = 1_000,
    rates: Rates = FLAT,
    surge: Decimal | str = "1",
) -> int:
    return price_paise(
        quantity_mt=Decimal(quantity),
        distance_m=distance_m,
        rates=rates,
        surge_multiplier=Decimal(surge),
    )


def with_base(base: str) -> Rates:
    return replace(FLAT, base=Decimal(base))


def test_the_formula() -> None:
    wanted = Rates(base=Decimal("250.5"), distance=Decimal("5.75"), material=Decimal("1.2"))
    assert price("100", 1_492_500, wanted, "1.25") == 132_485_625


@pytest.mark.parametrize(
    ("base", "paise"),
    [
        ("100.004999999", 10_500),
        ("100.005", 10_501),
        ("100.015", 10_502),
        ("100.0149999", 10_501),
    ],
)
def test_halves_of_a_paisa_go_up(base: str, paise: int) -> None:
    assert price("1", 1_000, with_base(base)) == paise


def test_rounds_once_at_the_end() -> None:
    # Rounded per ton this would be 10_500 * 1000.
    assert price("1000", 1_000, with_base("100.004")) == 10_500_400


def test_the_dearest_booking_fits() -> None:
    dearest = Rates(base=Decimal(10_000), distance=Decimal(100), material=Decimal(5))
    assert price("1000", 26_020_000, dearest, "3") == 3_918_000_000_000


@given(quantities, distances, rates, multipliers)
def test_agrees_with_fractions(
    quantity: Decimal, distance_m: int, rates: Rates, surge: Decimal
) -> None:
    per_ton = Fraction(rates.base) + Fraction(rates.distance) * Fraction(distance_m, 1000)
    exact = Fraction(quantity) * per_ton * Fraction(rates.material) * Fraction(surge) * 100
    paise = price(quantity, distance_m, rates, surge)
    assert type(paise) is int
    assert paise > 0
    assert Fraction(-1, 2) <= exact - paise < Fraction(1, 2)


@given(quantities, quantities, distances, rates, multipliers)
def test_more_goods_never_cost_less(
    one: Decimal, other: Decimal, distance_m: int, rates: Rates, surge: Decimal
) -> None:
    less, more = sorted((one, other))
    assert price(less, distance_m, rates, surge) <= price(more, distance_m, rates, surge)


@given(quantities, distances, distances, rates, multipliers)
def test_longer_ways_never_cost_less(
    quantity: Decimal, one: int, other: int, rates: Rates, surge: Decimal
) -> None:
    less, more = sorted((one, other))
    assert price(quantity, less, rates, surge) <= price(quantity, more, rates, surge)


@given(quantities, distances, rates, multipliers)
def test_what_was_kept_gives_the_price_again(
    quantity: Decimal, distance_m: int, rates: Rates, surge: Decimal
) -> None:
    basis = PriceBasis(
        config_version=7,
        config_checksum="c" * 64,
        quantity_mt=quantity,
        distance_m=distance_m,
        distance_method="great-circle*1.3",
        rates=rates,
        surge=SurgeBasis(
            multiplier=surge,
            condition="hour == 9",
            inputs=SurgeInputs(**SURGE_EXAMPLE),
        ),
    )
    kept = PriceBasis.read(orjson.loads(basis.to_json()))
    assert kept == basis
    assert recompute(kept) == price(quantity, distance_m, rates, surge)


def test_a_price_of_years_ago() -> None:
    """This document stands for those in the database: it must be readable for ever."""
    kept = PriceBasis.read(
        orjson.loads(
            """
        {"rule": 1, "config_version": 3, "config_checksum": "5f3c", "quantity_mt": "12.345",
         "distance_m": 1492500, "distance_method": "great-circle*1.3",
         "rates": {"base": "250.5", "distance": "5.75", "material": "1.2"},
         "surge": {"multiplier": "1.25", "condition": "hour == 9", "inputs":
            {"material": "coal", "quantity_mt": 12.345, "distance_km": 1492.5, "hour": 9,
             "weekday": 2, "month": 11, "pickup_lat": 28.6139, "pickup_lng": 77.209,
             "drop_lat": 19.076, "drop_lng": 72.8777}}}
        """
        )
    )
    assert recompute(kept) == 16_355_350
