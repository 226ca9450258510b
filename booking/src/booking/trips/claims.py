"""The claim for goods that didn't arrive."""

from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from booking.trips.access import named, tell
from booking.trips.loading import KIND
from booking.trips.models import ShortageClaim, Trip
from booking.trips.records import evidence_of
from booking.trips.weights import shortage, tons
from chassis.ids import new_id
from contracts.booking import Money
from contracts.trips import TRIP_SHORTAGE_CLAIMED, TripShortageClaimed


async def claim_shortage(
    session: AsyncSession,
    trip: Trip,
    *,
    loaded_kg: int,
    delivered_kg: int,
    tolerance_percent: Decimal,
) -> None:
    """Claim what is missing beyond the tolerance, if anything, and tell of it."""
    # At the value that was declared when the truck was loaded, not at that of today.
    per_ton = await _declared(session, trip)
    found = shortage(
        loaded_kg=loaded_kg,
        delivered_kg=delivered_kg,
        paise_per_ton=per_ton,
        tolerance_percent=tolerance_percent,
    )
    if found.claimed_kg == 0:
        return
    claim = ShortageClaim(
        id=new_id(),
        trip_id=trip.id,
        loaded_kg=loaded_kg,
        delivered_kg=delivered_kg,
        claimed_kg=found.claimed_kg,
        tolerance_percent=tolerance_percent,
        paise_per_ton=per_ton,
        paise=found.claim_paise,
        claimed_at=trip.updated_at,
    )
    session.add(claim)
    claimed = TripShortageClaimed(
        **named(trip),
        claim_id=claim.id,
        loaded_mt=tons(loaded_kg),
        delivered_mt=tons(delivered_kg),
        shortage_mt=tons(found.missing_kg),
        tolerance_percent=tolerance_percent,
        claimed=Money(amount=found.claim_paise),
        claimed_at=trip.updated_at,
    )
    await tell(session, trip, TRIP_SHORTAGE_CLAIMED, claimed)


async def _declared(session: AsyncSession, trip: Trip) -> int:
    for entry in await evidence_of(session, trip.id):
        value = entry.data.get("declared_paise_per_ton")
        if entry.kind == KIND and isinstance(value, int):
            return value
    raise LookupError(f"trip {trip.id} was never loaded")
