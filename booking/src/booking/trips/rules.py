"""What of a trip may be configured, with the values that hold where nobody configured them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from booking.tariff import decimal_of_number
from booking.trips.transit_pass import PASS_RULES, PassRule
from contracts.booking import Material

Percent = Annotated[Decimal, BeforeValidator(decimal_of_number), Field(ge=0, le=100)]
Ratio = Annotated[Decimal, BeforeValidator(decimal_of_number), Field(gt=0, le=500)]
Paise = Annotated[int, Field(gt=0, le=100_000_000_00)]

# Rupees a ton at the pit or the farm gate, in paise: what a consignor declares unless told better.
_DECLARED: Final[Mapping[Material, int]] = {
    Material.COAL: 4_500_00,
    Material.IRON_ORE: 6_000_00,
    Material.LIMESTONE: 900_00,
    Material.FERTILIZER: 24_000_00,
    Material.GRAIN: 26_000_00,
    Material.SAND: 1_200_00,
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class WeightRules(_Part):
    """What a weighbridge may show.

    Percentages are of the truck's capacity, but `gain_tolerance_percent` of what was loaded.
    """

    least_tare_percent: Ratio = Decimal(15)
    most_tare_percent: Ratio = Decimal(150)
    overload_tolerance_percent: Percent = Decimal(5)
    gain_tolerance_percent: Percent = Decimal(2)


class TripRules(_Part):
    """The rules of the road. `km_per_day` is what a loaded truck makes, its rests included."""

    weights: WeightRules = WeightRules()
    km_per_day: Annotated[int, Field(ge=50, le=2000)] = 350
    shortage_tolerance_percent: Percent = Decimal("0.5")
    declared_paise_per_ton: dict[Material, Paise] = Field(default_factory=lambda: dict(_DECLARED))
    transit_passes: dict[str, PassRule] = Field(default_factory=lambda: dict(PASS_RULES))
