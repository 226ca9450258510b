"""What fleets tell of their trucks and drivers."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.models import Driver, Truck
from booking.rows import SOURCE
from chassis.events import record_event
from contracts.events import EventData
from contracts.fleet import (
    DRIVER_CHANGED,
    DRIVER_REGISTERED,
    TRUCK_CHANGED,
    TRUCK_REGISTERED,
    DriverChanged,
    DriverRegistered,
    TruckChanged,
    TruckRegistered,
)
from contracts.values import Material


async def tell_registered(session: AsyncSession, member: Truck | Driver) -> None:
    """Of a new truck or driver."""
    if isinstance(member, Truck):
        truck = TruckRegistered(registered_at=member.created_at, **_truck(member))
        await tell(session, member, TRUCK_REGISTERED, truck)
    else:
        driver = DriverRegistered(registered_at=member.created_at, **_driver(member))
        await tell(session, member, DRIVER_REGISTERED, driver)


async def tell_changed(
    session: AsyncSession, member: Truck | Driver, changed: Iterable[str]
) -> None:
    """Of a change; `changed` names what did."""
    change: dict[str, Any] = {
        "changed": tuple(sorted(changed)),
        "retired": member.retired_at is not None,
        "changed_at": member.updated_at,
    }
    if isinstance(member, Truck):
        await tell(session, member, TRUCK_CHANGED, TruckChanged(**change, **_truck(member)))
    else:
        await tell(session, member, DRIVER_CHANGED, DriverChanged(**change, **_driver(member)))


async def tell(session: AsyncSession, member: Truck | Driver, kind: str, data: EventData) -> None:
    """Write an event of this truck or driver, as it is at its present version."""
    await record_event(
        session,
        source=SOURCE,
        type=kind,
        subject=member.id,
        tenant_id=member.tenant_id,
        aggregate_version=member.version,
        data=data,
    )


def _truck(truck: Truck) -> dict[str, Any]:
    return {
        "truck_id": truck.id,
        "tenant_id": truck.tenant_id,
        "registration_number": truck.registration_number,
        "truck_type": truck.truck_type,
        "capacity_mt": truck.capacity_mt,
        "materials": tuple(Material(name) for name in truck.materials),
        "states": tuple(truck.states),
    }


def _driver(driver: Driver) -> dict[str, Any]:
    return {
        "driver_id": driver.id,
        "tenant_id": driver.tenant_id,
        "user_id": driver.subject,
        "licence_expires_on": driver.licence_expires_on,
    }
