"""What services that aren't there yet would tell booking: the demo says it in their place.

Only a platform on this machine lets anybody onto its bus, and booking handles these events as it
will handle those of payment and tracking.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel

from chassis.bus import BusUnavailable
from chassis.events import CloudEvent
from chassis.ids import new_id
from chassis.postgres_bus import PostgresBus
from contracts.payment import PAYMENT_RESERVED, PaymentReserved
from contracts.positions import TRUCK_POSITION_SAMPLED, TruckPositionSampled
from contracts.values import Money
from ops.errors import OpsError


class StandIns:
    """Payment and tracking, on the bus at `url` (`postgresql+asyncpg://…`)."""

    def __init__(self, url: str) -> None:
        self._url = url

    def reserve(self, *, booking_id: str, tenant_id: str, paise: int) -> None:
        """Payment has set the price of a booking aside."""
        self._publish(
            [reserved(booking_id=UUID(booking_id), tenant_id=UUID(tenant_id), paise=paise)]
        )

    def sample(self, positions: Sequence[TruckPositionSampled]) -> None:
        """Tracking knows where trucks are."""
        self._publish(
            [
                _event("/tracking", TRUCK_POSITION_SAMPLED, str(one.truck_id), one.sequence, one)
                for one in positions
            ]
        )

    def _publish(self, events: Sequence[CloudEvent]) -> None:
        try:
            asyncio.run(self._send(events))
        except BusUnavailable as error:
            raise OpsError("The bus of the platform on this machine doesn't answer.") from error

    async def _send(self, events: Sequence[CloudEvent]) -> None:
        async with PostgresBus.connect(self._url, name="demo") as bus:
            await bus.publish(events)


def reserved(*, booking_id: UUID, tenant_id: UUID, paise: int) -> CloudEvent:
    """What payment tells when it has set the price of a booking aside."""
    told = PaymentReserved(
        booking_id=booking_id,
        tenant_id=tenant_id,
        amount=Money(amount=paise),
        reserved_at=datetime.now(UTC),
    )
    return _event("/payment", PAYMENT_RESERVED, str(new_id()), 1, told)


def _event(source: str, type: str, subject: str, version: int, data: BaseModel) -> CloudEvent:
    return CloudEvent(
        id=new_id(),
        source=source,
        type=type,
        subject=subject,
        time=datetime.now(UTC),
        aggregateversion=version,
        data=data.model_dump(mode="json"),
    )
