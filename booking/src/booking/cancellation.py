"""What calling a booking off costs: by how far it had come, from the configuration in force."""

import logging
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from booking.statuses import Status
from booking.tariff import ConfigSource, Configuration, Number, whole_of_number
from chassis.config_client import ConfigurationUnavailable

log = logging.getLogger(__name__)

CANCELLATION: Final = "cancellation"


class Stage(BaseModel):
    """The fee at one stage as an operator writes it: a part of the price, an amount, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    percent: Annotated[Number, Field(ge=0, le=100)] = Decimal(0)
    fixed_paise: Annotated[int, BeforeValidator(whole_of_number), Field(ge=0, le=100_000_000)] = 0

    def fee_paise(self, price_paise: int) -> int:
        """The fee on a booking of this price, half a paisa upwards; never more than the price."""
        part = (self.percent * price_paise / 100).quantize(Decimal(1), ROUND_HALF_UP)
        return min(int(part) + self.fixed_paise, price_paise)


class CancellationConfig(BaseModel):
    """Fees as an operator writes them, for each status from which a booking can be called off."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    requested: Stage
    confirmed: Stage
    assigned: Stage


class Fee(BaseModel):
    """An amount, and everything besides the price that it was made from."""

    model_config = ConfigDict(frozen=True)

    paise: int
    config_version: int
    config_checksum: str
    percent: Decimal
    fixed_paise: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """One version of the fees."""

    version: int
    checksum: str
    stages: CancellationConfig

    def fee(self, status: Status, price_paise: int) -> Fee:
        """What calling off costs in this status, which must be one where it is possible."""
        stage: Stage = getattr(self.stages, status)
        return Fee(
            paise=stage.fee_paise(price_paise),
            config_version=self.version,
            config_checksum=self.checksum,
            percent=stage.percent,
            fixed_paise=stage.fixed_paise,
        )


class CancellationTerms:
    """Gives the fees in force; it asks nobody, so it may be read inside a transaction."""

    def __init__(self, source: ConfigSource) -> None:
        self._source = source

    def current(self) -> Terms:
        """Raises `ConfigurationUnavailable` when there are none, or none that can be used."""
        return _read(self._source.get(CANCELLATION))


def _read(configuration: Configuration) -> Terms:
    try:
        stages = CancellationConfig.model_validate(configuration.data)
    except ValidationError as error:
        log.error("cancellation version %d can't be used: %s", configuration.version, error)
        raise ConfigurationUnavailable from error
    return Terms(version=configuration.version, checksum=configuration.checksum, stages=stages)
