"""The OpenAPI document tells the truth, whatever is sent."""

from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from booking.app import create_app
from chassis.testing.conformance import LONG, QUICK, Case, document_of, load, send

from .factories import SHIPPER, Caller
from .fleets import FLEET, registered
from .loads import open_load
from .trips import journey

schema = load(document_of(create_app))


@schema.parametrize()
@QUICK
async def test_it_holds(case: Case, shipper: Caller, session: AsyncSession) -> None:
    await check(case, shipper, session)


@pytest.mark.nightly
@schema.parametrize()
@LONG
async def test_it_holds_for_long(case: Case, shipper: Caller, session: AsyncSession) -> None:
    await check(case, shipper, session)


async def check(case: Case, shipper: Caller, session: AsyncSession) -> None:
    # Somebody who may send all of it.
    caller = shipper.another(*SHIPPER, *FLEET, "config:approve:all", "trip:assign:all")
    await aim(case, caller, session)
    case.validate_response(await send(case, caller.client, headers=caller.headers))


async def aim(case: Case, caller: Caller, session: AsyncSession) -> None:
    """Half of the ids are of a booking, truck, driver or trip that there is."""
    for name in ("booking_id", "truck_id", "driver_id", "trip_id"):
        try:
            number = UUID(case.path_parameters[name]).int
        except (KeyError, ValueError, AttributeError):
            continue
        if number % 2:
            wanted = "load_id" if case.path.startswith("/v1/board") else name
            case.path_parameters[name] = await make(wanted, caller, session)


async def make(name: str, caller: Caller, session: AsyncSession) -> str:
    """The id of something new that the caller reaches."""
    match name:
        case "booking_id":
            made = await caller.book()
        case "load_id":
            return str((await open_load(session)).id)
        case "trip_id":
            made = await journey(session, caller.client, caller.issuer, tenant_id=caller.tenant_id)
            return str(made.trip_id)
        case _:
            made = await registered(caller, name.removesuffix("_id"))
    return made[name]
