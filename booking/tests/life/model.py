"""What must be so of one booking and its trips, in a few words and without a database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

# The way without mishaps, of a booking and of a trip.
WAY = ["requested", "confirmed", "assigned", "in_progress", "delivered", "completed"]
TRIP_WAY = [
    "assigned",
    "accepted",
    "at_pickup",
    "loaded",
    "in_transit",
    "at_drop",
    "delivered",
    "closed",
]
# What is told of a trip that has come so far.
TOLD_AS = {"at_pickup": "arrived_at_pickup", "in_transit": "departed", "at_drop": "arrived_at_drop"}
FEES = {"requested": (0, 0), "confirmed": (2, 0), "assigned": (5, 50_000)}


@dataclass
class TripModel:
    """One truck's part, of which `left_mt` weren't loaded; `entries` are its evidence's kinds."""

    id: UUID
    load_mt: Decimal
    truck: int
    driver: int
    status: str = "assigned"
    version: int = 1
    left_mt: Decimal = Decimal(0)
    net_kg: int = 0
    entries: list[str] = field(default_factory=list[str])
    told: list[tuple[int, str]] = field(default_factory=lambda: [(1, "assigned")])

    @property
    def live(self) -> bool:
        return self.status != "cancelled"

    @property
    def loaded(self) -> bool:
        return self.status in TRIP_WAY[3:]

    @property
    def holds(self) -> bool:
        """Whether truck and driver can't have another trip."""
        return self.status in TRIP_WAY[:6]

    def goes(self, status: str) -> None:
        self.status = status
        self.notes(status, TOLD_AS.get(status, status))

    def notes(self, entry: str, told: str) -> None:
        self.version += 1
        self.entries.append(entry)
        self.told.append((self.version, told))


@dataclass
class Model:
    """A booking; `steps` is its history, `told` its events, each with the version it then had."""

    quantity_mt: Decimal
    price: int
    status: str = "requested"
    version: int = 1
    fee: int | None = None
    given_up_mt: Decimal = Decimal(0)
    arranged: dict[str, Any] = field(default_factory=dict[str, Any])
    steps: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    told: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    trips: list[TripModel] = field(default_factory=list[TripModel])
    audited: int = 0

    @property
    def live(self) -> Sequence[TripModel]:
        return [trip for trip in self.trips if trip.live]

    @property
    def covered_mt(self) -> Decimal:
        return sum((trip.load_mt - trip.left_mt for trip in self.live), Decimal(0))

    @property
    def open_mt(self) -> Decimal:
        return self.quantity_mt - self.covered_mt - self.given_up_mt

    def free(self, truck: int, driver: int, *, but: TripModel | None = None) -> bool:
        others = [trip for trip in self.trips if trip.holds and trip is not but]
        return all(trip.truck != truck and trip.driver != driver for trip in others)

    def goes(self, status: str, told: str | None = None) -> None:
        self.status = status
        self.steps.append((self.version + 1, status))
        self.notes(told or status)

    def notes(self, told: str) -> None:
        self.version += 1
        self.told.append((self.version, told))

    def cancels(self) -> None:
        percent, fixed = FEES[self.status]
        # Half a paisa can't come up: the price is a multiple of 500.
        self.fee = self.price * percent // 100 + fixed
        for trip in self.live:
            trip.goes("cancelled")
            self.audited += 1
        self.goes("cancelled")
        self.audited += 1

    def gives_up(self) -> None:
        self.given_up_mt += self.open_mt
        self.notes("rest_expired")
        self.follows()

    def follows(self) -> None:
        """The booking goes where its trips are."""
        if not self.live:
            self.goes("confirmed", "unassigned")
            return
        while (target := self._beyond()) is not None:
            self.goes(target, "started" if target == "in_progress" else None)

    def _beyond(self) -> str | None:
        live = self.live
        all_there = self.open_mt == 0 and all(trip.status in TRIP_WAY[6:] for trip in live)
        reached = {
            "assigned": any(trip.loaded for trip in live),
            "in_progress": all_there,
            "delivered": all_there and all(trip.status == "closed" for trip in live),
        }
        return WAY[WAY.index(self.status) + 1] if reached.get(self.status) else None
