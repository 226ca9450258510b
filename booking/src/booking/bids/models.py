"""Bids: the table, and how a bid ends."""

import enum
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from booking.bids.errors import BidEnded
from booking.bids.rules import MOST_PAISE
from booking.fleets.models import some_of
from booking.fleets.numbers import STATES
from booking.models import Base, one_of, words


class BidStatus(enum.StrEnum):
    """Where a bid stands. It leaves `open` once, and for good."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


class Bid(Base):
    """A fleet's offer to carry a part of a booking for a price; its truck isn't held by it.

    Terms are written once: `end` is the only change. `tenant_id` is the fleet's.
    """

    __tablename__ = "bids"
    __table_args__ = (
        ForeignKeyConstraint(
            ["truck_id", "tenant_id"], ["trucks.id", "trucks.tenant_id"], name="fk_bids_truck"
        ),
        ForeignKeyConstraint(
            ["driver_id", "tenant_id"], ["drivers.id", "drivers.tenant_id"], name="fk_bids_driver"
        ),
        CheckConstraint("load_mt > 0 AND load_mt <= 100", name="load_mt"),
        CheckConstraint(f"price_paise BETWEEN 1 AND {MOST_PAISE}", name="price_paise"),
        CheckConstraint("valid_until > created_at AND valid_until <= pickup_at", name="validity"),
        CheckConstraint(some_of("states", sorted(STATES)), name="states"),
        CheckConstraint(one_of("status", BidStatus), name="status"),
        CheckConstraint("version = CASE status WHEN 'open' THEN 1 ELSE 2 END", name="version"),
        CheckConstraint("(status = 'accepted') = (trip_id IS NOT NULL)", name="trip"),
        CheckConstraint(
            "CASE WHEN status = 'lapsed' THEN reason IS NOT NULL"
            " WHEN status <> 'declined' THEN reason IS NULL ELSE true END",
            name="reason",
        ),
        UniqueConstraint("trip_id", name="uq_bids_trip_id"),
        Index(
            "uq_bids_open",
            "truck_id",
            "booking_id",
            unique=True,
            postgresql_where=text("status = 'open'"),
        ),
        Index("ix_bids_booking_newest", "booking_id", "created_at", "id"),
        Index("ix_bids_tenant_newest", "tenant_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"))
    tenant_id: Mapped[UUID]
    shipper_tenant_id: Mapped[UUID]
    truck_id: Mapped[UUID]
    driver_id: Mapped[UUID]
    placed_by: Mapped[str] = mapped_column(Text)
    load_mt: Mapped[Decimal] = mapped_column(Numeric(7, 3))
    price_paise: Mapped[int] = mapped_column(BigInteger)
    pickup_at: Mapped[datetime]
    states: Mapped[list[str]] = mapped_column(ARRAY(Text))
    valid_until: Mapped[datetime]
    status: Mapped[BidStatus] = mapped_column(words(BidStatus))
    reason: Mapped[str | None] = mapped_column(Text)
    trip_id: Mapped[UUID | None] = mapped_column(ForeignKey("trips.id"))
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    def check_open(self) -> None:
        """Raise `BidEnded` when it was answered, taken back or over before."""
        if self.status is not BidStatus.OPEN:
            raise BidEnded(f"It is {self.status}.", status_now=self.status)

    def end(self, status: BidStatus, *, at: datetime, reason: str | None = None) -> None:
        """Leave `open` for this; raises `BidEnded`, and then nothing changed."""
        self.check_open()
        self.status = status
        self.reason = reason
        self.version += 1
        self.updated_at = at
