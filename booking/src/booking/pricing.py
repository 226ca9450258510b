"""The price of moving goods, exact to the paisa.

    price = quantity x (base rate + distance rate x km) x material rate x surge

Everything is exact decimal arithmetic; the only rounding is the last step, half up to a whole
paisa. A price travels with its basis, from which anybody can work it out again.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, localcontext
from typing import Annotated, ClassVar, Final, Literal

import orjson
from pydantic import ConfigDict, PlainSerializer, TypeAdapter, WithJsonSchema

from booking.surge import SurgeInputs

PAISE_PER_RUPEE: Final = 100
PRICING_RULE: Final = 1

# Wide enough for the longest product of shortest-form doubles; `Inexact` proves that it was.
_EXACT = Context(prec=150, traps=[Inexact, InvalidOperation])

_STRICT = ConfigDict(extra="forbid")


def _decimal_text(value: Decimal) -> str:
    return format(value, "f")


# JSON has no decimals: as text they stay what they were.
DecimalText = Annotated[
    Decimal,
    PlainSerializer(_decimal_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "decimal"}),
]


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What the pricing configuration asks for this material.

    `base` is rupees per ton, `distance` rupees per ton and kilometre, `material` a factor.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    base: DecimalText
    distance: DecimalText
    material: DecimalText


@dataclass(kw_only=True)
class SurgeBasis:
    """How the surge multiplier came about."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    multiplier: DecimalText
    condition: str | None
    inputs: SurgeInputs


@dataclass(kw_only=True)
class PriceBasis:
    """Everything that a price was made from. Kept with it and never changed.

    `rule` names the formula: when the formula changes the number rises, and the old one stays
    here, so that old prices can still be worked out.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    rule: Literal[1] = PRICING_RULE
    config_version: int
    config_checksum: str
    quantity_mt: DecimalText
    distance_m: int
    distance_method: str
    rates: Rates
    surge: SurgeBasis

    @classmethod
    def read(cls, document: object) -> "PriceBasis":
        """From the JSON values that were kept; pydantic's `ValidationError` for anything else."""
        return _DOCUMENT.validate_python(document)

    def to_json(self) -> bytes:
        """What is kept."""
        return orjson.dumps(self, default=_decimal_text)


_DOCUMENT: Final = TypeAdapter(PriceBasis)


def price_paise(
    *, quantity_mt: Decimal, distance_m: int, rates: Rates, surge_multiplier: Decimal
) -> int:
    """The price in paise, rounded half up once, at the end."""
    with localcontext(_EXACT):
        km = Decimal(distance_m).scaleb(-3)
        per_ton = rates.base + rates.distance * km
        rupees = quantity_mt * per_ton * rates.material * surge_multiplier
        return int((rupees * PAISE_PER_RUPEE).to_integral_value(rounding=ROUND_HALF_UP))


def share_paise(*, price_paise: int, quantity_mt: Decimal, load_mt: Decimal) -> int:
    """So many tons' part of a booking's price, rounded down: all parts are never above the whole.

    >>> share_paise(price_paise=100, quantity_mt=Decimal(3), load_mt=Decimal(1))
    33
    """
    return int(price_paise * load_mt // quantity_mt)


def recompute(basis: PriceBasis) -> int:
    """The price in paise that this basis gives, now and in years."""
    return price_paise(
        quantity_mt=basis.quantity_mt,
        distance_m=basis.distance_m,
        rates=basis.rates,
        surge_multiplier=basis.surge.multiplier,
    )
