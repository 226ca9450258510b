"""The OpenAPI document tells the truth, whatever is sent."""

from uuid import UUID

import pytest

from booking.app import create_app
from chassis.testing.conformance import LONG, QUICK, Case, document_of, load, send

from .factories import Caller

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
    await aim(case, shipper)
    case.validate_response(await send(case, shipper.client, headers=shipper.headers))


async def aim(case: Case, shipper: Caller) -> None:
    """Half of the ids are of a booking that there is."""
    try:
        number = UUID(case.path_parameters["booking_id"]).int
    except (KeyError, ValueError, AttributeError):
        return
    if number % 2:
        case.path_parameters["booking_id"] = (await shipper.book())["booking_id"]
