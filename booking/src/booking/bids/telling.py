"""What is told and written down of a bid when it changes."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from booking.bids.models import Bid
from booking.fleets.service import Caller
from booking.rows import SOURCE
from chassis.audit import record_audit
from chassis.events import record_event
from contracts.events import EventData
from contracts.values import Money


async def tell(session: AsyncSession, bid: Bid, kind: str, data: EventData) -> None:
    """Write an event of the bid as it is at its present version."""
    await record_event(
        session,
        source=SOURCE,
        type=kind,
        subject=bid.id,
        tenant_id=bid.tenant_id,
        aggregate_version=bid.version,
        data=data,
        occurred_at=bid.updated_at,
    )


async def audit(
    session: AsyncSession, bid: Bid, verb: str, *, caller: Caller, **details: object
) -> None:
    """Who did what to this bid."""
    await record_audit(
        session,
        actor=caller.grant.principal.subject,
        action=f"bid.{verb}",
        target=f"bid/{bid.id}",
        tenant_id=bid.tenant_id,
        source_ip=caller.source_ip,
        details={"booking_id": str(bid.booking_id), **details},
    )


def named(bid: Bid) -> dict[str, Any]:
    """What every event of a bid says."""
    return {
        "bid_id": bid.id,
        "booking_id": bid.booking_id,
        "tenant_id": bid.tenant_id,
        "shipper_tenant_id": bid.shipper_tenant_id,
        "placed_by": bid.placed_by,
        "load_mt": bid.load_mt,
        "price": Money(amount=bid.price_paise),
    }
