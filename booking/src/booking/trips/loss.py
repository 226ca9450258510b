"""A load of which nothing is handed over: stolen, burnt, or refused at the drop.

Nobody received anything, so nobody has a code to give and there is nothing to weigh. What keeps a
fleet from reporting it lightly is the claim for all that was loaded, which comes with the report.
"""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.service import Caller
from booking.trips.access import (
    Road,
    lock_trip_of_booking,
    named,
    note_change,
    reached_by,
    tell,
)
from booking.trips.claims import claim_shortage
from booking.trips.errors import NothingCarried
from booking.trips.models import Place, Trip
from booking.trips.progress import follow
from booking.trips.records import net_kg
from booking.trips.schemas import LossReport
from booking.trips.steps import CARRYING, TripStatus
from booking.trips.weights import tons
from chassis.etags import IfMatch
from contracts.trips import TRIP_LOST, TripLost


async def report_loss(
    session: AsyncSession,
    *,
    caller: Caller,
    trip_id: UUID,
    seen: IfMatch | None,
    report: LossReport,
    road: Road,
) -> Trip:
    """End a loaded trip with nothing delivered, and claim its load; raises `NothingCarried`."""
    booking, trip = await lock_trip_of_booking(session, trip_id, reached_by(caller.grant))
    if seen is not None:
        seen.require(trip.version)
    if trip.status not in CARRYING:
        raise NothingCarried(f"It is {trip.status}.", status_now=trip.status)
    at, by = datetime.now(UTC), caller.grant.principal.subject
    ruling = road.rules.current()
    loaded_kg = await net_kg(session, trip, Place.PICKUP)
    before, trip.status, trip.lost_at = trip.status, TripStatus.DELIVERED, at
    await note_change(
        session,
        trip,
        kind="lost",
        action="trip.report-loss",
        by=by,
        source_ip=caller.source_ip,
        at=at,
        data={
            "previous_status": before,
            "reason": report.reason,
            "report_sha256": report.report_sha256,
            "loaded_kg": loaded_kg,
            "net_kg": 0,
            "rules": ruling.evidence,
        },
    )
    await follow(session, booking, by=by, at=at)
    lost = TripLost(
        **named(trip),
        previous_status=before,
        lost_mt=tons(loaded_kg),
        reason=report.reason,
        report_digest=report.report_sha256,
        reported_by=by,
        lost_at=at,
    )
    await tell(session, trip, TRIP_LOST, lost)
    await claim_shortage(
        session,
        trip,
        loaded_kg=loaded_kg,
        delivered_kg=0,
        tolerance_percent=ruling.rules.shortage_tolerance_percent,
    )
    return trip
