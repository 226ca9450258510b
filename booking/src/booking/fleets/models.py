"""Trucks, drivers, documents and absences: the tables."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Numeric,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from booking.fleets.kinds import AbsenceReason, DocumentKind, LicenceClass, TruckType
from booking.fleets.numbers import BHARAT_REGISTRATION, LICENCE, PHONE, REGISTRATION, STATES
from booking.models import Base, one_of, words
from contracts.values import Material

ACTIVE: Final = text("retired_at IS NULL")


def some_of(column: str, values: Sequence[str]) -> str:
    """SQL that holds when every element of the array is one of these values."""
    listed = ", ".join(repr(str(value)) for value in values)
    return f"{column} <@ ARRAY[{listed}]::text[]"


class FleetMember:
    """What trucks and drivers share. Retired ones stay, for the trips that they made."""

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]

    def changed(self, at: datetime) -> None:
        """Count one change."""
        self.version += 1
        self.updated_at = at


class Truck(FleetMember, Base):
    """A truck; without `states` it has a national permit."""

    __tablename__ = "trucks"
    __table_args__ = (
        CheckConstraint(
            f"registration_number ~ '^({REGISTRATION}|{BHARAT_REGISTRATION})$'",
            name="registration_number",
        ),
        CheckConstraint(one_of("truck_type", TruckType), name="truck_type"),
        CheckConstraint("capacity_mt BETWEEN 1 AND 100", name="capacity_mt"),
        CheckConstraint(
            f"cardinality(materials) > 0 AND {some_of('materials', list(Material))}",
            name="materials",
        ),
        CheckConstraint(some_of("states", sorted(STATES)), name="states"),
        CheckConstraint("version > 0", name="version"),
        # What trips agree with by their foreign key: nobody's trip has another fleet's truck.
        UniqueConstraint("id", "tenant_id", name="uq_trucks_owner"),
        Index(
            "uq_trucks_registration_number",
            "registration_number",
            unique=True,
            postgresql_where=ACTIVE,
        ),
        Index("ix_trucks_tenant_newest", "tenant_id", "created_at", "id"),
    )

    registration_number: Mapped[str] = mapped_column(Text)
    truck_type: Mapped[TruckType] = mapped_column(words(TruckType))
    capacity_mt: Mapped[Decimal] = mapped_column(Numeric(7, 3))
    materials: Mapped[list[str]] = mapped_column(ARRAY(Text))
    states: Mapped[list[str]] = mapped_column(ARRAY(Text))
    documents: Mapped[list["TruckDocument"]] = relationship(
        lazy="selectin", order_by="TruckDocument.kind"
    )


class TruckDocument(Base):
    """One paper of a truck. `told_expired_on` is the last expiry that an event told of."""

    __tablename__ = "truck_documents"
    __table_args__ = (
        CheckConstraint(one_of("kind", DocumentKind), name="kind"),
        CheckConstraint("char_length(number) BETWEEN 1 AND 50", name="number"),
        Index(
            "ix_truck_documents_untold",
            "expires_on",
            postgresql_where=text("told_expired_on IS DISTINCT FROM expires_on"),
        ),
    )

    truck_id: Mapped[UUID] = mapped_column(ForeignKey("trucks.id"), primary_key=True)
    kind: Mapped[DocumentKind] = mapped_column(words(DocumentKind), primary_key=True)
    number: Mapped[str] = mapped_column(Text)
    expires_on: Mapped[date] = mapped_column(Date)
    told_expired_on: Mapped[date | None] = mapped_column(Date)


class Driver(FleetMember, Base):
    """A driver; `subject` is the user that auth-service knows him or her by."""

    __tablename__ = "drivers"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint(f"phone ~ '^{PHONE}$'", name="phone"),
        CheckConstraint(f"licence_number ~ '^{LICENCE}$'", name="licence_number"),
        CheckConstraint(
            "cardinality(licence_classes) > 0 AND "
            + some_of("licence_classes", list(LicenceClass)),
            name="licence_classes",
        ),
        CheckConstraint("version > 0", name="version"),
        UniqueConstraint("id", "tenant_id", name="uq_drivers_owner"),
        Index("uq_drivers_licence_number", "licence_number", unique=True, postgresql_where=ACTIVE),
        Index("uq_drivers_subject", "subject", unique=True, postgresql_where=ACTIVE),
        Index("ix_drivers_tenant_newest", "tenant_id", "created_at", "id"),
        Index(
            "ix_drivers_untold",
            "licence_expires_on",
            postgresql_where=text("told_expired_on IS DISTINCT FROM licence_expires_on"),
        ),
    )

    name: Mapped[str] = mapped_column(Text)
    phone: Mapped[str] = mapped_column(Text)
    licence_number: Mapped[str] = mapped_column(Text)
    licence_classes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    licence_expires_on: Mapped[date] = mapped_column(Date)
    subject: Mapped[str | None] = mapped_column(Text)
    told_expired_on: Mapped[date | None] = mapped_column(Date)


class Absence(Base):
    """A time in which a truck or a driver takes no trips."""

    __tablename__ = "absences"
    __table_args__ = (
        CheckConstraint("num_nonnulls(truck_id, driver_id) = 1", name="holder"),
        CheckConstraint(one_of("reason", AbsenceReason), name="reason"),
        CheckConstraint(
            "NOT isempty(period) AND lower(period) IS NOT NULL AND upper(period) IS NOT NULL",
            name="period",
        ),
        ExcludeConstraint(("truck_id", "="), ("period", "&&"), name="ex_absences_truck"),
        ExcludeConstraint(("driver_id", "="), ("period", "&&"), name="ex_absences_driver"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    truck_id: Mapped[UUID | None] = mapped_column(ForeignKey("trucks.id"))
    driver_id: Mapped[UUID | None] = mapped_column(ForeignKey("drivers.id"))
    reason: Mapped[AbsenceReason] = mapped_column(words(AbsenceReason))
    period: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    created_at: Mapped[datetime]
