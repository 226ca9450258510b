"""A truck and a driver who go together: locked, in one order everywhere, and judged as a pair."""

from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.absences import absences_of
from booking.fleets.errors import DriverNotFound, TruckNotFound
from booking.fleets.fitness import Load, Window, against_driver, against_truck
from booking.fleets.models import Driver, Truck


async def lock_pair(
    session: AsyncSession, reached: ColumnElement[bool], *, truck_id: UUID, driver_id: UUID
) -> tuple[Truck, Driver]:
    """The truck, which `reached` must hold for, and a driver of its fleet, both locked.

    Raises `TruckNotFound`, `DriverNotFound`.
    """
    truck = await session.scalar(
        select(Truck).where(Truck.id == truck_id, reached).with_for_update(key_share=True)
    )
    if truck is None:
        raise TruckNotFound
    driver = await session.scalar(
        select(Driver)
        .where(Driver.id == driver_id, Driver.tenant_id == truck.tenant_id)
        .with_for_update(key_share=True)
    )
    if driver is None:
        raise DriverNotFound
    return truck, driver


async def against_pair(
    session: AsyncSession, truck: Truck, driver: Driver, window: Window, *, load: Load
) -> list[str]:
    """What speaks against the two carrying this load in the window; none means fit."""
    time = {"begin": window.begin, "until": window.until}
    trucks = await absences_of(session, Truck, ids=[truck.id], **time)
    drivers = await absences_of(session, Driver, ids=[driver.id], **time)
    return [
        *against_truck(truck, window, load=load, absences=trucks.get(truck.id, ())),
        *against_driver(driver, window, absences=drivers.get(driver.id, ())),
    ]
