"""The one endpoint."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Header, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bench.subjects.usual.idempotency import commit_once, record_of
from bench.subjects.usual.rows import booking_of, event_of
from bench.subjects.usual.security import CurrentShipper
from booking.models import Booking
from booking.schemas import BookingOut, TransportRequest
from booking.service import Pricer


async def _session(request: Request) -> AsyncGenerator[AsyncSession]:
    sessions = cast("async_sessionmaker[AsyncSession]", request.app.state.sessions)
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(_session)]
IdempotencyKey = Annotated[str | None, Header(max_length=255, pattern="^[!-~]+$")]
Traceparent = Annotated[str | None, Header(max_length=200)]

router = APIRouter(prefix="/v1")


@router.post("/booking", response_model=BookingOut)
async def create_booking(
    request: Request,
    transport: TransportRequest,
    shipper: CurrentShipper,
    session: Session,
    idempotency_key: IdempotencyKey = None,
    traceparent: Traceparent = None,
) -> Response:
    """Book transport at the price of now."""
    at = datetime.now(UTC)
    price = cast(Pricer, request.app.state.pricer).price(transport.freight, at=at)
    booking = booking_of(transport, shipper=shipper, price=price, at=at)
    session.add_all([booking, event_of(booking, traceparent=traceparent)])
    answer = answer_of(booking)
    if idempotency_key is None:
        await session.commit()
        return answer
    record = record_of(answer, shipper=shipper, key=idempotency_key, payload=await request.body())
    return await commit_once(session, record) or answer


def answer_of(booking: Booking) -> Response:
    """Rendered once, by pydantic: the answer and the kept answer are the same bytes."""
    body = BookingOut.of(booking).model_dump_json()
    headers = {"etag": f'"{booking.version}"'}
    return Response(body, headers=headers, media_type="application/json")
