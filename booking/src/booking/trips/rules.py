"""The rules that trips are judged by, from the configuration in force."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
)

from booking.pace import trip_time
from booking.tariff import ConfigSource, Configuration, decimal_of_number, whole_of_number
from booking.trips.transit_pass import PASS_RULES, PassRule
from chassis.config_client import ConfigurationUnavailable
from contracts.booking import Material

log = logging.getLogger(__name__)

TRIPS: Final = "trips"

Percent = Annotated[Decimal, BeforeValidator(decimal_of_number), Field(ge=0, le=100)]
Ratio = Annotated[Decimal, BeforeValidator(decimal_of_number), Field(gt=0, le=500)]
Paise = Annotated[int, BeforeValidator(whole_of_number), Field(gt=0, le=100_000_000_00)]
KmPerDay = Annotated[int, BeforeValidator(whole_of_number), Field(ge=50, le=2000)]
# Strict models take no text for a member of an enumeration, and JSON has nothing else.
_Goods = Annotated[Material, Field(strict=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class WeightRules(_Part):
    """What a weighbridge may show.

    Percentages are of the truck's capacity, but `gain_tolerance_percent` of what was loaded.
    By `overload_tolerance_percent` a load may also be off what the trip is for, up and down.
    """

    least_tare_percent: Ratio = Decimal(15)
    most_tare_percent: Ratio = Decimal(150)
    overload_tolerance_percent: Percent = Decimal(5)
    gain_tolerance_percent: Percent = Decimal(2)


class TripRules(_Part):
    """The rules of the road as an operator writes them; what isn't said has the value given here.

    What goods are worth has to be said: it is what claims are made of. `km_per_day` is what a
    loaded truck makes, its rests included.
    """

    declared_paise_per_ton: dict[_Goods, Paise]
    weights: WeightRules = WeightRules()
    km_per_day: KmPerDay = 350
    shortage_tolerance_percent: Percent = Decimal("0.5")
    transit_passes: dict[str, PassRule] = Field(default_factory=lambda: dict(PASS_RULES))

    @field_validator("declared_paise_per_ton")
    @classmethod
    def _each_material(cls, declared: dict[Material, int]) -> dict[Material, int]:
        missing = sorted(set(Material) - declared.keys())
        if missing:
            raise ValueError(f"lacks {', '.join(missing)}")
        return declared


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """One version of the rules."""

    version: int
    checksum: str
    rules: TripRules

    @property
    def evidence(self) -> dict[str, JsonValue]:
        """What the entry of a step keeps to say what it was judged by."""
        return {"version": self.version, "checksum": self.checksum}


class RulesInForce:
    """Gives the rules in force; it asks nobody, so it may be read inside a transaction.

    A step reads them once: another version may come in its midst.
    """

    def __init__(self, source: ConfigSource) -> None:
        self._source = source
        self._ready: Ruling | None = None

    def current(self) -> Ruling:
        """Raises `ConfigurationUnavailable` when there are none, or none that can be used."""
        found = self._source.get(TRIPS)
        ready = self._ready
        if ready is None or (ready.version, ready.checksum) != (found.version, found.checksum):
            ready = self._ready = _read(found)
        return ready

    def trip_time(self, distance_m: int) -> timedelta:
        """How long a truck is held for a way of so many metres."""
        return trip_time(distance_m, km_per_day=self.current().rules.km_per_day)


def _read(configuration: Configuration) -> Ruling:
    try:
        rules = TripRules.model_validate(configuration.data)
    except ValidationError as error:
        log.error("trips version %d can't be used: %s", configuration.version, error)
        raise ConfigurationUnavailable from error
    return Ruling(version=configuration.version, checksum=configuration.checksum, rules=rules)
