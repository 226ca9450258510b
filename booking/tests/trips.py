"""Trips for tests: rows, and the way of one from step to step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import Coverage
from booking.models import Booking
from booking.statuses import Status
from booking.trips.models import Trip
from booking.trips.steps import MOVES, TripStatus
from chassis.ids import new_id
from chassis.testing.issuer import Issuer

from .factories import Caller
from .fleets import driver_row, truck_row
from .rows import booking_row

DRIVER = ("trip:read:assigned", "trip:update:status", "tracking:write:location")
OWNER = ("fleet:*", "booking:read", "payment:read", "tracking:read")
SENDER = ("booking:*",)
LOADED: Mapping[str, Any] = {
    "carrier": "Jharia Heavy Freight",
    "tare_kg": 9_200,
    "gross_kg": 34_200,
    "pickup_state": "JH",
    "consignor": {"name": "Coalfield Traders", "gstin": "27AAPFU0939F1ZV"},
    "consignee": {"name": "Durgapur Steel"},
    "transit_pass_number": "JH-DHN-2026-0012345",
}
PROOF = "ab" * 32


def trip_row(booking: Booking, **changes: Any) -> Trip:
    """A trip that is assigned; who drives what has to be said."""
    now = datetime.now(UTC)
    values = {
        "id": new_id(),
        "booking_id": booking.id,
        "shipper_tenant_id": booking.tenant_id,
        "load_mt": Decimal(25),
        "planned": Range(now, now + timedelta(days=8)),
        "status": TripStatus.ASSIGNED,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    return Trip(**{**values, **changes})


@dataclass(frozen=True, kw_only=True, slots=True)
class Journey:
    """A trip, and everybody who has to do with it."""

    trip_id: UUID
    driver: Caller
    owner: Caller
    sender: Caller
    truck_id: UUID
    driver_id: UUID

    @property
    def path(self) -> str:
        return f"/v1/trips/{self.trip_id}"

    async def step(self, name: str, body: object = None, **headers: str) -> httpx.Response:
        return await self.driver.post(f"{self.path}/{name}", body, **headers)

    async def code(self, purpose: str) -> str:
        response = await self.sender.post(f"{self.path}/codes/{purpose}")
        assert response.status_code == 200, response.text
        return response.json()["code"]

    async def reach(self, status: str, **loaded: Any) -> None:
        """Go all the steps up to this status."""
        for _begins, leads in MOVES.values():
            await self.advance(leads, **loaded)
            if leads == status:
                return

    async def advance(self, status: TripStatus, **loaded: Any) -> None:
        """Go the step that leads to this status."""
        match status:
            case TripStatus.AT_PICKUP:
                response = await self.arrive_at_pickup()
            case TripStatus.LOADED:
                response = await self.load(**loaded)
            case TripStatus.DELIVERED:
                response = await self.deliver()
            case _:
                [step] = [step for step, (_, leads) in MOVES.items() if leads == status]
                response = await self.step(step)
        assert response.status_code == 200, response.text
        assert response.json()["status"] == status

    async def arrive_at_pickup(self) -> httpx.Response:
        return await self.step("arrive-at-pickup", {"code": await self.code("pickup")})

    async def load(self, **changes: Any) -> httpx.Response:
        return await self.step("load", {**LOADED, **changes})

    async def deliver(self, net_kg: int = 25_000, **changes: Any) -> httpx.Response:
        body = {
            "tare_kg": 9_200,
            "gross_kg": 9_200 + net_kg,
            "code": await self.code("drop"),
            "proof_sha256": PROOF,
            **changes,
        }
        return await self.step("deliver", body)


async def journey(
    session: AsyncSession,
    client: httpx.AsyncClient,
    issuer: Issuer,
    *,
    age: timedelta = timedelta(),
    late: timedelta = timedelta(),
    **changes: Any,
) -> Journey:
    """A fresh trip of a fresh fleet, put into the session's transaction.

    `tenant_id` is the fleet's, `shipper` the tenant that booked; it was made `age` ago, and
    the truck was to be at the pickup `late` ago.
    """
    fleet, subject = changes.pop("tenant_id", uuid4()), uuid4()
    changes["tenant_id"] = changes.pop("shipper", uuid4())
    booking = booking_row(**{"status": Status.ASSIGNED, "version": 3, **changes})
    truck, driver = truck_row(tenant_id=fleet), driver_row(tenant_id=fleet, subject=str(subject))
    session.add_all([booking, truck, driver])
    await session.flush()
    made = datetime.now(UTC) - age
    trip = trip_row(
        booking,
        tenant_id=fleet,
        truck_id=truck.id,
        driver_id=driver.id,
        planned=Range(arrival := datetime.now(UTC) - late, arrival + timedelta(days=8)),
        created_at=made,
        updated_at=made,
    )
    covered = {"quantity_mt": booking.quantity_mt, "covered_mt": trip.load_mt}
    session.add_all([trip, Coverage(booking_id=booking.id, **covered)])
    await session.flush()
    return Journey(
        trip_id=trip.id,
        driver=Caller(client, issuer, *DRIVER, tenant_id=fleet, subject=subject),
        owner=Caller(client, issuer, *OWNER, tenant_id=fleet),
        sender=Caller(client, issuer, *SENDER, tenant_id=booking.tenant_id),
        truck_id=truck.id,
        driver_id=driver.id,
    )


async def beside(
    session: AsyncSession, first: Journey, load_mt: Decimal = Decimal(25), **changes: Any
) -> Journey:
    """Another trip of the same fleet for the same booking, which must have so much open."""
    fleet = first.owner.tenant_id
    kept = await session.get_one(Trip, first.trip_id)
    booking = await session.get_one(Booking, kept.booking_id)
    caller = Caller(first.driver.client, first.driver.issuer, *DRIVER, tenant_id=fleet)
    truck = truck_row(tenant_id=fleet)
    driver = driver_row(tenant_id=fleet, subject=str(caller.subject))
    session.add_all([truck, driver])
    await session.flush()
    holders = {"truck_id": truck.id, "driver_id": driver.id}
    trip = trip_row(booking, tenant_id=fleet, load_mt=load_mt, **holders, **changes)
    coverage = await session.get_one(Coverage, booking.id)
    coverage.covered_mt += load_mt
    session.add(trip)
    await session.flush()
    return replace(first, trip_id=trip.id, driver=caller, **holders)
