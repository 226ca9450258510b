"""How trucks and drivers are shown: with what keeps them from taking a trip at this moment."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.absences import absences_of
from booking.fleets.fitness import Window, against_driver, against_truck
from booking.fleets.models import Driver, Truck
from booking.fleets.schemas import DriverOut, TruckOut


async def show_trucks(session: AsyncSession, trucks: Sequence[Truck]) -> list[TruckOut]:
    """In the order given."""
    now = _now()
    absences = await absences_of(
        session, Truck, ids=[truck.id for truck in trucks], begin=now.begin, until=now.until
    )
    return [
        TruckOut.of(truck, against_truck(truck, now, absences=absences.get(truck.id, ())))
        for truck in trucks
    ]


async def show_drivers(session: AsyncSession, drivers: Sequence[Driver]) -> list[DriverOut]:
    """In the order given."""
    now = _now()
    absences = await absences_of(
        session, Driver, ids=[driver.id for driver in drivers], begin=now.begin, until=now.until
    )
    return [
        DriverOut.of(driver, against_driver(driver, now, absences=absences.get(driver.id, ())))
        for driver in drivers
    ]


def _now() -> Window:
    at = datetime.now(UTC)
    return Window(begin=at, until=at + timedelta(microseconds=1))
