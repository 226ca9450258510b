"""Events of a trip: one truck's part of a booking. Sent by booking; the subject is the trip's id.

`tenant_id` is the fleet's, `shipper_tenant_id` that of whoever booked; both may learn of a trip.
One-time codes are never in an event, nor are people's names and numbers.
"""

from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from contracts.events import Event, EventData
from contracts.values import (
    BookingId,
    Digest,
    DriverId,
    EwayBillNumber,
    JsonNumber,
    Material,
    Moment,
    Money,
    Place,
    Reason,
    RegistrationNumber,
    ShipperTenantId,
    TenantId,
    Tons,
    TripId,
    TruckId,
    UserId,
)

TRIP_ASSIGNED: Final = "in.ubertruck.trip.assigned.v1"
TRIP_ACCEPTED: Final = "in.ubertruck.trip.accepted.v1"
TRIP_ARRIVED_AT_PICKUP: Final = "in.ubertruck.trip.arrived_at_pickup.v1"
TRIP_LOADED: Final = "in.ubertruck.trip.loaded.v1"
TRIP_DEPARTED: Final = "in.ubertruck.trip.departed.v1"
TRIP_ARRIVED_AT_DROP: Final = "in.ubertruck.trip.arrived_at_drop.v1"
TRIP_DELIVERED: Final = "in.ubertruck.trip.delivered.v1"
TRIP_LOST: Final = "in.ubertruck.trip.lost.v1"
TRIP_CLOSED: Final = "in.ubertruck.trip.closed.v1"
TRIP_CANCELLED: Final = "in.ubertruck.trip.cancelled.v1"
TRIP_TRUCK_SWAPPED: Final = "in.ubertruck.trip.truck_swapped.v1"
TRIP_SHORTAGE_CLAIMED: Final = "in.ubertruck.trip.shortage_claimed.v1"
TRIP_EWAY_BILL_RECORDED: Final = "in.ubertruck.trip.eway_bill_recorded.v1"
TRIP_EWAY_BILL_EXTENDED: Final = "in.ubertruck.trip.eway_bill_extended.v1"
TRIP_EWAY_BILL_AT_RISK: Final = "in.ubertruck.trip.eway_bill_at_risk.v1"
TRIP_DEADLINE_AT_RISK: Final = "in.ubertruck.trip.deadline_at_risk.v1"

EvidenceHead = Annotated[
    Digest, Field(description="SHA-256, in hexadecimal, of the newest entry of its evidence")
]


class TripEvent(EventData):
    """What every event of a trip says: which one, of which booking, and whom it concerns."""

    trip_id: TripId
    booking_id: BookingId
    tenant_id: TenantId
    shipper_tenant_id: ShipperTenantId
    truck_id: TruckId
    driver_id: DriverId


class TripAssigned(TripEvent):
    """A truck and a driver are held for a part of a booking.

    It tells the trip as planned: what tracking draws its geofences by.
    """

    driver_user_id: Annotated[
        UserId | None, Field(description="`sub` of the driver's tokens; none before there is one")
    ] = None
    registration_number: RegistrationNumber
    material_type: Material
    load_mt: Tons
    pickup_location: Place
    drop_location: Place
    planned_from: Moment
    planned_until: Moment
    assigned_at: Moment
    agreed: Annotated[
        Money | None,
        Field(description="What the fleet gets for it, where a bid that was accepted asked so"),
    ] = None


class TripAccepted(TripEvent):
    """The driver took the trip on."""

    accepted_at: Moment


class TripArrivedAtPickup(TripEvent):
    """The truck is where it is loaded, as the shipper's one-time code shows."""

    arrived_at: Moment


class TripLoaded(TripEvent):
    """The truck is loaded and weighed, and its papers are complete."""

    tare_mt: Tons = Field(examples=[9.2])
    gross_mt: Tons = Field(examples=[34.7])
    net_mt: Tons
    released_mt: Annotated[
        Tons,
        Field(
            description="What it was to take and didn't: trucks may be found for it again",
            examples=[0],
        ),
    ] = Decimal(0)
    lorry_receipt_number: str = Field(examples=["JHF/2026-27/000123"])
    eway_bill_number: EwayBillNumber | None = None
    transit_pass_number: Annotated[
        str | None,
        Field(description="Where the material needs one", examples=["JH-DHN-2026-0012345"]),
    ] = None
    loaded_at: Moment


class TripDeparted(TripEvent):
    """The loaded truck left for the drop."""

    departed_at: Moment
    eway_bill_expires_at: Moment | None = None


class TripArrivedAtDrop(TripEvent):
    """The truck reached the drop."""

    arrived_at: Moment


class TripDelivered(TripEvent):
    """The goods were handed over, as the consignee's one-time code and a proof of delivery show."""

    net_mt: Tons
    proof_digest: Annotated[
        Digest, Field(description="SHA-256, in hexadecimal, of the photo or signature")
    ]
    delivered_at: Moment


class TripLost(TripEvent):
    """Nothing of a load was handed over: it was lost, or refused. The trip ends with nothing."""

    previous_status: str = Field(description="What the trip was before", examples=["in_transit"])
    lost_mt: Tons = Field(description="What was loaded")
    reason: Reason
    report_digest: Annotated[
        Digest, Field(description="SHA-256, in hexadecimal, of the report that shows it")
    ]
    reported_by: UserId
    lost_at: Moment


class TripClosed(TripEvent):
    """Nothing of a trip is left to do: its weights are final and its evidence is complete."""

    loaded_mt: Tons
    delivered_mt: Tons = Field(examples=[25.1])
    shortage_mt: Tons = Field(examples=[0.4])
    evidence_head: EvidenceHead
    closed_at: Moment


class TripCancelled(TripEvent):
    """A trip was called off before its truck was loaded: truck and driver are free again."""

    previous_status: str = Field(description="What the trip was before", examples=["accepted"])
    load_mt: Tons
    reason: Reason | None
    cancelled_by: UserId
    cancelled_at: Moment


class TripTruckSwapped(TripEvent):
    """Another truck carries on with a trip; load and evidence go with it.

    `truck_id` and `driver_id` name those who carry on.
    """

    previous_truck_id: TruckId
    previous_driver_id: DriverId
    registration_number: RegistrationNumber
    driver_user_id: Annotated[
        UserId | None, Field(description="`sub` of the driver's tokens; none before there is one")
    ] = None
    reason: Reason | None
    swapped_at: Moment


class TripShortageClaimed(TripEvent):
    """Less arrived than was loaded, by more than the tolerance: the shipper is owed this much."""

    claim_id: UUID = Field(examples=["01938f02-7b6d-7a55-9e31-9f0a1b2c3d4e"])
    loaded_mt: Tons
    delivered_mt: Tons = Field(examples=[25.1])
    shortage_mt: Tons = Field(examples=[0.4])
    tolerance_percent: JsonNumber = Field(ge=0, examples=[0.5])
    claimed: Money
    claimed_at: Moment


class TripEwayBillRecorded(TripEvent):
    """A loaded truck travels on another e-way bill, or its bill names another truck now."""

    eway_bill_number: EwayBillNumber
    expires_at: Moment
    registration_number: RegistrationNumber
    previous_eway_bill_number: EwayBillNumber | None = None
    recorded_at: Moment


class TripEwayBillExtended(TripEvent):
    """An e-way bill holds for longer."""

    eway_bill_number: EwayBillNumber
    previous_expires_at: Moment
    expires_at: Moment
    extended_at: Moment


class TripEwayBillAtRisk(TripEvent):
    """The truck will probably arrive after its e-way bill has expired, which may be extended."""

    eway_bill_number: EwayBillNumber
    expires_at: Moment
    estimated_arrival: Moment
    extension_from: Moment = Field(description="When the bill can be extended first")
    extension_until: Moment = Field(description="When it can be extended last")


class TripDeadlineAtRisk(TripEvent):
    """The truck will probably arrive after the goods are due; told again only if it recovers."""

    deliver_by: Moment
    estimated_arrival: Moment


EVENTS: Final = (
    Event(TRIP_ASSIGNED, TripAssigned, "booking", ("tracking", "payment", "notification")),
    Event(TRIP_ACCEPTED, TripAccepted, "booking", ("notification",)),
    Event(TRIP_ARRIVED_AT_PICKUP, TripArrivedAtPickup, "booking", ("tracking", "notification")),
    Event(TRIP_LOADED, TripLoaded, "booking", ("tracking", "payment", "notification")),
    Event(TRIP_DEPARTED, TripDeparted, "booking", ("tracking", "notification")),
    Event(TRIP_ARRIVED_AT_DROP, TripArrivedAtDrop, "booking", ("tracking", "notification")),
    Event(TRIP_DELIVERED, TripDelivered, "booking", ("tracking", "payment", "notification")),
    Event(TRIP_LOST, TripLost, "booking", ("tracking", "payment", "notification")),
    Event(TRIP_CLOSED, TripClosed, "booking", ("tracking", "payment", "notification")),
    Event(TRIP_CANCELLED, TripCancelled, "booking", ("tracking", "payment", "notification")),
    Event(TRIP_TRUCK_SWAPPED, TripTruckSwapped, "booking", ("tracking", "notification")),
    Event(TRIP_SHORTAGE_CLAIMED, TripShortageClaimed, "booking", ("payment", "notification")),
    Event(TRIP_EWAY_BILL_RECORDED, TripEwayBillRecorded, "booking", ("notification",)),
    Event(TRIP_EWAY_BILL_EXTENDED, TripEwayBillExtended, "booking", ("notification",)),
    Event(TRIP_EWAY_BILL_AT_RISK, TripEwayBillAtRisk, "booking", ("notification",)),
    Event(TRIP_DEADLINE_AT_RISK, TripDeadlineAtRisk, "booking", ("notification",)),
)
