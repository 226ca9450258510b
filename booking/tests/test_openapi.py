"""The OpenAPI document tells the truth, whatever is sent."""

from dataclasses import dataclass, field
from uuid import UUID

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from booking.app import create_app
from chassis.testing.conformance import CHOSEN, LONG, QUICK, Case, document_of, each_operation, send

from .bids import placed
from .factories import SHIPPER, Caller
from .fleets import FLEET, registered
from .loads import open_load, pair
from .trips import journey

pytestmark = pytest.mark.untraced

operation = each_operation(document_of(create_app))


@dataclass
class Places:
    """What requests can meet: made when first needed, and anew once a request has changed it."""

    caller: Caller
    session: AsyncSession
    made: dict[str, str] = field(default_factory=dict[str, str])

    async def id_of(self, name: str) -> str:
        """The id of something that the caller reaches."""
        if name not in self.made:
            self.made[name] = await make(name, self.caller, self.session)
        return self.made[name]

    def note(self, response: httpx.Response) -> None:
        """A request was answered."""
        if response.is_success and response.request.method != "GET":
            self.made.clear()


@pytest.fixture
def places(shipper: Caller, session: AsyncSession) -> Places:
    # Somebody who may send all of it.
    caller = shipper.another(*SHIPPER, *FLEET, "config:approve:all", "trip:assign:all")
    return Places(caller, session)


@CHOSEN.parametrize()
@QUICK
async def test_it_holds(case: Case, places: Places) -> None:
    await check(case, places)


@pytest.mark.nightly
@CHOSEN.parametrize()
@LONG
async def test_it_holds_for_long(case: Case, places: Places) -> None:
    await check(case, places)


async def check(case: Case, places: Places) -> None:
    await aim(case, places)
    caller = places.caller
    response = await send(case, caller.client, headers=caller.headers)
    places.note(response)
    case.validate_response(response)


async def aim(case: Case, places: Places) -> None:
    """Half of the ids are of a booking, truck, driver or trip that there is."""
    for name in ("booking_id", "truck_id", "driver_id", "trip_id", "bid_id"):
        try:
            number = UUID(case.path_parameters[name]).int
        except (KeyError, ValueError, AttributeError):
            continue
        if number % 2:
            wanted = "load_id" if case.path.startswith("/v1/board") else name
            case.path_parameters[name] = await places.id_of(wanted)


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
        case "bid_id":
            mine = await pair(session, caller.tenant_id)
            booking = await open_load(session, tenant_id=caller.tenant_id)
            return (await placed(caller, booking, mine))["bid_id"]
        case _:
            made = await registered(caller, name.removesuffix("_id"))
    return made[name]
