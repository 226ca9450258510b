"""Automatic assignment: the nearest free trucks that fit, by where they were last."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.coverage import open_tons
from booking.assignment.plan import against_schedule, planned
from booking.assignment.service import assign, open_booking
from booking.fleets.kinds import HEAVY_GOODS, DocumentKind
from booking.fleets.models import Driver, Truck
from booking.fleets.service import Caller
from booking.models import one_of
from booking.trips.errors import DriverBusy, NotFit, TruckBusy
from booking.trips.models import HOLDING, UNDER_WAY, Trip

# Older positions say nothing of where a truck is.
FRESH: Final = timedelta(hours=24)
# Time to tell the driver, and for the way to the pickup.
NOTICE: Final = timedelta(hours=4)
# No trip's load is so small that more trucks than this would be needed for what may be booked.
MOST_TRUCKS: Final = 100

_HOLDING: Final = one_of("trips.status", HOLDING)
_UNDER_WAY: Final = one_of("trips.status", UNDER_WAY)
_ABSENT: Final = """
    EXISTS (
        SELECT FROM absences WHERE absences.{kind}_id = {kind}.id
            AND absences.period && tstzrange(:begin, :until)
        OFFSET 0
    )
"""
# Three questions and not one with OR, so that each is answered by its own partial index; OFFSET
# keeps the planner from reading all trips first, where one truck's is asked for.
_TRUCK_BUSY: Final = f"""
    EXISTS (
        SELECT FROM trips WHERE trips.truck_id = truck.id
            AND {_HOLDING} AND trips.planned && tstzrange(:begin, :until)
        OFFSET 0
    ) OR EXISTS (
        SELECT FROM trips WHERE trips.truck_id = truck.id AND {_UNDER_WAY} OFFSET 0
    ) OR {_ABSENT.format(kind="truck")}
"""  # noqa: S608 - built of names of ours
# A fleet's drivers are looked through until one is free, so whom its trips hold is read once.
_DRIVER_BUSY: Final = f"""
    driver.id IN (
        SELECT trips.driver_id FROM trips
        WHERE trips.tenant_id = truck.tenant_id AND {_HOLDING}
            AND (trips.planned && tstzrange(:begin, :until) OR {_UNDER_WAY})
    ) OR {_ABSENT.format(kind="driver")}
"""  # noqa: S608 - built of names of ours

# Distances in degrees: near enough to say which of some trucks is the nearest within a district.
# A truck or driver that another transaction works on is left to it. The planner would rather read
# all trucks and sort them than walk them from the nearest on, of which a few suffice; and all
# drivers than a fleet's in the order of its index.
_FROM_THE_NEAREST_ON: Final = text("SELECT set_config('enable_sort', 'off', true)")
_NEAREST: Final = text(
    f"""
    SELECT truck.id AS truck_id, truck.tenant_id, (
        SELECT driver.id FROM drivers AS driver
        WHERE driver.tenant_id = truck.tenant_id AND driver.retired_at IS NULL
            AND driver.licence_classes && CAST(:heavy AS text[])
            AND driver.licence_expires_on >= :last_day
            AND NOT ({_DRIVER_BUSY})
        ORDER BY driver.tenant_id, driver.created_at, driver.id
        LIMIT 1
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS driver_id
    FROM truck_positions AS place
    CROSS JOIN LATERAL (
        SELECT truck.id, truck.tenant_id FROM trucks AS truck
        WHERE truck.id = place.truck_id
            AND truck.retired_at IS NULL
            AND truck.tenant_id <> ALL (CAST(:driverless AS uuid[]))
            AND (
                truck.states = '{{}}'
                OR (:way_known AND truck.states @> CAST(:states AS text[]))
            )
            AND :material = ANY (truck.materials)
            AND (
                SELECT count(*) FROM truck_documents AS paper
                WHERE paper.truck_id = truck.id AND paper.expires_on >= :last_day
            ) = :papers
            AND NOT ({_TRUCK_BUSY})
            AND truck.id <> ALL (CAST(:tried AS uuid[]))
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS truck
    WHERE place.recorded_at > :fresh
    ORDER BY point(place.lng, place.lat) <-> point(:lng, :lat)
    LIMIT 1
    """  # noqa: S608 - built of names of ours
)


async def assign_nearest(
    session: AsyncSession,
    *,
    caller: Caller,
    booking_id: UUID,
    km_per_day: int,
    states: Collection[str] = (),
) -> tuple[Sequence[Trip], Decimal]:
    """Trips for as much of the booking as there are trucks for, and the tons that stay open.

    Where `states` says which states the way leads through, trucks with permits for all of them may
    go too; else only those with a national permit: no map here tells where a way leads. Raises
    `NotFit` where the booking's schedule suits no truck.
    """
    booking = await open_booking(session, booking_id)
    now = datetime.now(UTC)
    begin = max(now + NOTICE, booking.pickup_from or now)
    window = planned(begin, distance_m=booking.distance_m, km_per_day=km_per_day)
    reasons = [*against_schedule(booking, window, at=now)]
    if reasons:
        raise NotFit.because(reasons)
    asked = {
        "begin": window.begin,
        "until": window.until,
        "last_day": window.last_day,
        "heavy": sorted(HEAVY_GOODS),
        "fresh": now - FRESH,
        "material": booking.material_type,
        "papers": len(DocumentKind),
        "way_known": bool(states),
        "states": sorted(states),
        "lat": booking.pickup_lat,
        "lng": booking.pickup_lng,
    }
    left = await open_tons(session, booking)
    await session.execute(_FROM_THE_NEAREST_ON)
    trips: list[Trip] = []
    tried: list[UUID] = []
    driverless: list[UUID] = []
    while left > 0 and len(tried) < MOST_TRUCKS:
        try:
            # What is found in vain is given free by going back.
            async with session.begin_nested() as attempt:
                without = {"tried": tried, "driverless": driverless}
                found = (await session.execute(_NEAREST, asked | without)).one_or_none()
                if found is None:
                    break
                if found.driver_id is None:
                    # Nor has any other truck of this fleet one.
                    driverless.append(found.tenant_id)
                    await attempt.rollback()
                    continue
                tried.append(found.truck_id)
                truck = await session.get_one(Truck, found.truck_id)
                driver = await session.get_one(Driver, found.driver_id)
                trip, left = await assign(
                    session,
                    caller=caller,
                    booking=booking,
                    truck=truck,
                    driver=driver,
                    tons=min(left, truck.capacity_mt),
                    window=window,
                    states=states,
                )
        except (NotFit, TruckBusy, DriverBusy):
            # Taken, or absent, between the search and its lock: on to the next.
            continue
        trips.append(trip)
    return trips, left
