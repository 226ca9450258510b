"""HTTP of the board and of assignment."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from booking.assignment.board import open_loads
from booking.assignment.errors import LoadCovered, LoadNotFound
from booking.assignment.nearest import assign_nearest
from booking.assignment.schemas import (
    Acceptance,
    AssignmentsOut,
    AssignRequest,
    BoardFilter,
    OpenLoad,
)
from booking.assignment.service import accept_load
from booking.endpoints import Source
from booking.fleets.errors import DriverNotFound, TruckNotFound
from booking.fleets.http import POSTS, READS
from booking.fleets.service import Caller
from booking.models import Booking
from booking.trips.errors import DriverBusy, NotFit, TruckBusy
from booking.trips.judging import KmPerDay
from chassis.access import Grant, PermissionMissing, Scope, requires
from chassis.config_client import ConfigurationUnavailable
from chassis.db import Session
from chassis.errors import problems
from chassis.idempotency import IdempotentRoute
from chassis.pagination import BadCursor, Key, Page, page_of

router = APIRouter(prefix="/v1/board", tags=["board"], route_class=IdempotentRoute)

MayRead = Annotated[Grant, requires("fleet", "board")]


async def _accepter(grant: Annotated[Grant, requires("fleet", "accept")], source: Source) -> Caller:
    return Caller(grant=grant, source_ip=source)


async def _assigner(grant: Annotated[Grant, requires("trip", "assign")], source: Source) -> Caller:
    if grant.scope is not Scope.ALL:
        raise PermissionMissing("Only who may assign all trucks lets the nearest be found.")
    return Caller(grant=grant, source_ip=source)


@router.get("", operation_id="readBoard", responses=problems(*READS, BadCursor))
async def read_board(
    wanted: Annotated[BoardFilter, Query()], grant: MayRead, session: Session
) -> Page[OpenLoad]:
    """Open loads that trucks of your fleet may carry, newest first."""
    rows = await open_loads(session, grant=grant, wanted=wanted)
    return page_of(rows, limit=wanted.limit, key=_key, render=lambda load: OpenLoad.of(*load))


@router.post(
    "/{booking_id}/accept",
    operation_id="acceptLoad",
    status_code=201,
    responses=problems(
        *POSTS,
        LoadNotFound,
        TruckNotFound,
        DriverNotFound,
        LoadCovered,
        NotFit,
        TruckBusy,
        DriverBusy,
        ConfigurationUnavailable,
    ),
)
async def accept(
    booking_id: UUID,
    wanted: Acceptance,
    caller: Annotated[Caller, Depends(_accepter)],
    session: Session,
    km_per_day: KmPerDay,
) -> AssignmentsOut:
    """Take a load or a part of it with a truck and a driver of yours.

    What isn't covered stays on the board.
    """
    trip, left = await accept_load(
        session, caller=caller, booking_id=booking_id, wanted=wanted, km_per_day=km_per_day
    )
    return AssignmentsOut.of(booking_id, [trip], left)


@router.post(
    "/{booking_id}/assign",
    operation_id="assignNearest",
    responses=problems(
        *POSTS, LoadNotFound, NotFit, TruckBusy, DriverBusy, ConfigurationUnavailable
    ),
)
async def assign(
    booking_id: UUID,
    caller: Annotated[Caller, Depends(_assigner)],
    session: Session,
    km_per_day: KmPerDay,
    request: AssignRequest | None = None,
) -> AssignmentsOut:
    """Let the nearest free trucks that fit take what is open, as far as there are any.

    Say which `states` the way leads through, and trucks with permits for these are taken too.
    """
    states = () if request is None else request.states
    trips, left = await assign_nearest(
        session, caller=caller, booking_id=booking_id, km_per_day=km_per_day, states=states
    )
    return AssignmentsOut.of(booking_id, trips, left)


def _key(load: tuple[Booking, Decimal]) -> Key:
    return Key(load[0].created_at, load[0].id)
