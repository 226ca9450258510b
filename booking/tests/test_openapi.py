"""The OpenAPI document tells the truth, whatever is sent."""

from uuid import UUID

import pytest

from booking.app import create_app
from chassis.testing.conformance import LONG, QUICK, Case, document_of, load, send

from .factories import SHIPPER, Caller
from .fleets import FLEET, registered

schema = load(document_of(create_app))


@schema.parametrize()
@QUICK
async def test_it_holds(case: Case, shipper: Caller) -> None:
    await check(case, shipper)


@pytest.mark.nightly
@schema.parametrize()
@LONG
async def test_it_holds_for_long(case: Case, shipper: Caller) -> None:
    await check(case, shipper)


async def check(case: Case, shipper: Caller) -> None:
    # Somebody who may send all of it.
    caller = shipper.another(*SHIPPER, *FLEET, "config:approve:all")
    await aim(case, caller)
    case.validate_response(await send(case, caller.client, headers=caller.headers))


async def aim(case: Case, caller: Caller) -> None:
    """Half of the ids are of a booking, truck or driver that there is."""
    for name in ("booking_id", "truck_id", "driver_id"):
        try:
            number = UUID(case.path_parameters[name]).int
        except (KeyError, ValueError, AttributeError):
            continue
        if number % 2:
            made = await (caller.book() if name == "booking_id" else registered(caller, name[:-3]))
            case.path_parameters[name] = made[name]
