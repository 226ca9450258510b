"""The pricing configuration in force, read from config-service and made ready to price with."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from booking.distance import Distance, Point
from booking.errors import MaterialNotPriced, SamePlace
from booking.pricing import PriceBasis, Rates, SurgeBasis, price_paise
from booking.surge import BadCondition, ConditionFailed, Surge, compile_trigger, surge_inputs
from chassis.config_client import ConfigurationUnavailable
from contracts.booking import Material
from contracts.pricing import MAX_TRIGGERS

log = logging.getLogger(__name__)

PRICING: Final = "pricing"


def decimal_of_number(value: object) -> object:
    """A JSON number as the decimal that its shortest form spells; anything else as it is."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


def whole_of_number(value: object) -> object:
    """A JSON number that is whole as an int; anything else as it is.

    JSON doesn't tell 500 from 500.0, and neither does the schema that a document satisfied.
    """
    return int(value) if isinstance(value, float) and value.is_integer() else value


Number = Annotated[Decimal, BeforeValidator(decimal_of_number), WithJsonSchema({"type": "number"})]
Multiplier = Annotated[Number, Field(ge=1, le=3)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TriggerConfig(_Part):
    """One surge trigger as an operator writes it."""

    condition: str
    multiplier: Multiplier


class SurgeConfig(_Part):
    """Surge as an operator writes it: off unless switched on."""

    enabled: bool = False
    max_multiplier: Multiplier = Decimal(3)
    triggers: Annotated[list[TriggerConfig], Field(max_length=MAX_TRIGGERS)] = []


class PricingConfig(_Part):
    """Pricing as an operator writes it: rupees per ton, rupees per ton and kilometre, factors."""

    base_rate: Annotated[Number, Field(ge=100, le=10_000)]
    distance_rate: Annotated[Number, Field(ge=5, le=100)]
    material_rates: dict[str, Annotated[Number, Field(ge=Decimal("0.5"), le=5)]]
    surge_config: SurgeConfig = SurgeConfig()


class Configuration(Protocol):
    """A configuration as config-service gives it."""

    @property
    def data(self) -> Mapping[str, Any]: ...
    @property
    def version(self) -> int: ...
    @property
    def checksum(self) -> str: ...


class ConfigSource(Protocol):
    """Where configurations in force are known: `chassis.config_client.ConfigClient` is one."""

    def get(self, path: str) -> Configuration:
        """Without waiting; raises `ConfigurationUnavailable` when there was never one."""
        ...


@dataclass(kw_only=True, slots=True)
class Freight:
    """What is to be moved, and between which points."""

    pickup: Point
    drop: Point
    material: Material
    quantity_mt: Decimal


@dataclass(kw_only=True, slots=True)
class Price:
    """An amount, and everything that it was made from."""

    paise: int
    basis: PriceBasis


@dataclass(frozen=True, kw_only=True, slots=True)
class Tariff:
    """One version of the pricing configuration, with its conditions compiled."""

    version: int
    checksum: str
    rates: Mapping[str, Rates]
    surge: Surge

    @classmethod
    def of(cls, configuration: Configuration) -> "Tariff":
        """Raises `ValidationError` or `BadCondition`: config-service refuses to keep such."""
        return cls.made(
            PricingConfig.model_validate(configuration.data),
            version=configuration.version,
            checksum=configuration.checksum,
        )

    @classmethod
    def made(cls, config: PricingConfig, *, version: int, checksum: str) -> "Tariff":
        """Raises `BadCondition`."""
        surge = config.surge_config
        triggers = [compile_trigger(t.condition, t.multiplier) for t in surge.triggers]
        return cls(
            version=version,
            checksum=checksum,
            rates={
                material: Rates(
                    base=config.base_rate, distance=config.distance_rate, material=factor
                )
                for material, factor in config.material_rates.items()
            },
            surge=Surge(
                triggers=triggers if surge.enabled else (), max_multiplier=surge.max_multiplier
            ),
        )

    def is_of(self, configuration: Configuration) -> bool:
        """Whether it was made from this version."""
        return (self.version, self.checksum) == (configuration.version, configuration.checksum)

    def price(self, freight: Freight, *, distance: Distance, at: datetime) -> Price:
        """Raises `SamePlace`, `MaterialNotPriced`, `ConfigurationUnavailable`."""
        distance_m = distance.between(freight.pickup, freight.drop)
        if distance_m == 0:
            raise SamePlace
        rates = self.rates.get(freight.material)
        if rates is None:
            raise MaterialNotPriced(f"There is no rate for {freight.material} at present.")
        surge = self._surge(freight, distance_m, at)
        basis = PriceBasis(
            config_version=self.version,
            config_checksum=self.checksum,
            quantity_mt=freight.quantity_mt,
            distance_m=distance_m,
            distance_method=distance.method,
            rates=rates,
            surge=surge,
        )
        paise = price_paise(
            quantity_mt=freight.quantity_mt,
            distance_m=distance_m,
            rates=rates,
            surge_multiplier=surge.multiplier,
        )
        return Price(paise=paise, basis=basis)

    def reprice(self, basis: PriceBasis) -> int | None:
        """What goods that were priced before would cost by this, in paise; None without a rate.

        Distance and surge inputs are those of then. Raises `ConditionFailed`.
        """
        rates = self.rates.get(basis.surge.inputs.material)
        if rates is None:
            return None
        return price_paise(
            quantity_mt=basis.quantity_mt,
            distance_m=basis.distance_m,
            rates=rates,
            surge_multiplier=self.surge.apply(basis.surge.inputs).multiplier,
        )

    def _surge(self, freight: Freight, distance_m: int, at: datetime) -> SurgeBasis:
        inputs = surge_inputs(
            material=freight.material,
            quantity_mt=freight.quantity_mt,
            distance_m=distance_m,
            pickup=freight.pickup,
            drop=freight.drop,
            at=at,
        )
        try:
            applied = self.surge.apply(inputs)
        except ConditionFailed as error:
            # Neither with surge nor without would be the price that the configuration asks for.
            log.error("surge condition failed in pricing version %d: %s", self.version, error)
            raise ConfigurationUnavailable from error
        return SurgeBasis(multiplier=applied.multiplier, condition=applied.condition, inputs=inputs)


class Tariffs:
    """Gives the tariff in force; each version of the configuration is made ready once."""

    def __init__(self, source: ConfigSource) -> None:
        self._source = source
        self._ready: Tariff | None = None

    def current(self) -> Tariff:
        """Raises `ConfigurationUnavailable` when there is none, or none that can be used."""
        configuration = self._source.get(PRICING)
        ready = self._ready
        if ready is None or not ready.is_of(configuration):
            ready = self._ready = _prepare(configuration)
        return ready


def _prepare(configuration: Configuration) -> Tariff:
    try:
        return Tariff.of(configuration)
    except (ValidationError, BadCondition) as error:
        log.error("pricing version %d can't be used: %s", configuration.version, error)
        raise ConfigurationUnavailable from error
