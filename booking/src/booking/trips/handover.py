"""Use cases of a trip at which goods change hands: codes, pickup, loading, delivery, closing.

A wrong code is returned and not raised, since its try has to be committed.
"""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.coverage import uncover
from booking.fleets.models import Driver, Truck
from booking.fleets.service import Caller
from booking.models import Booking
from booking.trips import codes, loading, weights
from booking.trips.access import Road, begin_step, booked_by, finish_step, lock_trip, named, tell
from booking.trips.claims import claim_shortage
from booking.trips.codes import DUE, Code, Purpose
from booking.trips.errors import CodeNotDue, WrongCode
from booking.trips.models import Place, ShortageClaim, Trip, TripWeight
from booking.trips.records import keep_code, net_kg, next_receipt_number, use_code
from booking.trips.schemas import DeliverRequest, LoadRequest
from booking.trips.steps import Step
from booking.trips.transit_pass import check_pass
from chassis.audit import Outcome, record_audit
from chassis.etags import IfMatch
from contracts.trips import (
    TRIP_ARRIVED_AT_PICKUP,
    TRIP_CLOSED,
    TRIP_DELIVERED,
    TRIP_LOADED,
    TripArrivedAtPickup,
    TripClosed,
    TripDelivered,
    TripLoaded,
)


async def issue_code(
    session: AsyncSession, *, caller: Caller, trip_id: UUID, purpose: Purpose, road: Road
) -> tuple[str, Code]:
    """A fresh code for whoever booked, in the place of the one before."""
    trip = await lock_trip(session, trip_id, booked_by(caller.grant))
    if trip.status not in DUE[purpose]:
        raise CodeNotDue(f"A code for the {purpose} is of no use to a trip that is {trip.status}.")
    digits, code = codes.issue(
        key=road.code_key, trip_id=trip.id, purpose=purpose, at=datetime.now(UTC)
    )
    await keep_code(session, trip, purpose, code)
    await _audit(session, trip, caller, f"trip.{purpose}-code", outcome="allowed")
    return digits, code


async def arrive_at_pickup(
    session: AsyncSession,
    *,
    caller: Caller,
    trip_id: UUID,
    seen: IfMatch | None,
    digits: str,
    road: Road,
) -> Trip | WrongCode:
    """The truck is where it is loaded, as the shipper's code shows."""
    step = Step.ARRIVE_AT_PICKUP
    trip = await begin_step(session, caller=caller, trip_id=trip_id, step=step, seen=seen)
    at = datetime.now(UTC)
    wrong = await use_code(session, trip, Purpose.PICKUP, digits, key=road.code_key, at=at)
    if wrong is not None:
        await _audit(session, trip, caller, f"trip.{step}", outcome="denied")
        return wrong
    await finish_step(session, trip, step, caller=caller, at=at, data={"code": "accepted"})
    arrived = TripArrivedAtPickup(**named(trip), arrived_at=at)
    await tell(session, trip, TRIP_ARRIVED_AT_PICKUP, arrived)
    return trip


async def load(
    session: AsyncSession,
    *,
    caller: Caller,
    trip_id: UUID,
    seen: IfMatch | None,
    request: LoadRequest,
    road: Road,
) -> Trip:
    """The truck is loaded and weighed, and its papers are complete.

    Tons that it was to take and didn't are open again.
    """
    trip = await begin_step(session, caller=caller, trip_id=trip_id, step=Step.LOAD, seen=seen)
    at = datetime.now(UTC)
    ruling = road.rules.current()
    rules = ruling.rules
    booking = await session.get_one(Booking, trip.booking_id)
    truck = await session.get_one(Truck, trip.truck_id)
    driver = await session.get_one(Driver, trip.driver_id)
    weighing = request.weighing
    weights.check_loaded(
        weighing, capacity_mt=truck.capacity_mt, planned_mt=trip.load_mt, rules=rules.weights
    )
    left_kg = weights.left_behind(weighing, planned_mt=trip.load_mt, rules=rules.weights)
    if left_kg:
        await uncover(session, booking, weights.tons(left_kg))
    trip.transit_pass_number = check_pass(
        request.transit_pass_number,
        material=booking.material_type,
        state=request.pickup_state,
        rules=rules.transit_passes,
    )
    given = request.eway_bill
    bill = given and loading.bill_of(given, distance_m=booking.distance_m, at=at)
    if bill is not None:
        trip.travel_on(bill)
    number = await next_receipt_number(session, tenant_id=trip.tenant_id, at=at)
    trip.lorry_receipt_number = number
    _weigh(session, trip, Place.PICKUP, weighing, at=at)
    data = loading.loaded_data(
        trip=trip,
        booking=booking,
        truck=truck,
        driver=driver,
        request=request,
        left_kg=left_kg,
        bill=bill,
        ruling=ruling,
    )
    await finish_step(session, trip, Step.LOAD, caller=caller, at=at, data=data)
    loaded = TripLoaded(
        **named(trip),
        tare_mt=weights.tons(weighing.tare_kg),
        gross_mt=weights.tons(weighing.gross_kg),
        net_mt=weights.tons(weighing.net_kg),
        released_mt=weights.tons(left_kg),
        lorry_receipt_number=number,
        eway_bill_number=trip.eway_bill_number,
        transit_pass_number=trip.transit_pass_number,
        loaded_at=at,
    )
    await tell(session, trip, TRIP_LOADED, loaded)
    return trip


async def deliver(
    session: AsyncSession,
    *,
    caller: Caller,
    trip_id: UUID,
    seen: IfMatch | None,
    request: DeliverRequest,
    road: Road,
) -> Trip | WrongCode:
    """The goods are handed over, weighed again; what is missing beyond the tolerance is claimed."""
    trip = await begin_step(session, caller=caller, trip_id=trip_id, step=Step.DELIVER, seen=seen)
    at = datetime.now(UTC)
    ruling = road.rules.current()
    truck = await session.get_one(Truck, trip.truck_id)
    loaded_kg = await net_kg(session, trip, Place.PICKUP)
    weighing = request.weighing
    weights.check_delivered(
        weighing, loaded_kg=loaded_kg, capacity_mt=truck.capacity_mt, rules=ruling.rules.weights
    )
    wrong = await use_code(session, trip, Purpose.DROP, request.code, key=road.code_key, at=at)
    if wrong is not None:
        await _audit(session, trip, caller, f"trip.{Step.DELIVER}", outcome="denied")
        return wrong
    _weigh(session, trip, Place.DROP, weighing, at=at)
    data = {
        "tare_kg": weighing.tare_kg,
        "gross_kg": weighing.gross_kg,
        "net_kg": weighing.net_kg,
        "proof_sha256": request.proof_sha256,
        "code": "accepted",
        "rules": ruling.evidence,
    }
    await finish_step(session, trip, Step.DELIVER, caller=caller, at=at, data={**data})
    delivered = TripDelivered(
        **named(trip),
        net_mt=weights.tons(weighing.net_kg),
        proof_digest=request.proof_sha256,
        delivered_at=at,
    )
    await tell(session, trip, TRIP_DELIVERED, delivered)
    await claim_shortage(
        session,
        trip,
        loaded_kg=loaded_kg,
        delivered_kg=weighing.net_kg,
        tolerance_percent=ruling.rules.shortage_tolerance_percent,
    )
    return trip


async def close(
    session: AsyncSession, *, caller: Caller, trip_id: UUID, seen: IfMatch | None
) -> Trip:
    """Nothing is left to do: weights are final, and the evidence is complete."""
    trip = await begin_step(session, caller=caller, trip_id=trip_id, step=Step.CLOSE, seen=seen)
    at = datetime.now(UTC)
    loaded_kg = await net_kg(session, trip, Place.PICKUP)
    delivered_kg = 0 if trip.lost_at else await net_kg(session, trip, Place.DROP)
    missing_kg = max(0, loaded_kg - delivered_kg)
    claim = await session.scalar(select(ShortageClaim).where(ShortageClaim.trip_id == trip.id))
    entry = await finish_step(
        session,
        trip,
        Step.CLOSE,
        caller=caller,
        at=at,
        data={
            "loaded_kg": loaded_kg,
            "delivered_kg": delivered_kg,
            "missing_kg": missing_kg,
            "claim_paise": 0 if claim is None else claim.paise,
        },
    )
    closed = TripClosed(
        **named(trip),
        loaded_mt=weights.tons(loaded_kg),
        delivered_mt=weights.tons(delivered_kg),
        shortage_mt=weights.tons(missing_kg),
        evidence_head=entry.digest,
        closed_at=at,
    )
    await tell(session, trip, TRIP_CLOSED, closed)
    return trip


def _weigh(
    session: AsyncSession, trip: Trip, place: Place, weighing: weights.Weighing, *, at: datetime
) -> None:
    session.add(
        TripWeight(
            trip_id=trip.id,
            place=place,
            tare_kg=weighing.tare_kg,
            gross_kg=weighing.gross_kg,
            weighed_at=at,
        )
    )


async def _audit(
    session: AsyncSession, trip: Trip, caller: Caller, action: str, *, outcome: Outcome
) -> None:
    await record_audit(
        session,
        actor=caller.grant.principal.subject,
        action=action,
        target=f"trip/{trip.id}",
        outcome=outcome,
        tenant_id=trip.tenant_id,
        source_ip=caller.source_ip,
    )
