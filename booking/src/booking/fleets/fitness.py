"""Whether a truck and a driver are fit for a load at a time: pure rules.

Each gives the reasons against, for people to read; none means fit.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from sqlalchemy.dialects.postgresql import Range

from booking.fleets.kinds import HEAVY_GOODS, DocumentKind
from booking.fleets.models import Absence, Driver, Truck
from contracts.values import Material

# Documents run out at midnight in India, which has one time all year.
INDIA: Final = timezone(timedelta(hours=5, minutes=30))


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A time, up to but without `until`."""

    begin: datetime
    until: datetime

    @property
    def first_day(self) -> date:
        return self.begin.astimezone(INDIA).date()

    @property
    def last_day(self) -> date:
        """The day of its last moment."""
        return (self.until - timedelta(microseconds=1)).astimezone(INDIA).date()


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What one truck is to carry; `states` are those it drives in, as far as they are known.

    `tolerance_percent` is how much more than its capacity: what is on a weighbridge isn't to the
    kilogram what was planned.
    """

    material: Material
    tons: Decimal
    states: Collection[str]
    tolerance_percent: Decimal = Decimal(0)


def against_truck(
    truck: Truck, window: Window, *, load: Load | None = None, absences: Sequence[Absence] = ()
) -> list[str]:
    """What speaks against this truck in the window; without a load, against any trip at all."""
    return [
        *_retired(truck.retired_at),
        *(() if load is None else _against_load(truck, load)),
        *_against_documents(truck, window),
        *_against_presence(absences, window),
    ]


def against_driver(
    driver: Driver, window: Window, *, absences: Sequence[Absence] = ()
) -> list[str]:
    """What speaks against this driver in the window."""
    heavy = HEAVY_GOODS.intersection(driver.licence_classes)
    return [
        *_retired(driver.retired_at),
        *(() if heavy else ("licence is not for heavy goods vehicles",)),
        *_expiry("licence", driver.licence_expires_on, window),
        *_against_presence(absences, window),
    ]


def _retired(at: datetime | None) -> Iterator[str]:
    if at is not None:
        yield f"left the fleet on {at.astimezone(INDIA).date()}"


def _against_load(truck: Truck, load: Load) -> Iterator[str]:
    most = truck.capacity_mt * (100 + load.tolerance_percent) / 100
    if load.tons > most:
        yield f"carries {most.normalize():f} t at most"
    if load.material not in truck.materials:
        yield f"doesn't carry {load.material.replace('_', ' ')}"
    missing = sorted(set(load.states).difference(truck.states)) if truck.states else []
    if missing:
        yield f"has no permit for {', '.join(missing)}"
    if truck.states and not load.states:
        # Where a way leads no map tells here, so whoever sends the truck has to.
        yield "has no national permit: say which states the way leads through"


def _against_documents(truck: Truck, window: Window) -> Iterator[str]:
    held = {document.kind: document.expires_on for document in truck.documents}
    for kind in DocumentKind:
        if kind not in held:
            yield f"{kind} is missing"
        else:
            yield from _expiry(kind, held[kind], window)


def _expiry(name: str, expires_on: date, window: Window) -> Iterator[str]:
    """Documents are good through their last day."""
    if expires_on < window.first_day:
        yield f"{name} expired on {expires_on}"
    elif expires_on < window.last_day:
        yield f"{name} expires on {expires_on}, before the end"


def _against_presence(absences: Sequence[Absence], window: Window) -> Iterator[str]:
    asked = Range(window.begin, window.until)
    for absence in absences:
        if absence.period.overlaps(asked):
            yield f"{absence.reason.replace('_', ' ')} until {_text(absence.period.upper)}"


def _text(moment: datetime | None) -> str:
    return "further notice" if moment is None else f"{moment.astimezone(INDIA):%Y-%m-%d %H:%M} IST"
