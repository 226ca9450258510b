"""HTTP of trips: what is read of them."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.http import ETAG, READS, tag
from booking.trips import reading
from booking.trips.consignor import ConsignorTrip, shown_to_consignor
from booking.trips.errors import NothingLoaded, TripNotFound
from booking.trips.evidence import export
from booking.trips.loading import KIND, receipt_of
from booking.trips.lorry_receipt_pdf import render
from booking.trips.reading import Reader
from booking.trips.records import evidence_of
from booking.trips.schemas import TripFilter, TripOut
from chassis.access import Grant, PermissionMissing, may
from chassis.db import Session
from chassis.errors import problems
from chassis.pagination import BadCursor, Key, Page, page_of
from chassis.routing import StrictRoute


async def _reader(
    carrier: Annotated[Grant | None, may("trip", "read", instead=("fleet", "read"))],
    consignor: Annotated[Grant | None, may("booking", "read")],
) -> Reader:
    if carrier is None and consignor is None:
        raise PermissionMissing("This needs trip:read, fleet:read or booking:read.")
    return Reader(carrier=carrier, consignor=consignor)


Reading = Annotated[Reader, Depends(_reader)]
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
    wanted: Annotated[TripFilter, Query()], reader: Reading, session: Session
) -> Page[TripOut | ConsignorTrip]:
    """Your fleet's trips, those that you drive, or those of what you booked, newest first.

    What is not of your fleet is shown as `ConsignorTrip`.
    """
    rows = await reading.newest(session, reader=reader, wanted=wanted)
    booked = await _booked(session, rows)
    return page_of(
        rows,
        limit=wanted.limit,
        key=lambda row: Key(row.trip.created_at, row.trip.id),
        render=lambda row: TripOut.of(row.trip) if row.as_carrier else booked[row.trip.id],
    )


@router.get(
    "/{trip_id}",
    operation_id="getTrip",
    responses=problems(*READS, TripNotFound) | {200: ETAG},
)
async def read_trip(
    trip_id: UUID, reader: Reading, session: Session, response: Response
) -> TripOut | ConsignorTrip:
    """One trip, as `ConsignorTrip` for whoever booked it."""
    seen = await reading.read_trip(session, reader=reader, trip_id=trip_id)
    tag(response, seen.trip.version)
    if seen.as_carrier:
        return TripOut.of(seen.trip)
    return (await _booked(session, [seen]))[trip_id]


@router.get(
    "/{trip_id}/evidence",
    operation_id="getTripEvidence",
    response_class=Response,
    responses=problems(*READS, TripNotFound) | _EVIDENCE,
)
async def read_evidence(trip_id: UUID, reader: Reading, session: Session) -> Response:
    """Everything that was done, chained by hash: `ubertruck evidence verify` checks the answer.

    Keep it to the byte. It explains itself in its member `about`.
    """
    trip = (await reading.read_trip(session, reader=reader, trip_id=trip_id)).trip
    document = export(trip.id, await evidence_of(session, trip.id))
    return Response(document, media_type="application/json", headers=_named(trip_id, "json"))


@router.get(
    "/{trip_id}/lorry-receipt",
    operation_id="getLorryReceipt",
    response_class=Response,
    responses=problems(*READS, TripNotFound, NothingLoaded) | _RECEIPT,
)
async def read_lorry_receipt(trip_id: UUID, reader: Reading, session: Session) -> Response:
    """The lorry receipt as PDF, with a code that names the evidence it was made from."""
    trip = (await reading.read_trip(session, reader=reader, trip_id=trip_id)).trip
    entries = await evidence_of(session, trip.id)
    loaded = next((entry for entry in entries if entry.kind == KIND), None)
    if loaded is None:
        raise NothingLoaded
    # Drawing takes some milliseconds of processor, and the first time the library is loaded.
    page = await asyncio.to_thread(render, receipt_of(loaded, trip_id=trip.id))
    return Response(page, media_type=_PDF, headers=_named(trip_id, "pdf"))


async def _booked(
    session: AsyncSession, rows: Sequence[reading.Seen]
) -> Mapping[UUID, ConsignorTrip]:
    trips = [row.trip for row in rows if not row.as_carrier]
    return await shown_to_consignor(session, trips, at=datetime.now(UTC))


def _named(trip_id: UUID, ending: str) -> dict[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="trip-{trip_id}.{ending}"',
        "Cache-Control": "no-store",
    }
