"""HTTP of the e-way bill that a trip travels on."""

from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Response

from booking.fleets.http import ETAG, POSTS, tag
from booking.trips import bill_changes
from booking.trips.endpoints import Driving, Seen
from booking.trips.errors import (
    EwayBillExpired,
    EwayBillFromTheFuture,
    NoEwayBill,
    NothingCarried,
    RemainingImplausible,
    TripNotFound,
)
from booking.trips.eway_bill import BadEwayBillNumber, ExtensionNotOpen
from booking.trips.schemas import EwayBillRecord, ExtensionRequest, TripOut
from chassis.db import Session
from chassis.errors import PreconditionFailed, problems
from chassis.idempotency import IdempotentRoute

_EITHER: Final = (
    *POSTS,
    TripNotFound,
    PreconditionFailed,
    NothingCarried,
    EwayBillFromTheFuture,
    RemainingImplausible,
)

router = APIRouter(
    prefix="/v1/trips/{trip_id}/eway-bill", tags=["trips"], route_class=IdempotentRoute
)


def _responses(*errors: Any) -> dict[int | str, dict[str, Any]]:
    return problems(*_EITHER, *errors) | {200: ETAG}


@router.post(
    "",
    operation_id="recordEwayBill",
    responses=_responses(BadEwayBillNumber, EwayBillExpired),
)
async def record(
    trip_id: UUID,
    request: EwayBillRecord,
    caller: Driving,
    seen: Seen,
    session: Session,
    response: Response,
) -> TripOut:
    """Say which bill the trip travels on, once its Part B names the truck that carries the goods.

    For a bill that came late or took another's place, and after another truck took over: then with
    the number and time that the trip has.
    """
    trip = await bill_changes.record_bill(
        session, caller=caller, trip_id=trip_id, seen=seen, request=request
    )
    tag(response, trip.version)
    return TripOut.of(trip)


@router.post(
    "/extend",
    operation_id="extendEwayBill",
    responses=_responses(NoEwayBill, ExtensionNotOpen),
)
async def extend(
    trip_id: UUID,
    request: ExtensionRequest,
    caller: Driving,
    seen: Seen,
    session: Session,
    response: Response,
) -> TripOut:
    """Write down that the bill was extended, within eight hours before or after its end.

    It then holds for what was left to drive, counted from the extension, and never shorter.
    """
    trip = await bill_changes.extend_bill(
        session, caller=caller, trip_id=trip_id, seen=seen, request=request
    )
    tag(response, trip.version)
    return TripOut.of(trip)
