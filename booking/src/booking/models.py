"""Quotes, bookings and the changes of their status: the tables, and what a row may do."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from booking.arrangements import (
    SCHEDULE,
    Arrangement,
    TripTime,
    arrangement_checks,
    check_amendable,
)
from booking.errors import IllegalTransition
from booking.statuses import TRANSITIONS, Status
from chassis.db import COLUMN_TYPES, new_metadata
from contracts.booking import Material


class Base(DeclarativeBase):
    """The tables of this service."""

    metadata = new_metadata()
    type_annotation_map = COLUMN_TYPES


def words(kind: type[enum.StrEnum]) -> Enum:
    """A column of plain text that holds the values of `kind`."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=False,  # Named and written out beside the others, by `one_of`.
        length=20,
        values_callable=_values,
    )


def _values(kind: type[enum.StrEnum]) -> list[str]:
    return [member.value for member in kind]


def one_of(column: str, values: Iterable[str]) -> str:
    """SQL that holds when the column has one of these values."""
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


class Consignment:
    """Whose goods go from where to where, and at what price: a quote and a booking share it.

    All of it is written once; `booking.arrangements` has what may change. `price_basis` is a
    `booking.pricing.PriceBasis` as JSON.
    """

    tenant_id: Mapped[UUID]
    shipper_id: Mapped[str] = mapped_column(Text)
    pickup_lat: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    pickup_lng: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    pickup_address: Mapped[str] = mapped_column(Text)
    drop_lat: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    drop_lng: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    drop_address: Mapped[str] = mapped_column(Text)
    material_type: Mapped[Material] = mapped_column(words(Material))
    quantity_mt: Mapped[Decimal] = mapped_column(Numeric(7, 3))
    distance_m: Mapped[int] = mapped_column(Integer)
    price_paise: Mapped[int] = mapped_column(BigInteger)
    price_basis: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]

    def terms(self) -> dict[str, Any]:
        """All but the time: what a booking takes over from its quote."""
        return {name: getattr(self, name) for name in _TERMS}


_TERMS: Final = tuple(name for name in Consignment.__annotations__ if name != "created_at")


def consignment_checks() -> tuple[CheckConstraint, ...]:
    """The constraints of `Consignment`. A NaN is above every number, so `BETWEEN` refuses it."""
    return (
        *(
            CheckConstraint(
                f"{end}_lat BETWEEN -90 AND 90 AND {end}_lng BETWEEN -180 AND 180"
                f" AND char_length({end}_address) BETWEEN 10 AND 500",
                name=end,
            )
            for end in ("pickup", "drop")
        ),
        CheckConstraint(one_of("material_type", Material), name="material_type"),
        CheckConstraint("quantity_mt BETWEEN 1 AND 1000", name="quantity_mt"),
        CheckConstraint("distance_m > 0", name="distance_m"),
        CheckConstraint("price_paise > 0", name="price_paise"),
        CheckConstraint("jsonb_typeof(price_basis) = 'object'", name="price_basis"),
    )


class Quote(Consignment, Arrangement, Base):
    """A price that holds until `expires_at`."""

    __tablename__ = "quotes"
    __table_args__ = (
        *consignment_checks(),
        *arrangement_checks(),
        CheckConstraint("expires_at > created_at", name="expires_at"),
        # What a booking from this quote has to agree with, by its foreign key.
        UniqueConstraint("id", "tenant_id", "shipper_id", "price_paise", name="uq_quotes_terms"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]


class Booking(Consignment, Arrangement, Base):
    """A shipper's order. After its creation only `move_to` and `amend` change what it says."""

    __tablename__ = "bookings"
    __table_args__ = (
        *consignment_checks(),
        *arrangement_checks(),
        CheckConstraint(one_of("status", Status), name="status"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint(
            "cancellation_fee_paise IS NULL"
            " OR (cancellation_fee_paise BETWEEN 0 AND price_paise AND status = 'cancelled')",
            name="cancellation_fee",
        ),
        ForeignKeyConstraint(
            ["quote_id", "tenant_id", "shipper_id", "price_paise"],
            ["quotes.id", "quotes.tenant_id", "quotes.shipper_id", "quotes.price_paise"],
            name="fk_bookings_terms",
        ),
        Index(
            "uq_bookings_quote_id",
            "quote_id",
            unique=True,
            postgresql_where=text("quote_id IS NOT NULL"),
        ),
        Index("ix_bookings_tenant_newest", "tenant_id", "created_at", "id"),
        Index("ix_bookings_newest", "created_at", "id"),
        # What `booking.expiry` looks for.
        Index(
            "ix_bookings_waiting",
            "status",
            "created_at",
            postgresql_where=text("status IN ('requested', 'confirmed')"),
        ),
        Index(
            "ix_bookings_pickup_until",
            "pickup_until",
            postgresql_where=text(
                "status IN ('requested', 'confirmed') AND pickup_until IS NOT NULL"
            ),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    quote_id: Mapped[UUID | None]
    status: Mapped[Status] = mapped_column(words(Status))
    version: Mapped[int]
    updated_at: Mapped[datetime]
    cancellation_fee_paise: Mapped[int | None] = mapped_column(BigInteger)

    def move_to(
        self, status: Status, *, by: str, at: datetime, reason: str | None = None
    ) -> "StatusChange":
        """Change the status and say so; raises `IllegalTransition`, and then nothing changed."""
        self.check_move(status)
        before, self.status = self.status, status
        self.count_change(at)
        return StatusChange(
            booking_id=self.id,
            version=self.version,
            from_status=before,
            to_status=status,
            changed_at=at,
            changed_by=by,
            reason=reason,
        )

    def count_change(self, at: datetime) -> None:
        """Give it its next version."""
        self.version += 1
        self.updated_at = at

    def check_move(self, status: Status) -> None:
        """Raise `IllegalTransition` when it can't become `status` now."""
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition(
                f"A booking that is {self.status} can't become {status}.", status_now=self.status
            )

    def amend(self, changes: Mapping[str, Any], *, takes: TripTime, at: datetime) -> None:
        """Change parts of the arrangement; `takes` is what a new schedule is judged by.

        Raises `NotAmendable` and `BadSchedule`, and then nothing changed.
        """
        check_amendable(self.status, changes.keys())
        moved = {name: value for name, value in changes.items() if name in SCHEDULE}
        if moved:
            schedule = self.schedule._replace(**moved)
            begun = "pickup_from" not in moved
            schedule.check(distance_m=self.distance_m, takes=takes, at=at, begun=begun)
        for name, value in changes.items():
            setattr(self, name, value)
        self.count_change(at)


BOOKINGS: Final = cast(Table, Booking.__table__)


@dataclass(kw_only=True, slots=True)
class BookingRow:
    """A booking as created: the columns of `Booking`.

    Not the mapped class itself, which takes ten times as long to make. `price_basis` and contacts
    are JSON text.
    """

    tenant_id: UUID
    shipper_id: str
    pickup_lat: float
    pickup_lng: float
    pickup_address: str
    drop_lat: float
    drop_lng: float
    drop_address: str
    material_type: Material
    quantity_mt: Decimal
    distance_m: int
    price_paise: int
    price_basis: str
    created_at: datetime
    id: UUID
    quote_id: UUID | None
    status: Status
    version: int
    updated_at: datetime
    pickup_from: datetime | None = None
    pickup_until: datetime | None = None
    deliver_by: datetime | None = None
    pickup_contact: str | None = None
    drop_contact: str | None = None
    instructions: str | None = None
    cancellation_fee_paise: int | None = None


class StatusChange(Base):
    """One step of a booking, which had `version` after it."""

    __tablename__ = "booking_status_changes"
    __table_args__ = (
        CheckConstraint("version > 1", name="version"),
        CheckConstraint(one_of("from_status", Status), name="from_status"),
        CheckConstraint(one_of("to_status", Status), name="to_status"),
        CheckConstraint("from_status <> to_status", name="moves"),
    )

    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    from_status: Mapped[Status] = mapped_column(words(Status))
    to_status: Mapped[Status] = mapped_column(words(Status))
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
