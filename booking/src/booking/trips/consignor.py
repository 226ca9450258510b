"""What whoever booked sees of a trip: the truck, weights, papers, codes, and no more of a fleet."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.kinds import TruckType
from booking.fleets.models import Driver, Truck
from booking.trips.codes import DUE, CodeState, Purpose, state_of
from booking.trips.models import Place, ShortageClaim, Trip, TripCode, TripWeight
from booking.trips.records import code_of
from booking.trips.schemas import EwayBillOut, eway_bill_out
from booking.trips.steps import TripStatus
from contracts.booking import JsonNumber, Money


class TruckOut(BaseModel):
    """The truck that carries the goods."""

    model_config = ConfigDict(title="TripTruck", from_attributes=True)

    registration_number: str
    truck_type: TruckType


class WeighedOut(BaseModel):
    """What a weighbridge showed, kilograms."""

    model_config = ConfigDict(title="Weighing")

    tare_kg: int
    gross_kg: int
    net_kg: int
    weighed_at: datetime


class CodeStateOut(BaseModel):
    """How a one-time code stands; its digits were shown when it was asked for.

    `due` says whether one can be asked for now, at `POST /v1/trips/{id}/codes/{purpose}`.
    """

    model_config = ConfigDict(title="TripCodeState")

    state: CodeState
    due: bool
    expires_at: datetime | None
    blocked_until: datetime | None


class ClaimOut(BaseModel):
    """What is claimed for goods that didn't arrive."""

    model_config = ConfigDict(title="ShortageClaim")

    claim_id: UUID
    claimed_kg: int
    claimed: Money
    claimed_at: datetime


class ConsignorTrip(BaseModel):
    """A trip as whoever booked sees it."""

    trip_id: UUID
    booking_id: UUID
    load_mt: JsonNumber
    status: TripStatus
    planned_from: datetime
    planned_until: datetime
    truck: TruckOut
    driver_name: str
    loaded: WeighedOut | None
    delivered: WeighedOut | None
    lorry_receipt_number: str | None
    eway_bill: EwayBillOut | None
    transit_pass_number: str | None
    lost_at: datetime | None = Field(
        description="When it was reported that nothing of the load was handed over"
    )
    shortage_claim: ClaimOut | None
    codes: dict[Purpose, CodeStateOut]
    version: int
    created_at: datetime
    updated_at: datetime


async def shown_to_consignor(
    session: AsyncSession, trips: Sequence[Trip], *, at: datetime
) -> Mapping[UUID, ConsignorTrip]:
    """These trips by their ids; four look-ups, however many there are."""
    if not trips:
        return {}
    ids = [trip.id for trip in trips]
    held = await session.execute(
        select(Trip.id, Truck.registration_number, Truck.truck_type, Driver.name)
        .join(Truck, Truck.id == Trip.truck_id)
        .join(Driver, Driver.id == Trip.driver_id)
        .where(Trip.id.in_(ids))
    )
    holders = {row.id: row for row in held}
    weights = {
        (row.trip_id, row.place): row
        for row in await session.scalars(select(TripWeight).where(TripWeight.trip_id.in_(ids)))
    }
    codes = {
        (row.trip_id, row.purpose): row
        for row in await session.scalars(select(TripCode).where(TripCode.trip_id.in_(ids)))
    }
    claims = {
        row.trip_id: row
        for row in await session.scalars(
            select(ShortageClaim).where(ShortageClaim.trip_id.in_(ids))
        )
    }
    return {
        trip.id: ConsignorTrip.model_validate(
            {
                **{name: getattr(trip, name) for name in _SAME},
                "trip_id": trip.id,
                "planned_from": trip.planned.lower,
                "planned_until": trip.planned.upper,
                "truck": holders[trip.id],
                "driver_name": holders[trip.id].name,
                "loaded": _weighed(weights.get((trip.id, Place.PICKUP))),
                "delivered": _weighed(weights.get((trip.id, Place.DROP))),
                "eway_bill": eway_bill_out(trip),
                "shortage_claim": _claim(claims.get(trip.id)),
                "codes": {
                    purpose: _code_state(trip, purpose, codes.get((trip.id, purpose)), at=at)
                    for purpose in Purpose
                },
            }
        )
        for trip in trips
    }


_SAME = (
    "booking_id",
    "load_mt",
    "status",
    "lorry_receipt_number",
    "transit_pass_number",
    "lost_at",
    "version",
    "created_at",
    "updated_at",
)


def _weighed(row: TripWeight | None) -> WeighedOut | None:
    if row is None:
        return None
    return WeighedOut(
        tare_kg=row.tare_kg,
        gross_kg=row.gross_kg,
        net_kg=row.gross_kg - row.tare_kg,
        weighed_at=row.weighed_at,
    )


def _claim(row: ShortageClaim | None) -> ClaimOut | None:
    if row is None:
        return None
    return ClaimOut(
        claim_id=row.id,
        claimed_kg=row.claimed_kg,
        claimed=Money(amount=row.paise),
        claimed_at=row.claimed_at,
    )


def _code_state(
    trip: Trip, purpose: Purpose, row: TripCode | None, *, at: datetime
) -> CodeStateOut:
    state = CodeState.NOT_ISSUED if row is None else state_of(code_of(row), at=at)
    return CodeStateOut(
        state=state,
        due=trip.status in DUE[purpose],
        expires_at=None if row is None else row.expires_at,
        blocked_until=None if row is None or state is not CodeState.BLOCKED else row.blocked_until,
    )
