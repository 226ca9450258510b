"""HTTP in, HTTP out."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from booking import changes, service
from booking.arrangements import TripTime
from booking.cancellation import CancellationTerms
from booking.errors import (
    BadSchedule,
    BookingNotFound,
    IllegalTransition,
    MaterialNotPriced,
    NotAmendable,
    QuoteExpired,
    QuoteNotFound,
    QuoteUsed,
    SamePlace,
)
from booking.schemas import (
    AmendRequest,
    BookingDetail,
    BookingFilter,
    BookingOut,
    BookingRequest,
    CancelRequest,
    QuoteOut,
    TransportRequest,
)
from booking.service import Pricer
from chassis.access import Grant, requires
from chassis.app import runtime_of
from chassis.config_client import ConfigurationUnavailable
from chassis.db import DatabaseUnavailable, Session
from chassis.errors import (
    BadRequest,
    Forbidden,
    Invalid,
    PayloadTooLarge,
    PreconditionFailed,
    PreconditionRequired,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
    problems,
)
from chassis.etags import IfMatch, etag
from chassis.group_commit import GroupCommit, Overloaded
from chassis.idempotency import (
    KEY_PARAMETER,
    IdempotentRoute,
    KeyInFlight,
    KeyReused,
    claim_key,
)
from chassis.lean import LeanRoute
from chassis.pagination import BadCursor, Page
from chassis.source import client_address


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What these endpoints price and plan with, and where bookings are committed."""

    pricer: Pricer
    takes: TripTime
    cancellation: CancellationTerms
    quote_validity: timedelta
    commits: GroupCommit


async def _offer(request: Request) -> Offer:
    return cast(Offer, request.app.state.offer)


async def _source(request: Request) -> IPv4Address | IPv6Address | None:
    proxies = runtime_of(request).settings.trusted_proxies
    return client_address(request, trusted_proxies=proxies)


Source = Annotated[IPv4Address | IPv6Address | None, Depends(_source)]
Offering = Annotated[Offer, Depends(_offer)]
MayCreate = Annotated[Grant, requires("booking", "create")]
MayRead = Annotated[Grant, requires("booking", "read")]
MayUpdate = Annotated[Grant, requires("booking", "update")]
MayCancel = Annotated[Grant, requires("booking", "cancel")]

_EVERYWHERE = (BadRequest, Unauthorized, Forbidden, TooManyRequests, DatabaseUnavailable)
_POSTS = (*_EVERYWHERE, KeyInFlight, KeyReused, Invalid, PayloadTooLarge, UnsupportedMediaType)
_PRICES = (SamePlace, MaterialNotPriced, BadSchedule, ConfigurationUnavailable)
_ETAG: dict[str, Any] = {
    "headers": {
        "ETag": {
            "description": "The booking's version, for `If-Match`",
            "schema": {"type": "string"},
        }
    }
}

router = APIRouter(prefix="/v1", route_class=IdempotentRoute)
# Served without sessions: its requests share their transactions.
hot = APIRouter(prefix="/v1", route_class=LeanRoute)


@router.post(
    "/quotes",
    operation_id="createQuote",
    tags=["quotes"],
    responses=problems(*_POSTS, *_PRICES),
)
async def create_quote(
    request: TransportRequest, grant: MayCreate, session: Session, offering: Offering
) -> QuoteOut:
    """Ask what transport costs.

    The price holds until `expires_at`, for one booking by whoever asked. `price_basis` is
    everything that the price was made from.
    """
    quote = await service.create_quote(
        session,
        principal=grant.principal,
        request=request,
        pricer=offering.pricer,
        takes=offering.takes,
        validity=offering.quote_validity,
    )
    return QuoteOut.of(quote)


@hot.post(
    "/booking",
    operation_id="createBooking",
    tags=["bookings"],
    response_model=BookingOut,
    responses=problems(*_POSTS, *_PRICES, QuoteNotFound, QuoteExpired, QuoteUsed, Overloaded)
    | {200: _ETAG},
    openapi_extra={"parameters": [KEY_PARAMETER]},
)
async def create_booking(
    request: BookingRequest, grant: MayCreate, offering: Offering, received: Request
) -> Response:
    """Book transport.

    Either say what is to be moved, and the price is that of now, or give nothing but the
    `quote_id` of a quote of yours. Send an `Idempotency-Key` to be able to repeat the request:
    without one each request is a booking, however alike they are.
    """
    answer = await service.create_booking(
        runtime_of(received).database,
        offering.commits,
        principal=grant.principal,
        request=request,
        pricer=offering.pricer,
        takes=offering.takes,
        claim=await claim_key(received),
    )
    return answer.response()


@router.get(
    "/booking",
    operation_id="listBookings",
    tags=["bookings"],
    responses=problems(*_EVERYWHERE, BadCursor, Invalid),
)
async def list_bookings(
    wanted: Annotated[BookingFilter, Query()], grant: MayRead, session: Session
) -> Page[BookingOut]:
    """The bookings that you may see, newest first."""
    return await service.list_bookings(session, grant=grant, wanted=wanted)


@router.get(
    "/booking/{booking_id}",
    operation_id="getBooking",
    tags=["bookings"],
    responses=problems(*_EVERYWHERE, BookingNotFound, Invalid) | {200: _ETAG},
)
async def read_booking(
    booking_id: UUID, grant: MayRead, session: Session, response: Response
) -> BookingDetail:
    """One booking, with how far trucks cover it, what its price was made from, and its steps."""
    booking, coverage, history = await service.read_booking(
        session, grant=grant, booking_id=booking_id
    )
    _tag(response, booking.version)
    return BookingDetail.of_history(booking, coverage, history)


@router.patch(
    "/booking/{booking_id}",
    operation_id="amendBooking",
    tags=["bookings"],
    responses=problems(
        *_EVERYWHERE,
        BookingNotFound,
        NotAmendable,
        PreconditionFailed,
        PreconditionRequired,
        Invalid,
        BadSchedule,
        ConfigurationUnavailable,
        PayloadTooLarge,
        UnsupportedMediaType,
    )
    | {200: _ETAG},
)
async def amend_booking(
    booking_id: UUID,
    grant: MayUpdate,
    session: Session,
    response: Response,
    source: Source,
    offering: Offering,
    request: AmendRequest,
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="The ETag that you read; needed")
    ] = None,
) -> BookingOut:
    """Change when goods are fetched and brought, whom to call, what to heed.

    What isn't named stays, null takes away. Everything while it is requested or confirmed; then
    the schedule stands, and once loaded also the contact at the pickup. Places, material and
    quantity make the price, so they stay: call the booking off and book anew.
    """
    booking = await changes.amend_booking(
        session,
        grant=grant,
        booking_id=booking_id,
        request=request,
        takes=offering.takes,
        seen=IfMatch.read(if_match),
        source_ip=source,
    )
    _tag(response, booking.version)
    return BookingOut.of(booking)


@router.post(
    "/booking/{booking_id}/cancel",
    operation_id="cancelBooking",
    tags=["bookings"],
    responses=problems(
        *_POSTS, BookingNotFound, IllegalTransition, PreconditionFailed, ConfigurationUnavailable
    )
    | {200: _ETAG},
)
async def cancel_booking(
    booking_id: UUID,
    grant: MayCancel,
    session: Session,
    response: Response,
    source: Source,
    offering: Offering,
    request: CancelRequest | None = None,
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="Only if the booking still has this ETag")
    ] = None,
) -> BookingOut:
    """Call a booking off.

    Possible while it is requested, confirmed or assigned, for the fee that `cancellation_fee` of
    the answer says: the configuration sets one for each of these stages. A cancelled booking can't
    be cancelled again (409); repeat a request that you don't know the answer of with its
    `Idempotency-Key`.
    """
    booking = await changes.cancel_booking(
        session,
        grant=grant,
        booking_id=booking_id,
        terms=offering.cancellation,
        reason=request.reason if request is not None else None,
        seen=_seen(if_match),
        source_ip=source,
    )
    _tag(response, booking.version)
    return BookingOut.of(booking)


def _tag(response: Response, version: int) -> None:
    response.headers["ETag"] = etag(version)


def _seen(if_match: str | None) -> IfMatch | None:
    """What `If-Match` demands; without it, and with `*`, any version will do."""
    if if_match is None or if_match.strip() in ("", "*"):
        return None
    return IfMatch.read(if_match)
