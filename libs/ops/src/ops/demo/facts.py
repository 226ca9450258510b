"""What the demo knows at a moment: the booking, its three trucks, and what happened last."""

from collections import deque
from dataclasses import dataclass, field

from booking.trips.steps import TripStatus

# With the rest of the picture that is what a terminal of 24 lines holds.
REMEMBERED = 7
TRUCKS = 3


@dataclass(kw_only=True)
class TruckFacts:
    """One truck of the booking, and its trip."""

    registration: str
    truck_id: str
    driver_id: str
    tenant_id: str
    load_mt: float
    trip_id: str = ""
    status: str = ""
    km: int = 0
    loaded_kg: int = 0
    delivered_kg: int = 0
    lorry_receipt: str = ""
    eway_bill: str = ""
    eway_bill_until: str = ""
    transit_pass: str = ""
    claim_paise: int = 0
    evidence: str = ""

    @property
    def steps(self) -> int:
        """How many of the steps of a trip are done."""
        return STEPS.index(self.status) + 1 if self.status in STEPS else 0


@dataclass(kw_only=True)
class Facts:
    """Everything that is shown."""

    booking_id: str = ""
    status: str = ""
    about: str = ""
    paise: int = 0
    km: int = 0
    trucks: list[TruckFacts] = field(default_factory=list[TruckFacts])
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


STEPS = tuple(
    str(status)
    for status in (
        TripStatus.ASSIGNED,
        TripStatus.ACCEPTED,
        TripStatus.AT_PICKUP,
        TripStatus.LOADED,
        TripStatus.IN_TRANSIT,
        TripStatus.AT_DROP,
        TripStatus.DELIVERED,
        TripStatus.CLOSED,
    )
)


def rupees(paise: int) -> str:
    """`₹ 12,34,567.89`: grouped as in India."""
    whole, rest = divmod(abs(paise), 100)
    digits = str(whole)
    head, last = digits[:-3], digits[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    sign = "-" if paise < 0 else ""
    return f"{sign}₹ {','.join([*pairs, last])}.{rest:02}"


def tons(kilograms: int) -> str:
    """`25.000 t`."""
    return f"{kilograms / 1000:.3f} t"
