"""What a weighbridge says, whether it can be true, and what is missing at the end.

Weights are whole kilograms: a weighbridge for trucks shows steps of 5 or 10 of them.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Final

from booking.trips.rules import WeightRules
from chassis.errors import Invalid

KG_PER_TON: Final = 1000
# Wide enough for every product below: nothing is rounded before the end.
_EXACT: Final = Context(prec=50)


class WeightsImplausible(Invalid):
    """A weighbridge can't have shown this for the truck and its load."""

    type = "weights-implausible"
    title = "These weights make no sense"


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighing:
    """A truck without its load and with it, kilograms."""

    tare_kg: int
    gross_kg: int

    @property
    def net_kg(self) -> int:
        return self.gross_kg - self.tare_kg


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortage:
    """What was loaded and didn't arrive; `claimed_kg` is 0 within the tolerance."""

    missing_kg: int
    claimed_kg: int
    claim_paise: int


def kilograms(tons: Decimal) -> int:
    """Metric tons as kilograms; raises `ValueError` for a part of a kilogram and for no number."""
    if not tons.is_finite():
        raise ValueError("is no weight")
    with localcontext(_EXACT):
        whole = tons * KG_PER_TON
        if whole != whole.to_integral_value():
            raise ValueError("has a part of a kilogram")
        return int(whole)


def tons(kg: int) -> Decimal:
    """Kilograms as metric tons, exactly."""
    return Decimal(kg).scaleb(-3)


def check_loaded(
    weighing: Weighing, *, capacity_mt: Decimal, planned_mt: Decimal, rules: WeightRules
) -> None:
    """Raise `WeightsImplausible` unless the truck can weigh this, and the trip is for so much."""
    capacity_kg = kilograms(capacity_mt)
    _check_scales(weighing, capacity_kg=capacity_kg, rules=rules)
    most = _percent_of(capacity_kg, 100 + rules.overload_tolerance_percent)
    if weighing.net_kg > most:
        raise WeightsImplausible(
            f"The load of {weighing.net_kg} kg is over the truck's capacity of {capacity_kg} kg.",
            net_kg=weighing.net_kg,
            capacity_kg=capacity_kg,
        )
    planned_kg = kilograms(planned_mt)
    if weighing.net_kg > _percent_of(planned_kg, 100 + rules.overload_tolerance_percent):
        raise WeightsImplausible(
            f"The load of {weighing.net_kg} kg is over the {planned_kg} kg that the trip is for.",
            net_kg=weighing.net_kg,
            planned_kg=planned_kg,
        )


def left_behind(weighing: Weighing, *, planned_mt: Decimal, rules: WeightRules) -> int:
    """Kilograms that the trip was for and that aren't on the truck; 0 within the tolerance."""
    planned_kg = kilograms(planned_mt)
    missing = planned_kg - weighing.net_kg
    return missing if missing > _percent_of(planned_kg, rules.overload_tolerance_percent) else 0


def check_delivered(
    weighing: Weighing, *, loaded_kg: int, capacity_mt: Decimal, rules: WeightRules
) -> None:
    """Raise `WeightsImplausible` unless this can be what is left of `loaded_kg`.

    A load gains in rain and by the error of another weighbridge, but only a little.
    """
    _check_scales(weighing, capacity_kg=kilograms(capacity_mt), rules=rules)
    if weighing.net_kg > _percent_of(loaded_kg, 100 + rules.gain_tolerance_percent):
        raise WeightsImplausible(
            f"{weighing.net_kg} kg can't have arrived of {loaded_kg} kg loaded.",
            net_kg=weighing.net_kg,
            loaded_kg=loaded_kg,
        )


def shortage(
    *, loaded_kg: int, delivered_kg: int, paise_per_ton: int, tolerance_percent: Decimal
) -> Shortage:
    """What is missing, and what is claimed for it.

    Within the tolerance nothing is: two weighbridges differ, and goods dry and spill. Beyond it
    everything that is missing is claimed, since then it isn't the tolerated thing that happened.
    Paise are rounded half up, once, at the end.
    """
    missing = max(0, loaded_kg - delivered_kg)
    claimed = missing if missing > _percent_of(loaded_kg, tolerance_percent) else 0
    with localcontext(_EXACT):
        paise = Decimal(claimed) * paise_per_ton / KG_PER_TON
        rounded = int(paise.to_integral_value(rounding=ROUND_HALF_UP))
    return Shortage(missing_kg=missing, claimed_kg=claimed, claim_paise=rounded)


def _check_scales(weighing: Weighing, *, capacity_kg: int, rules: WeightRules) -> None:
    least = _percent_of(capacity_kg, rules.least_tare_percent)
    most = _percent_of(capacity_kg, rules.most_tare_percent)
    if not least <= weighing.tare_kg <= most:
        raise WeightsImplausible(
            f"A truck for {capacity_kg} kg doesn't weigh {weighing.tare_kg} kg empty.",
            tare_kg=weighing.tare_kg,
            capacity_kg=capacity_kg,
        )
    if weighing.gross_kg <= weighing.tare_kg:
        raise WeightsImplausible(
            "The truck weighs no more with its load than without.",
            tare_kg=weighing.tare_kg,
            gross_kg=weighing.gross_kg,
        )


def _percent_of(kg: int, percent: Decimal) -> Decimal:
    with localcontext(_EXACT):
        return kg * percent / 100
