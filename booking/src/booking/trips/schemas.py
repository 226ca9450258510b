"""Wire shapes of trips."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from booking.assignment.schemas import Way
from booking.fields import Moment
from booking.fleets.schemas import Name, StateCode
from booking.schemas import Strict
from booking.trips.codes import Purpose
from booking.trips.lorry_receipt import Risk
from booking.trips.models import Trip
from booking.trips.steps import TripStatus
from booking.trips.weights import Weighing
from chassis.pagination import CursorParam, Limit
from contracts.booking import JsonNumber

_MOST_KG = 200_000


Kilograms = Annotated[int, Field(strict=True, ge=1, le=_MOST_KG)]
Number = Annotated[str, StringConstraints(min_length=1, max_length=50)]
Digits = Annotated[
    str, Field(min_length=1, max_length=20, description="Six digits", examples=["042917"])
]


class Weighed(Strict):
    """What the weighbridge showed, kilograms."""

    tare_kg: Kilograms
    gross_kg: Kilograms

    @property
    def weighing(self) -> Weighing:
        return Weighing(tare_kg=self.tare_kg, gross_kg=self.gross_kg)


class ArriveAtPickupRequest(Strict):
    """The shipper's code, which shows that the truck is there."""

    code: Digits


class PartyIn(Strict):
    """Consignor or consignee, as on the lorry receipt. The address is the booking's."""

    name: Name
    gstin: Number | None = None


class EwayBillIn(Strict):
    """The e-way bill of the goods."""

    number: Number
    issued_at: Moment


Kilometres = Annotated[int, Field(strict=True, ge=1, le=5000)]


class EwayBillRecord(EwayBillIn):
    """The e-way bill that a trip travels on, its Part B naming the present truck."""

    distance_km: Kilometres | None = Field(
        default=None, description="The way that the bill is for; the whole one if not said"
    )


class ExtensionRequest(Strict):
    """An extension that was made on the portal, and why."""

    remaining_km: Kilometres = Field(description="What was left to drive")
    extended_at: Moment | None = Field(default=None, description="Now, if not said")
    reason: Name


class LoadRequest(Weighed):
    """The load, and its papers."""

    carrier: Name = Field(description="The fleet, as its receipts name it")
    pickup_state: StateCode
    consignor: PartyIn
    consignee: PartyIn
    packages: Name = "loose"
    risk: Risk = Risk.OWNER
    eway_bill: EwayBillIn | None = None
    transit_pass_number: Number | None = None


class DeliverRequest(Weighed):
    """What arrived, the proof of it, and the consignee's code."""

    code: Digits
    proof_sha256: Annotated[
        str,
        Field(
            pattern="^[0-9a-f]{64}$",
            description="SHA-256, in hexadecimal, of the photo or signature",
        ),
    ]


class LossReport(Strict):
    """Why nothing was handed over, and the paper that shows it."""

    reason: Name = Field(examples=["Truck and load stolen near Asansol"])
    report_sha256: Annotated[
        str,
        Field(
            pattern="^[0-9a-f]{64}$",
            description="SHA-256, in hexadecimal, of the report: of the police, an insurer, or"
            " the consignee who refused the load",
        ),
    ]


class SwapRequest(Strict):
    """Who carries on, and why."""

    truck_id: UUID
    driver_id: UUID
    reason: Name
    states: Way = ()


class TripFilter(Strict):
    """Which trips, newest first."""

    limit: Limit = 50
    cursor: CursorParam = None
    status: TripStatus | None = None
    booking_id: UUID | None = None


class CodeOut(BaseModel):
    """A one-time code. It is shown this once; a new one takes its place."""

    model_config = ConfigDict(title="TripCode")

    purpose: Purpose
    code: str
    expires_at: datetime


class EwayBillOut(BaseModel):
    """An e-way bill, and until when it holds."""

    model_config = ConfigDict(title="EwayBill")

    number: str
    issued_at: datetime
    expires_at: datetime
    names_truck: bool | None = Field(
        description="Whether its Part B names the truck that carries the goods; null: not known"
    )


class TripOut(BaseModel):
    """A trip; `version` rises by one with each change and is its ETag."""

    model_config = ConfigDict(title="Trip")

    trip_id: UUID
    booking_id: UUID
    tenant_id: UUID
    truck_id: UUID
    driver_id: UUID
    load_mt: JsonNumber
    status: TripStatus
    planned_from: datetime
    planned_until: datetime
    lorry_receipt_number: str | None
    eway_bill: EwayBillOut | None
    transit_pass_number: str | None
    lost_at: datetime | None = Field(
        description="When it was reported that nothing of the load was handed over"
    )
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, trip: Trip) -> "TripOut":
        return cls.model_validate(
            {
                "trip_id": trip.id,
                "planned_from": trip.planned.lower,
                "planned_until": trip.planned.upper,
                "eway_bill": eway_bill_out(trip),
                **{name: getattr(trip, name) for name in _SAME},
            }
        )


_SAME = TripOut.model_fields.keys() - {"trip_id", "planned_from", "planned_until", "eway_bill"}


def eway_bill_out(trip: Trip) -> dict[str, object] | None:
    """The members of `EwayBillOut`."""
    if trip.eway_bill_number is None:
        return None
    return {
        "number": trip.eway_bill_number,
        "issued_at": trip.eway_bill_issued_at,
        "expires_at": trip.eway_bill_expires_at,
        "names_truck": (
            None if trip.eway_bill_truck_id is None else trip.eway_bill_truck_id == trip.truck_id
        ),
    }
