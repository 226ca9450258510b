"""The dry run of a price change over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from booking.dry_run import (
    MOST_BOOKINGS,
    MOST_LANES,
    Cell,
    Replay,
    Sum,
    UnusableCondition,
    dry_run,
    widest,
)
from booking.tariff import PricingConfig
from chassis.access import Grant, requires
from chassis.app import runtime_of
from chassis.canonical import checksum
from chassis.db import DatabaseUnavailable
from chassis.errors import (
    BadRequest,
    Forbidden,
    Invalid,
    PayloadTooLarge,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
    problems,
)
from chassis.routing import StrictRoute
from contracts.booking import Material, Money
from contracts.pricing import DRY_RUN_PATH

router = APIRouter(route_class=StrictRoute, tags=["pricing"])


class DryRunRequest(BaseModel):
    """A pricing configuration as config-service keeps it, and how far to look back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: PricingConfig = Field(description="As in a proposal; docs/pricing.md gives the bounds")
    bookings: Annotated[int, Field(strict=True, ge=1, le=MOST_BOOKINGS)] = 1000


class Change(BaseModel):
    """What bookings cost together, as booked and as proposed."""

    bookings: int
    booked: Money
    proposed: Money
    difference: Money = Field(description="Above 0 when the proposal is dearer")


class MaterialChange(Change):
    """The bookings of one material."""

    material: Material


class CellOut(BaseModel):
    """A field of one degree each way."""

    lat: int = Field(description="Its southern edge, degrees north")
    lng: int = Field(description="Its western edge, degrees east")


class LaneChange(Change):
    """The bookings from one field to another."""

    pickup: CellOut
    drop: CellOut


class DryRunOut(Change):
    """What the proposal would have changed."""

    checksum: str = Field(description="Of the content that was tried, as the proposal has it")
    oldest: datetime | None = Field(description="When the oldest of them was booked")
    newest: datetime | None
    dearer: int = Field(description="How many bookings would have cost more")
    cheaper: int
    unpriced: int = Field(description="Left out: the proposal has no rate for their material")
    materials: list[MaterialChange] = Field(description="Greatest difference first")
    lanes: list[LaneChange] = Field(
        description=f"Greatest difference first, at most {MOST_LANES}", max_length=MOST_LANES
    )
    lanes_left_out: int

    @classmethod
    def of(cls, found: Replay, *, checksum: str) -> "DryRunOut":
        lanes = found.widest_lanes()
        return cls(
            **_change(found.total),
            checksum=checksum,
            oldest=found.oldest,
            newest=found.newest,
            dearer=found.dearer,
            cheaper=found.cheaper,
            unpriced=found.unpriced,
            materials=[
                MaterialChange(material=Material(material), **_change(total))
                for material, total in widest(found.by_material)
            ],
            lanes=[
                LaneChange(pickup=_cell(lane.pickup), drop=_cell(lane.drop), **_change(total))
                for lane, total in lanes
            ],
            lanes_left_out=len(found.by_lane) - len(lanes),
        )


def _change(total: Sum) -> dict[str, Any]:
    return {
        "bookings": total.bookings,
        "booked": Money(amount=total.booked_paise),
        "proposed": Money(amount=total.proposed_paise),
        "difference": Money(amount=total.difference_paise),
    }


def _cell(cell: Cell) -> CellOut:
    return CellOut(lat=cell.lat, lng=cell.lng)


@router.post(
    DRY_RUN_PATH,
    operation_id="dryRunPricing",
    responses=problems(
        BadRequest,
        Unauthorized,
        Forbidden,
        TooManyRequests,
        DatabaseUnavailable,
        Invalid,
        UnusableCondition,
        PayloadTooLarge,
        UnsupportedMediaType,
    ),
)
async def dry_run_pricing(
    body: DryRunRequest,
    grant: Annotated[Grant, requires("config", "approve")],
    request: Request,
) -> DryRunOut:
    """Try a pricing configuration on the last bookings. Nothing is changed or kept.

    Each is priced again from what its price was made from: the distance, the hour and all else of
    then. Cancelled, rejected and expired bookings don't count. `checksum` is that of a proposal
    with the same content.
    """
    found = await dry_run(runtime_of(request).database, config=body.data, bookings=body.bookings)
    return DryRunOut.of(found, checksum=checksum((await request.json())["data"]))
