"""HTTP of trucks."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from booking.fleets import absences, service
from booking.fleets.errors import (
    AbsenceNotFound,
    AbsencesOverlap,
    Retired,
    TruckKnown,
    TruckNotFound,
)
from booking.fleets.http import ETAG, POSTS, READS, SEEN, WRITES, MayRead, Seen, Writer, tag
from booking.fleets.kinds import DocumentKind
from booking.fleets.models import Truck
from booking.fleets.schemas import (
    AbsenceOut,
    FleetFilter,
    NewAbsence,
    NewDocument,
    NewTruck,
    TruckChange,
    TruckOut,
)
from booking.fleets.views import show_trucks
from chassis.db import Session
from chassis.errors import problems
from chassis.idempotency import IdempotentRoute
from chassis.pagination import BadCursor, Key, Page, page_of

router = APIRouter(prefix="/v1/trucks", tags=["trucks"], route_class=IdempotentRoute)


@router.post(
    "",
    operation_id="registerTruck",
    status_code=201,
    responses=problems(*POSTS, TruckKnown) | {201: ETAG},
)
async def register_truck(
    wanted: NewTruck, caller: Writer, session: Session, response: Response
) -> TruckOut:
    """Register a truck of your fleet. It takes trips once its documents are there."""
    truck = await service.register_truck(session, caller=caller, wanted=wanted)
    return await _shown(session, truck, response)


@router.get("", operation_id="listTrucks", responses=problems(*READS, BadCursor))
async def list_trucks(
    wanted: Annotated[FleetFilter, Query()], grant: MayRead, session: Session
) -> Page[TruckOut]:
    """The trucks of your fleet, newest first; with `retired`, those that left it."""
    rows = await service.newest(session, Truck, grant=grant, wanted=wanted)
    return page_of(
        await show_trucks(session, rows),
        limit=wanted.limit,
        key=lambda truck: Key(truck.created_at, truck.truck_id),
        render=lambda truck: truck,
    )


@router.get(
    "/{truck_id}",
    operation_id="getTruck",
    responses=problems(*READS, TruckNotFound) | {200: ETAG},
)
async def read_truck(
    truck_id: UUID, grant: MayRead, session: Session, response: Response
) -> TruckOut:
    """One truck, with its documents and what keeps it from taking a trip now."""
    truck = await service.find(session, Truck, grant=grant, member_id=truck_id)
    return await _shown(session, truck, response)


@router.patch(
    "/{truck_id}",
    operation_id="changeTruck",
    responses=problems(*WRITES, *SEEN, TruckNotFound, Retired) | {200: ETAG},
)
async def change_truck(
    truck_id: UUID,
    wanted: TruckChange,
    caller: Writer,
    seen: Seen,
    session: Session,
    response: Response,
) -> TruckOut:
    """Change what is named, and nothing else."""
    truck = await service.change(
        session,
        Truck,
        caller=caller,
        member_id=truck_id,
        seen=seen,
        values=wanted.values(),
    )
    return await _shown(session, truck, response)


@router.put(
    "/{truck_id}/documents/{kind}",
    operation_id="putTruckDocument",
    responses=problems(*WRITES, *SEEN, TruckNotFound, Retired) | {200: ETAG},
)
async def put_document(
    truck_id: UUID,
    kind: DocumentKind,
    wanted: NewDocument,
    caller: Writer,
    seen: Seen,
    session: Session,
    response: Response,
) -> TruckOut:
    """Keep a document, in place of the one of its kind. A truck without all five takes no trip."""
    truck = await service.put_document(
        session, caller=caller, truck_id=truck_id, seen=seen, kind=kind, wanted=wanted
    )
    return await _shown(session, truck, response)


@router.post(
    "/{truck_id}/retire",
    operation_id="retireTruck",
    responses=problems(*POSTS, *SEEN, TruckNotFound, Retired) | {200: ETAG},
)
async def retire_truck(
    truck_id: UUID, caller: Writer, seen: Seen, session: Session, response: Response
) -> TruckOut:
    """Take a truck out of the fleet for good: it takes no more trips."""
    truck = await service.retire(session, Truck, caller=caller, member_id=truck_id, seen=seen)
    return await _shown(session, truck, response)


@router.get(
    "/{truck_id}/absences",
    operation_id="listTruckAbsences",
    responses=problems(*READS, TruckNotFound),
)
async def list_absences(truck_id: UUID, grant: MayRead, session: Session) -> list[AbsenceOut]:
    """When the truck takes no trips: what isn't over, the soonest first."""
    found = await absences.list_absences(session, Truck, grant=grant, member_id=truck_id)
    return [AbsenceOut.of(absence) for absence in found]


@router.post(
    "/{truck_id}/absences",
    operation_id="noteTruckAbsence",
    status_code=201,
    responses=problems(*POSTS, TruckNotFound, Retired, AbsencesOverlap),
)
async def note_absence(
    truck_id: UUID, wanted: NewAbsence, caller: Writer, session: Session
) -> AbsenceOut:
    """Note a time in which the truck takes no trips. What is planned already stays planned."""
    absence = await absences.note_absence(
        session, Truck, caller=caller, member_id=truck_id, wanted=wanted
    )
    return AbsenceOut.of(absence)


@router.delete(
    "/{truck_id}/absences/{absence_id}",
    operation_id="endTruckAbsence",
    status_code=204,
    responses=problems(*READS, TruckNotFound, AbsenceNotFound),
)
async def end_absence(truck_id: UUID, absence_id: UUID, caller: Writer, session: Session) -> None:
    """Take an absence back."""
    await absences.end_absence(
        session, Truck, caller=caller, member_id=truck_id, absence_id=absence_id
    )


async def _shown(session: Session, truck: Truck, response: Response) -> TruckOut:
    tag(response, truck.version)
    [shown] = await show_trucks(session, [truck])
    return shown
