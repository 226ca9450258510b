"""HTTP of a load that is lost."""

from uuid import UUID

from fastapi import APIRouter, Response

from booking.fleets.http import ETAG, POSTS, tag
from booking.trips.endpoints import Owning, Seen
from booking.trips.errors import NothingCarried, TripNotFound
from booking.trips.judging import Judged
from booking.trips.loss import report_loss
from booking.trips.schemas import LossReport, TripOut
from chassis.config_client import ConfigurationUnavailable
from chassis.db import Session
from chassis.errors import PreconditionFailed, problems
from chassis.idempotency import IdempotentRoute

router = APIRouter(prefix="/v1/trips/{trip_id}", tags=["trips"], route_class=IdempotentRoute)


@router.post(
    "/report-loss",
    operation_id="reportLoss",
    responses=problems(
        *POSTS, TripNotFound, PreconditionFailed, NothingCarried, ConfigurationUnavailable
    )
    | {200: ETAG},
)
async def report(
    trip_id: UUID,
    request: LossReport,
    caller: Owning,
    seen: Seen,
    session: Session,
    response: Response,
    road: Judged,
) -> TripOut:
    """End a loaded trip of which nothing was handed over: lost, or refused at the drop.

    It counts as delivered with nothing, and all that was loaded is claimed.
    """
    trip = await report_loss(
        session, caller=caller, trip_id=trip_id, seen=seen, report=request, road=road
    )
    tag(response, trip.version)
    return TripOut.of(trip)
