"""Where trucks are, from what tracking tells."""

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import TruckPosition
from booking.fleets.models import Truck
from booking.trips.outlook import judge_by_position
from chassis.events import CloudEvent
from contracts.positions import TruckPositionSampled


async def keep_position(session: AsyncSession, event: CloudEvent) -> None:
    """Keep the position with the greatest sequence, whatever came last; of our trucks only.

    It also tells whether the trip that the truck is in transit with will be late.
    """
    told = TruckPositionSampled.model_validate(event.data)
    place = {
        "sequence": told.sequence,
        "lat": told.lat,
        "lng": told.lng,
        "recorded_at": told.recorded_at,
    }
    columns = TruckPosition.__table__.c
    known = select(Truck.id, *(literal(v, columns[k].type) for k, v in place.items())).where(
        Truck.id == told.truck_id, Truck.tenant_id == told.tenant_id
    )
    statement = insert(TruckPosition).from_select(["truck_id", *place], known)
    kept = await session.execute(
        statement.on_conflict_do_update(
            constraint="pk_truck_positions",
            set_={name: statement.excluded[name] for name in place},
            where=statement.excluded.sequence > TruckPosition.sequence,
        ).returning(columns.truck_id)
    )
    # One that came late tells nothing new.
    if kept.one_or_none() is not None:
        await judge_by_position(session, told)
