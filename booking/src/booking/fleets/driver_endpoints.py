"""HTTP of drivers."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from booking.fleets import absences, service
from booking.fleets.errors import (
    AbsenceNotFound,
    AbsencesOverlap,
    DriverKnown,
    DriverNotFound,
    Retired,
)
from booking.fleets.http import ETAG, POSTS, READS, SEEN, WRITES, MayRead, Seen, Writer, tag
from booking.fleets.models import Driver
from booking.fleets.schemas import (
    AbsenceOut,
    DriverChange,
    DriverOut,
    FleetFilter,
    NewAbsence,
    NewDriver,
)
from booking.fleets.views import show_drivers
from chassis.db import Session
from chassis.errors import problems
from chassis.idempotency import IdempotentRoute
from chassis.pagination import BadCursor, Key, Page, page_of

router = APIRouter(prefix="/v1/drivers", tags=["drivers"], route_class=IdempotentRoute)


@router.post(
    "",
    operation_id="registerDriver",
    status_code=201,
    responses=problems(*POSTS, DriverKnown) | {201: ETAG},
)
async def register_driver(
    wanted: NewDriver, caller: Writer, session: Session, response: Response
) -> DriverOut:
    """Register a driver of your fleet."""
    driver = await service.register_driver(session, caller=caller, wanted=wanted)
    return await _shown(session, driver, response)


@router.get("", operation_id="listDrivers", responses=problems(*READS, BadCursor))
async def list_drivers(
    wanted: Annotated[FleetFilter, Query()], grant: MayRead, session: Session
) -> Page[DriverOut]:
    """The drivers of your fleet, newest first; with `retired`, those that left it."""
    rows = await service.newest(session, Driver, grant=grant, wanted=wanted)
    return page_of(
        await show_drivers(session, rows),
        limit=wanted.limit,
        key=lambda driver: Key(driver.created_at, driver.driver_id),
        render=lambda driver: driver,
    )


@router.get(
    "/{driver_id}",
    operation_id="getDriver",
    responses=problems(*READS, DriverNotFound) | {200: ETAG},
)
async def read_driver(
    driver_id: UUID, grant: MayRead, session: Session, response: Response
) -> DriverOut:
    """One driver, with what keeps him or her from taking a trip now."""
    driver = await service.find(session, Driver, grant=grant, member_id=driver_id)
    return await _shown(session, driver, response)


@router.patch(
    "/{driver_id}",
    operation_id="changeDriver",
    responses=problems(*WRITES, *SEEN, DriverNotFound, DriverKnown, Retired) | {200: ETAG},
)
async def change_driver(
    driver_id: UUID,
    wanted: DriverChange,
    caller: Writer,
    seen: Seen,
    session: Session,
    response: Response,
) -> DriverOut:
    """Change what is named, and nothing else."""
    driver = await service.change(
        session,
        Driver,
        caller=caller,
        member_id=driver_id,
        seen=seen,
        values=wanted.values(),
    )
    return await _shown(session, driver, response)


@router.post(
    "/{driver_id}/retire",
    operation_id="retireDriver",
    responses=problems(*POSTS, *SEEN, DriverNotFound, Retired) | {200: ETAG},
)
async def retire_driver(
    driver_id: UUID, caller: Writer, seen: Seen, session: Session, response: Response
) -> DriverOut:
    """Take a driver out of the fleet for good: it takes no more trips."""
    driver = await service.retire(session, Driver, caller=caller, member_id=driver_id, seen=seen)
    return await _shown(session, driver, response)


@router.get(
    "/{driver_id}/absences",
    operation_id="listDriverAbsences",
    responses=problems(*READS, DriverNotFound),
)
async def list_absences(driver_id: UUID, grant: MayRead, session: Session) -> list[AbsenceOut]:
    """When the driver takes no trips: what isn't over, the soonest first."""
    found = await absences.list_absences(session, Driver, grant=grant, member_id=driver_id)
    return [AbsenceOut.of(absence) for absence in found]


@router.post(
    "/{driver_id}/absences",
    operation_id="noteDriverAbsence",
    status_code=201,
    responses=problems(*POSTS, DriverNotFound, Retired, AbsencesOverlap),
)
async def note_absence(
    driver_id: UUID, wanted: NewAbsence, caller: Writer, session: Session
) -> AbsenceOut:
    """Note a time in which the driver takes no trips. What is planned already stays planned."""
    absence = await absences.note_absence(
        session, Driver, caller=caller, member_id=driver_id, wanted=wanted
    )
    return AbsenceOut.of(absence)


@router.delete(
    "/{driver_id}/absences/{absence_id}",
    operation_id="endDriverAbsence",
    status_code=204,
    responses=problems(*READS, DriverNotFound, AbsenceNotFound),
)
async def end_absence(driver_id: UUID, absence_id: UUID, caller: Writer, session: Session) -> None:
    """Take an absence back."""
    await absences.end_absence(
        session, Driver, caller=caller, member_id=driver_id, absence_id=absence_id
    )


async def _shown(session: Session, driver: Driver, response: Response) -> DriverOut:
    tag(response, driver.version)
    [shown] = await show_drivers(session, [driver])
    return shown
