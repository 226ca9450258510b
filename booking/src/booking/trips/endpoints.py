"""HTTP of trips: their steps."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Response

from booking.endpoints import Source
from booking.fleets.errors import DriverNotFound, TruckNotFound
from booking.fleets.http import ETAG, POSTS, tag
from booking.fleets.service import Caller
from booking.schemas import CancelRequest
from booking.trips import handover, service
from booking.trips.calling_off import call_off_trip
from booking.trips.codes import Purpose
from booking.trips.errors import (
    CodeNotDue,
    DriverBusy,
    EwayBillExpired,
    EwayBillFromTheFuture,
    NoCode,
    NotCancellable,
    NotFit,
    NothingSwapped,
    NotSwappable,
    TooManyWrongCodes,
    TripNotFound,
    TruckBusy,
    WrongCode,
)
from booking.trips.eway_bill import BadEwayBillNumber
from booking.trips.judging import Judged
from booking.trips.lorry_receipt import BadGstin
from booking.trips.models import Trip
from booking.trips.schemas import (
    ArriveAtPickupRequest,
    CodeOut,
    DeliverRequest,
    LoadRequest,
    SwapRequest,
    TripOut,
)
from booking.trips.steps import StepOutOfOrder
from booking.trips.swap import swap_truck
from booking.trips.transit_pass import (
    BadTransitPassNumber,
    TransitPassMissing,
    TransitPassUnneeded,
)
from booking.trips.weights import WeightsImplausible
from chassis.access import Grant, requires
from chassis.config_client import ConfigurationUnavailable
from chassis.db import Session
from chassis.errors import PreconditionFailed, problem_response, problems
from chassis.etags import IfMatch
from chassis.idempotency import IdempotentRoute
from chassis.routing import StrictRoute

_STEP: Final = (*POSTS, TripNotFound, StepOutOfOrder, PreconditionFailed)
_CODE: Final = (NoCode, WrongCode, TooManyWrongCodes)
_PASS: Final = (TransitPassMissing, TransitPassUnneeded, BadTransitPassNumber)


async def _driver(
    grant: Annotated[Grant, requires("trip", "update", field="status", instead=("fleet", "write"))],
    source: Source,
) -> Caller:
    return Caller(grant=grant, source_ip=source)


async def _owner(grant: Annotated[Grant, requires("fleet", "write")], source: Source) -> Caller:
    return Caller(grant=grant, source_ip=source)


async def _sender(
    grant: Annotated[Grant, requires("booking", "hand_over")], source: Source
) -> Caller:
    return Caller(grant=grant, source_ip=source)


async def _seen(
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="Only if the trip still has this ETag")
    ] = None,
) -> IfMatch | None:
    if if_match is None or if_match.strip() in ("", "*"):
        return None
    return IfMatch.read(if_match)


Driving = Annotated[Caller, Depends(_driver)]
Owning = Annotated[Caller, Depends(_owner)]
Sending = Annotated[Caller, Depends(_sender)]
Seen = Annotated[IfMatch | None, Depends(_seen)]

router = APIRouter(prefix="/v1/trips/{trip_id}", tags=["trips"], route_class=IdempotentRoute)
# An answer with a code in it is never kept, so these honour no key: the newest code counts.
codes = APIRouter(prefix="/v1/trips/{trip_id}/codes", tags=["trips"], route_class=StrictRoute)


def _responses(*errors: Any) -> dict[int | str, dict[str, Any]]:
    return problems(*_STEP, *errors) | {200: ETAG}


@router.post("/accept", operation_id="acceptTrip", responses=_responses())
async def accept(
    trip_id: UUID, caller: Driving, seen: Seen, session: Session, response: Response
) -> TripOut:
    """Take a trip on."""
    trip = await service.accept(session, caller=caller, trip_id=trip_id, seen=seen)
    return _shown(trip, response)


@router.post(
    "/arrive-at-pickup",
    operation_id="arriveAtPickup",
    response_model=TripOut,
    responses=_responses(*_CODE, TruckBusy, DriverBusy),
)
async def arrive_at_pickup(
    trip_id: UUID,
    request: ArriveAtPickupRequest,
    caller: Driving,
    seen: Seen,
    session: Session,
    response: Response,
    road: Judged,
) -> TripOut | Response:
    """Be where the truck is loaded, with the shipper's code.

    A wrong code counts: after five, none is looked at for a quarter of an hour.
    """
    found = await handover.arrive_at_pickup(
        session, caller=caller, trip_id=trip_id, seen=seen, digits=request.code, road=road
    )
    return _outcome(found, response)


@router.post(
    "/load",
    operation_id="loadTruck",
    responses=_responses(
        WeightsImplausible,
        BadEwayBillNumber,
        EwayBillExpired,
        EwayBillFromTheFuture,
        BadGstin,
        *_PASS,
        ConfigurationUnavailable,
    ),
)
async def load(
    trip_id: UUID,
    request: LoadRequest,
    caller: Driving,
    seen: Seen,
    session: Session,
    response: Response,
    road: Judged,
) -> TripOut:
    """Weigh the loaded truck and complete its papers: it gets its lorry receipt's number."""
    trip = await handover.load(
        session, caller=caller, trip_id=trip_id, seen=seen, request=request, road=road
    )
    return _shown(trip, response)


@router.post(
    "/depart",
    operation_id="departTrip",
    responses=_responses(EwayBillExpired, ConfigurationUnavailable),
)
async def depart(
    trip_id: UUID,
    caller: Driving,
    seen: Seen,
    session: Session,
    response: Response,
    road: Judged,
) -> TripOut:
    """Leave for the drop."""
    trip = await service.depart(session, caller=caller, trip_id=trip_id, seen=seen, road=road)
    return _shown(trip, response)


@router.post("/arrive-at-drop", operation_id="arriveAtDrop", responses=_responses())
async def arrive_at_drop(
    trip_id: UUID, caller: Driving, seen: Seen, session: Session, response: Response
) -> TripOut:
    """Be at the drop."""
    trip = await service.arrive_at_drop(session, caller=caller, trip_id=trip_id, seen=seen)
    return _shown(trip, response)


@router.post(
    "/deliver",
    operation_id="deliverTrip",
    response_model=TripOut,
    responses=_responses(*_CODE, WeightsImplausible, ConfigurationUnavailable),
)
async def deliver(
    trip_id: UUID,
    request: DeliverRequest,
    caller: Driving,
    seen: Seen,
    session: Session,
    response: Response,
    road: Judged,
) -> TripOut | Response:
    """Hand the goods over, with the consignee's code.

    What is missing beyond the tolerance becomes a claim. A wrong code counts, as at the pickup.
    """
    found = await handover.deliver(
        session, caller=caller, trip_id=trip_id, seen=seen, request=request, road=road
    )
    return _outcome(found, response)


@router.post("/close", operation_id="closeTrip", responses=_responses())
async def close(
    trip_id: UUID, caller: Driving, seen: Seen, session: Session, response: Response
) -> TripOut:
    """Say that nothing is left to do."""
    trip = await handover.close(session, caller=caller, trip_id=trip_id, seen=seen)
    return _shown(trip, response)


@router.post("/cancel", operation_id="cancelTrip", responses=_responses(NotCancellable))
async def cancel(
    trip_id: UUID,
    caller: Driving,
    seen: Seen,
    session: Session,
    response: Response,
    request: CancelRequest | None = None,
) -> TripOut:
    """Call a trip off before its truck is loaded: truck, driver and load are free again.

    The driver may decline it so, but only before accepting it.
    """
    reason = request.reason if request is not None else None
    trip = await call_off_trip(session, caller=caller, trip_id=trip_id, seen=seen, reason=reason)
    return _shown(trip, response)


@router.post(
    "/swap-truck",
    operation_id="swapTruck",
    responses=_responses(
        TruckNotFound,
        DriverNotFound,
        NotSwappable,
        NothingSwapped,
        NotFit,
        TruckBusy,
        DriverBusy,
        ConfigurationUnavailable,
    ),
)
async def swap(
    trip_id: UUID,
    request: SwapRequest,
    caller: Owning,
    seen: Seen,
    session: Session,
    response: Response,
    road: Judged,
) -> TripOut:
    """Let another truck or driver of the fleet carry on: load, papers and evidence go along.

    They are held from now until the planned end, or for a day where that is nearer. The load may
    be as far above the capacity as at the loading.
    """
    trip = await swap_truck(
        session, caller=caller, trip_id=trip_id, seen=seen, request=request, road=road
    )
    return _shown(trip, response)


@codes.post(
    "/{purpose}",
    operation_id="issueTripCode",
    responses=problems(*POSTS, TripNotFound, CodeNotDue),
)
async def issue_code(
    trip_id: UUID, purpose: Purpose, caller: Sending, session: Session, road: Judged
) -> CodeOut:
    """A one-time code for whoever hands the goods over, or takes them. The one before is void."""
    digits, code = await handover.issue_code(
        session, caller=caller, trip_id=trip_id, purpose=purpose, road=road
    )
    return CodeOut(purpose=purpose, code=digits, expires_at=code.expires_at)


def _outcome(found: Trip | WrongCode, response: Response) -> TripOut | Response:
    # Answered, not raised: the try that it counted has to be committed.
    return problem_response(found) if isinstance(found, WrongCode) else _shown(found, response)


def _shown(trip: Trip, response: Response) -> TripOut:
    tag(response, trip.version)
    return TripOut.of(trip)
