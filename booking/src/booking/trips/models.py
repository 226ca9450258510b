"""Trips, and what is kept of each: weighings, codes, evidence, claims, numbers of receipts."""

import enum
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from booking.models import Base, one_of, words
from booking.trips.codes import Purpose
from booking.trips.eway_bill import EwayBill
from booking.trips.steps import TripStatus

# A truck that has delivered is free, whatever is still to be signed.
HOLDING: Final = (
    TripStatus.ASSIGNED,
    TripStatus.ACCEPTED,
    TripStatus.AT_PICKUP,
    TripStatus.LOADED,
    TripStatus.IN_TRANSIT,
    TripStatus.AT_DROP,
)
UNDER_WAY: Final = HOLDING[2:]
_HOLDING: Final = text(one_of("status", HOLDING))
_UNDER_WAY: Final = text(one_of("status", UNDER_WAY))
_NEVER_BACK: Final = "version > 0 AND updated_at >= created_at"


class Place(enum.StrEnum):
    """Where a truck is weighed."""

    PICKUP = "pickup"
    DROP = "drop"


class Trip(Base):
    """One truck's part of a booking. It belongs to the fleet, `tenant_id`.

    `agreed_paise` is what the fleet gets, where a bid said so. `lost_at` is when it was reported
    that nothing of its load was handed over: then it ended without a weighing at the drop.
    No truck and no driver has two trips at a time: not planned, and not under way, which may last
    longer than planned.
    """

    __tablename__ = "trips"
    __table_args__ = (
        ForeignKeyConstraint(
            ["truck_id", "tenant_id"], ["trucks.id", "trucks.tenant_id"], name="fk_trips_truck"
        ),
        ForeignKeyConstraint(
            ["driver_id", "tenant_id"],
            ["drivers.id", "drivers.tenant_id"],
            name="fk_trips_driver",
        ),
        ForeignKeyConstraint(
            ["eway_bill_truck_id", "tenant_id"],
            ["trucks.id", "trucks.tenant_id"],
            name="fk_trips_eway_bill_truck",
        ),
        CheckConstraint(one_of("status", TripStatus), name="status"),
        CheckConstraint("load_mt > 0 AND load_mt <= 100", name="load_mt"),
        CheckConstraint("agreed_paise > 0", name="agreed_paise"),
        CheckConstraint(_NEVER_BACK, name="version"),
        CheckConstraint(
            "NOT isempty(planned) AND lower(planned) IS NOT NULL AND upper(planned) IS NOT NULL",
            name="planned",
        ),
        CheckConstraint(
            "(eway_bill_number IS NULL) = (eway_bill_issued_at IS NULL)"
            " AND (eway_bill_number IS NULL) = (eway_bill_expires_at IS NULL)"
            " AND eway_bill_number ~ '^[0-9]{12}$' AND eway_bill_expires_at > eway_bill_issued_at",
            name="eway_bill",
        ),
        CheckConstraint("km_per_day > 0", name="km_per_day"),
        CheckConstraint(
            "eway_bill_truck_id IS NULL OR eway_bill_number IS NOT NULL", name="eway_bill_truck"
        ),
        CheckConstraint("lost_at IS NULL OR status IN ('delivered', 'closed')", name="lost_at"),
        UniqueConstraint("tenant_id", "lorry_receipt_number", name="uq_trips_lorry_receipt"),
        ExcludeConstraint(
            ("truck_id", "="), ("planned", "&&"), where=_HOLDING, name="ex_trips_truck"
        ),
        ExcludeConstraint(
            ("driver_id", "="), ("planned", "&&"), where=_HOLDING, name="ex_trips_driver"
        ),
        Index("uq_trips_truck_under_way", "truck_id", unique=True, postgresql_where=_UNDER_WAY),
        Index("uq_trips_driver_under_way", "driver_id", unique=True, postgresql_where=_UNDER_WAY),
        # Of the trips that a fleet ever had these few tell whom it can't send.
        Index("ix_trips_held", "tenant_id", postgresql_where=_HOLDING),
        Index("ix_trips_tenant_newest", "tenant_id", "created_at", "id"),
        Index("ix_trips_shipper_newest", "shipper_tenant_id", "created_at", "id"),
        Index("ix_trips_newest", "created_at", "id"),
        Index("ix_trips_booking", "booking_id"),
        Index("ix_trips_driver_newest", "driver_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"))
    tenant_id: Mapped[UUID]
    shipper_tenant_id: Mapped[UUID]
    truck_id: Mapped[UUID]
    driver_id: Mapped[UUID]
    load_mt: Mapped[Decimal] = mapped_column(Numeric(7, 3))
    agreed_paise: Mapped[int | None] = mapped_column(BigInteger)
    planned: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    status: Mapped[TripStatus] = mapped_column(words(TripStatus))
    lorry_receipt_number: Mapped[str | None] = mapped_column(Text)
    eway_bill_number: Mapped[str | None] = mapped_column(Text)
    eway_bill_issued_at: Mapped[datetime | None]
    eway_bill_expires_at: Mapped[datetime | None]
    eway_bill_truck_id: Mapped[UUID | None]
    km_per_day: Mapped[int | None]
    eway_bill_at_risk: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    deadline_at_risk: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    transit_pass_number: Mapped[str | None] = mapped_column(Text)
    lost_at: Mapped[datetime | None]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def eway_bill(self) -> EwayBill | None:
        """The e-way bill that it travels on."""
        if (
            self.eway_bill_number is None
            or self.eway_bill_issued_at is None
            or self.eway_bill_expires_at is None
        ):
            return None
        return EwayBill(
            number=self.eway_bill_number,
            issued_at=self.eway_bill_issued_at,
            expires_at=self.eway_bill_expires_at,
        )

    def travel_on(self, bill: EwayBill) -> None:
        """Take this e-way bill, whose Part B names the present truck."""
        self.eway_bill_number = bill.number
        self.eway_bill_issued_at = bill.issued_at
        self.eway_bill_expires_at = bill.expires_at
        self.eway_bill_truck_id = self.truck_id
        self.eway_bill_at_risk = False


# What `booking.trips.no_shows` looks for.
Index(
    "ix_trips_not_come",
    func.lower(Trip.planned),
    postgresql_where=text(one_of("status", (TripStatus.ASSIGNED, TripStatus.ACCEPTED))),
)


class TripEvidence(Base):
    """One entry of a trip's evidence, see `booking.trips.evidence`. Never changed."""

    __tablename__ = "trip_evidence"
    __table_args__ = (
        CheckConstraint("seq > 0", name="seq"),
        CheckConstraint("jsonb_typeof(data) = 'object'", name="data"),
        CheckConstraint("before ~ '^[0-9a-f]{64}$' AND digest ~ '^[0-9a-f]{64}$'", name="digests"),
        # An entry has one follower: the chain can't fork.
        UniqueConstraint("trip_id", "before", name="uq_trip_evidence_before"),
    )

    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trips.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    before: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Text)


class TripWeight(Base):
    """What a weighbridge showed, kilograms. Never changed."""

    __tablename__ = "trip_weights"
    __table_args__ = (
        CheckConstraint(one_of("place", Place), name="place"),
        CheckConstraint("tare_kg > 0 AND gross_kg > tare_kg", name="weights"),
    )

    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trips.id"), primary_key=True)
    place: Mapped[Place] = mapped_column(words(Place), primary_key=True)
    tare_kg: Mapped[int] = mapped_column(Integer)
    gross_kg: Mapped[int] = mapped_column(Integer)
    weighed_at: Mapped[datetime]


class TripCode(Base):
    """The newest one-time code for an end of a trip, see `booking.trips.codes`."""

    __tablename__ = "trip_codes"
    __table_args__ = (
        CheckConstraint(one_of("purpose", Purpose), name="purpose"),
        CheckConstraint("octet_length(digest) = 32", name="digest"),
        CheckConstraint("failures BETWEEN 0 AND 5", name="failures"),
        CheckConstraint("(failures = 5) = (blocked_until IS NOT NULL)", name="blocked"),
    )

    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trips.id"), primary_key=True)
    purpose: Mapped[Purpose] = mapped_column(words(Purpose), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    expires_at: Mapped[datetime]
    failures: Mapped[int] = mapped_column(Integer)
    blocked_until: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class LorryReceiptSeries(Base):
    """How many receipts a fleet has given out in a financial year.

    A row that is locked until the receipt is committed, not a sequence: those leave gaps.
    """

    __tablename__ = "lorry_receipt_series"
    __table_args__ = (CheckConstraint("last_count > 0", name="last_count"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    financial_year: Mapped[str] = mapped_column(Text, primary_key=True)
    last_count: Mapped[int] = mapped_column(Integer)


class ShortageClaim(Base):
    """What is claimed for goods that didn't arrive: at most one a trip. Never changed."""

    __tablename__ = "shortage_claims"
    __table_args__ = (
        UniqueConstraint("trip_id", name="uq_shortage_claims_trip_id"),
        CheckConstraint(
            "claimed_kg > 0 AND delivered_kg >= 0 AND loaded_kg - delivered_kg = claimed_kg",
            name="weights",
        ),
        CheckConstraint("paise >= 0 AND paise_per_ton > 0", name="paise"),
        CheckConstraint("tolerance_percent BETWEEN 0 AND 100", name="tolerance"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trips.id"))
    loaded_kg: Mapped[int] = mapped_column(Integer)
    delivered_kg: Mapped[int] = mapped_column(Integer)
    claimed_kg: Mapped[int] = mapped_column(Integer)
    tolerance_percent: Mapped[Decimal] = mapped_column(Numeric(7, 4))
    paise_per_ton: Mapped[int] = mapped_column(BigInteger)
    paise: Mapped[int] = mapped_column(BigInteger)
    claimed_at: Mapped[datetime]
