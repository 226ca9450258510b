from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.trips.rules import WeightRules
from booking.trips.weights import (
    Weighing,
    WeightsImplausible,
    check_delivered,
    check_loaded,
    kilograms,
    left_behind,
    shortage,
    tons,
)

RULES = WeightRules()
CAPACITY = Decimal("25.5")
HALF_A_PERCENT = Decimal("0.5")


def weighing(tare_kg: int, gross_kg: int) -> Weighing:
    return Weighing(tare_kg=tare_kg, gross_kg=gross_kg)


@pytest.mark.parametrize(
    "good", [weighing(9_200, 34_700), weighing(3_825, 3_826), weighing(9_200, 9_200 + 26_775)]
)
def test_a_truck_may_weigh_this(good: Weighing) -> None:
    check_loaded(good, capacity_mt=CAPACITY, planned_mt=CAPACITY, rules=RULES)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (weighing(9_200, 9_200), "no more with its load"),
        (weighing(34_700, 9_200), "no more with its load"),
        (weighing(3_824, 20_000), "3824 kg empty"),
        (weighing(38_251, 60_000), "38251 kg empty"),
        (weighing(0, 20_000), "0 kg empty"),
        (weighing(-9_200, 20_000), "-9200 kg empty"),
        (weighing(9_200, 9_200 + 26_776), "over the truck's capacity"),
    ],
)
def test_a_truck_cannot_weigh_this(bad: Weighing, why: str) -> None:
    with pytest.raises(WeightsImplausible, match=why):
        check_loaded(bad, capacity_mt=CAPACITY, planned_mt=CAPACITY, rules=RULES)


@pytest.mark.parametrize(
    ("net_kg", "fits", "left_kg"),
    [
        (10_501, False, 0),
        (10_500, True, 0),
        (10_000, True, 0),
        (9_500, True, 0),
        (9_499, True, 501),
        (1, True, 9_999),
    ],
)
def test_a_load_is_what_the_trip_is_for(net_kg: int, fits: bool, left_kg: int) -> None:
    loaded, planned_mt = weighing(9_200, 9_200 + net_kg), Decimal(10)
    assert left_behind(loaded, planned_mt=planned_mt, rules=RULES) == left_kg
    if fits:
        check_loaded(loaded, capacity_mt=CAPACITY, planned_mt=planned_mt, rules=RULES)
        return
    with pytest.raises(WeightsImplausible, match="10501 kg is over the 10000 kg that the trip"):
        check_loaded(loaded, capacity_mt=CAPACITY, planned_mt=planned_mt, rules=RULES)


def test_a_load_gains_only_a_little() -> None:
    for net, fits in ((24_000, True), (25_500, True), (26_010, True), (26_011, False)):
        arrived = weighing(9_200, 9_200 + net)
        if fits:
            check_delivered(arrived, loaded_kg=25_500, capacity_mt=CAPACITY, rules=RULES)
            continue
        with pytest.raises(WeightsImplausible, match="can't have arrived"):
            check_delivered(arrived, loaded_kg=25_500, capacity_mt=CAPACITY, rules=RULES)


def test_the_scales_at_the_drop_are_checked_too() -> None:
    with pytest.raises(WeightsImplausible):
        check_delivered(weighing(9_200, 9_000), loaded_kg=25_500, capacity_mt=CAPACITY, rules=RULES)


@pytest.mark.parametrize(
    ("delivered_kg", "missing", "claimed", "paise"),
    [
        (25_600, 0, 0, 0),
        (25_500, 0, 0, 0),
        # 0.5 % of 25 500 kg are 127.5 kg.
        (25_373, 127, 0, 0),
        (25_372, 128, 128, 57_600),
        (0, 25_500, 25_500, 11_475_000),
    ],
)
def test_beyond_the_tolerance_all_that_is_missing_is_claimed(
    delivered_kg: int, missing: int, claimed: int, paise: int
) -> None:
    found = shortage(
        loaded_kg=25_500,
        delivered_kg=delivered_kg,
        paise_per_ton=450_000,
        tolerance_percent=HALF_A_PERCENT,
    )
    assert (found.missing_kg, found.claimed_kg, found.claim_paise) == (missing, claimed, paise)


def test_exactly_the_tolerance_is_tolerated() -> None:
    for delivered, claimed in ((19_900, 0), (19_899, 101)):
        found = shortage(
            loaded_kg=20_000,
            delivered_kg=delivered,
            paise_per_ton=1,
            tolerance_percent=HALF_A_PERCENT,
        )
        assert found.claimed_kg == claimed


def test_half_a_paisa_rounds_up() -> None:
    for per_ton, paise in ((499, 0), (500, 1), (1_499, 1), (1_500, 2)):
        found = shortage(
            loaded_kg=1, delivered_kg=0, paise_per_ton=per_ton, tolerance_percent=Decimal(0)
        )
        assert found.claim_paise == paise


@given(
    loaded=st.integers(1, 60_000),
    delivered=st.integers(0, 61_000),
    per_ton=st.integers(1, 10_000_000_000),
    tolerance=st.decimals("0", "100", places=4),
)
def test_a_claim_is_exact(loaded: int, delivered: int, per_ton: int, tolerance: Decimal) -> None:
    found = shortage(
        loaded_kg=loaded,
        delivered_kg=delivered,
        paise_per_ton=per_ton,
        tolerance_percent=tolerance,
    )
    missing = max(0, loaded - delivered)
    beyond = missing > loaded * Fraction(tolerance) / 100
    exact = Fraction(missing * per_ton, 1000) if beyond else Fraction(0)
    assert found.missing_kg == missing
    assert found.claimed_kg == (missing if beyond else 0)
    assert abs(found.claim_paise - exact) <= Fraction(1, 2)


@given(kg=st.integers(-(10**9), 10**9))
def test_kilograms_and_tons_are_the_same(kg: int) -> None:
    assert kilograms(tons(kg)) == kg


@pytest.mark.parametrize("text", ["25.5001", "0.0001", "NaN", "Infinity", "1E-30"])
def test_no_part_of_a_kilogram_is_lost(text: str) -> None:
    with pytest.raises(ValueError, match=r"weight|kilogram"):
        kilograms(Decimal(text))
