"""HTTP of trips: what is read of them."""

import asyncio
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response

from booking.fleets.http import ETAG, READS, tag
from booking.trips import service
from booking.trips.errors import NothingLoaded, TripNotFound
from booking.trips.evidence import export
from booking.trips.loading import KIND, receipt_of
from booking.trips.lorry_receipt_pdf import render
from booking.trips.records import evidence_of
from booking.trips.schemas import TripFilter, TripOut
from chassis.access import Grant, requires
from chassis.db import Session
from chassis.errors import problems
from chassis.pagination import BadCursor, Key, Page, page_of
from chassis.routing import StrictRoute

MayRead = Annotated[Grant, requires("trip", "read", instead=("fleet", "read"))]
_PDF: Final = "application/pdf"
_RECEIPT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {_PDF: {"schema": {"type": "string", "format": "binary"}}}}
}
_EVIDENCE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/json": {"schema": {"type": "object"}}}}
}

router = APIRouter(prefix="/v1/trips", tags=["trips"], route_class=StrictRoute)


@router.get("", operation_id="listTrips", responses=problems(*READS, BadCursor))
async def list_trips(
    wanted: Annotated[TripFilter, Query()], grant: MayRead, session: Session
) -> Page[TripOut]:
    """Your fleet's trips, or those that you drive, newest first."""
    rows = await service.newest(session, grant=grant, wanted=wanted)
    return page_of(
        rows,
        limit=wanted.limit,
        key=lambda trip: Key(trip.created_at, trip.id),
        render=TripOut.of,
    )


@router.get(
    "/{trip_id}",
    operation_id="getTrip",
    responses=problems(*READS, TripNotFound) | {200: ETAG},
)
async def read_trip(trip_id: UUID, grant: MayRead, session: Session, response: Response) -> TripOut:
    """One trip."""
    trip = await service.read_trip(session, grant=grant, trip_id=trip_id)
    tag(response, trip.version)
    return TripOut.of(trip)


@router.get(
    "/{trip_id}/evidence",
    operation_id="getTripEvidence",
    response_class=Response,
    responses=problems(*READS, TripNotFound) | _EVIDENCE,
)
async def read_evidence(trip_id: UUID, grant: MayRead, session: Session) -> Response:
    """Everything that was done, chained by hash: `ubertruck evidence verify` checks the answer.

    Keep it to the byte. It explains itself in its member `about`.
    """
    trip = await service.read_trip(session, grant=grant, trip_id=trip_id)
    document = export(trip.id, await evidence_of(session, trip.id))
    return Response(document, media_type="application/json", headers=_named(trip_id, "json"))


@router.get(
    "/{trip_id}/lorry-receipt",
    operation_id="getLorryReceipt",
    response_class=Response,
    responses=problems(*READS, TripNotFound, NothingLoaded) | _RECEIPT,
)
async def read_lorry_receipt(trip_id: UUID, grant: MayRead, session: Session) -> Response:
    """The lorry receipt as PDF, with a code that names the evidence it was made from."""
    trip = await service.read_trip(session, grant=grant, trip_id=trip_id)
    entries = await evidence_of(session, trip.id)
    loaded = next((entry for entry in entries if entry.kind == KIND), None)
    if loaded is None:
        raise NothingLoaded
    # Drawing takes some milliseconds of processor, and the first time the library is loaded.
    page = await asyncio.to_thread(render, receipt_of(loaded, trip_id=trip.id))
    return Response(page, media_type=_PDF, headers=_named(trip_id, "pdf"))


def _named(trip_id: UUID, ending: str) -> dict[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="trip-{trip_id}.{ending}"',
        "Cache-Control": "no-store",
    }
