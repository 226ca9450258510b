"""What the last bookings would have cost by another pricing configuration. Writes nothing.

Each booking is priced again from what its price was made from, so what changes the sum is the
configuration alone: not the hour, and not how roads are measured today.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import select

from booking.models import Booking
from booking.pricing import PriceBasis
from booking.statuses import Status
from booking.surge import BadCondition, ConditionFailed
from booking.tariff import PricingConfig, Tariff
from chassis.db import Database
from chassis.errors import Invalid

# Two seconds of one core with the most and longest triggers, a tenth of one without any.
MOST_BOOKINGS: Final = 2000
MOST_LANES: Final = 100

# Nobody pays the price of these.
_VOID: Final = (Status.REJECTED, Status.CANCELLED, Status.EXPIRED)

_COLUMNS: Final = (
    Booking.created_at,
    Booking.pickup_lat,
    Booking.pickup_lng,
    Booking.drop_lat,
    Booking.drop_lng,
    Booking.price_paise,
    Booking.price_basis,
)


class UnusableCondition(Invalid):
    """A surge condition of the proposal isn't one, or gives no yes or no for a booking."""

    type = "unusable-condition"
    title = "A surge condition can't be used"


class Cell(NamedTuple):
    """A field of one degree each way, by its south-western corner.

    About 110 km wide: a coalfield or a port with all that lies around. Borders of states would need
    a map that somebody keeps, and cut such places in two.
    """

    lat: int
    lng: int


class Lane(NamedTuple):
    """Where goods come from and go to."""

    pickup: Cell
    drop: Cell


Key = TypeVar("Key", str, Lane)


@dataclass(slots=True)
class Sum:
    """Bookings together: how many, and what they cost in paise, as booked and as proposed."""

    bookings: int = 0
    booked_paise: int = 0
    proposed_paise: int = 0

    def add(self, booked: int, proposed: int) -> None:
        self.bookings += 1
        self.booked_paise += booked
        self.proposed_paise += proposed

    @property
    def difference_paise(self) -> int:
        """Above 0 when the proposal is dearer."""
        return self.proposed_paise - self.booked_paise


@dataclass(slots=True)
class Replay:
    """All bookings that were replayed, and the same by material and by lane.

    `unpriced` counts those whose material has no rate in the proposal: they are in no sum.
    """

    oldest: datetime | None = None
    newest: datetime | None = None
    total: Sum = field(default_factory=Sum)
    by_material: dict[str, Sum] = field(default_factory=dict[str, Sum])
    by_lane: dict[Lane, Sum] = field(default_factory=dict[Lane, Sum])
    dearer: int = 0
    cheaper: int = 0
    unpriced: int = 0

    def add(self, material: str, lane: Lane, booked: int, proposed: int) -> None:
        self.total.add(booked, proposed)
        self.by_material.setdefault(material, Sum()).add(booked, proposed)
        self.by_lane.setdefault(lane, Sum()).add(booked, proposed)
        self.dearer += proposed > booked
        self.cheaper += proposed < booked

    def widest_lanes(self) -> list[tuple[Lane, Sum]]:
        """The lanes with the greatest differences, up or down, at most `MOST_LANES`."""
        return widest(self.by_lane)[:MOST_LANES]


def widest(sums: Mapping[Key, Sum]) -> list[tuple[Key, Sum]]:
    """These with the greatest differences first, up or down."""
    return sorted(sums.items(), key=lambda item: (-abs(item[1].difference_paise), item[0]))


async def dry_run(database: Database, *, config: PricingConfig, bookings: int) -> Replay:
    """Price the last `bookings` again; cancelled, rejected and expired ones are passed over.

    Raises `UnusableCondition`.
    """
    newest = (
        select(*_COLUMNS)
        .where(Booking.status.not_in(_VOID))
        .order_by(Booking.created_at.desc(), Booking.id.desc())
        .limit(bookings)
    )
    async with database.begin() as session:
        rows = (await session.execute(newest)).all()
    # It may take a while, for which other requests shall not wait.
    return await asyncio.to_thread(replay, rows, config)


def replay(rows: Iterable[Any], config: PricingConfig) -> Replay:
    """What `rows`, newest first, come to by this configuration. Raises `UnusableCondition`."""
    found = Replay()
    try:
        # No version was given to it yet.
        tariff = Tariff.made(config, version=0, checksum="")
        for row in rows:
            found.newest = found.newest or row.created_at
            found.oldest = row.created_at
            basis = PriceBasis.read(row.price_basis)
            proposed = tariff.reprice(basis)
            if proposed is None:
                found.unpriced += 1
            else:
                found.add(basis.surge.inputs.material, lane_of(row), row.price_paise, proposed)
    except BadCondition as error:
        raise UnusableCondition(str(error)) from error
    except ConditionFailed as error:
        raise UnusableCondition(f"It gives no yes or no: {error}") from error
    return found


def lane_of(row: Any) -> Lane:
    """The lane of a booking."""
    return Lane(_cell(row.pickup_lat, row.pickup_lng), _cell(row.drop_lat, row.drop_lng))


def _cell(lat: float, lng: float) -> Cell:
    return Cell(math.floor(lat), math.floor(lng))
