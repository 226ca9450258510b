"""How much of each booking is covered by trips, and where trucks were last."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, func, text
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from booking.models import BOOKINGS, Base, one_of
from booking.statuses import Status

# A booking that trucks may still be found for, also while the first of them are on the road.
OPEN: Final = (Status.CONFIRMED, Status.ASSIGNED, Status.IN_PROGRESS)


class Coverage(Base):
    """The tons of a booking that trips carry, and those given up. Never more than there are."""

    __tablename__ = "booking_coverage"
    __table_args__ = (
        CheckConstraint(
            "covered_mt >= 0 AND given_up_mt >= 0 AND covered_mt + given_up_mt <= quantity_mt",
            name="covered_mt",
        ),
    )

    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), primary_key=True)
    quantity_mt: Mapped[Decimal] = mapped_column(Numeric(7, 3))
    covered_mt: Mapped[Decimal] = mapped_column(Numeric(7, 3))
    given_up_mt: Mapped[Decimal] = mapped_column(Numeric(7, 3), server_default=text("0"))

    @hybrid_property
    def open_mt(self) -> Decimal:
        """What trucks may still be found for."""
        return self.quantity_mt - self.covered_mt - self.given_up_mt


class TruckPosition(Base):
    """Where a truck was last, by its own count of positions."""

    __tablename__ = "truck_positions"
    __table_args__ = (
        CheckConstraint("lat BETWEEN -90 AND 90 AND lng BETWEEN -180 AND 180", name="place"),
    )

    truck_id: Mapped[UUID] = mapped_column(ForeignKey("trucks.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    lat: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    lng: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    recorded_at: Mapped[datetime]


Index(
    "ix_truck_positions_place",
    func.point(TruckPosition.lng, TruckPosition.lat),
    postgresql_using="gist",
)
Index(
    "ix_bookings_open",
    BOOKINGS.c.created_at,
    BOOKINGS.c.id,
    postgresql_where=text(one_of("status", OPEN)),
)
