"""What happens to a booking: payment's answers, amendments, calling off, and time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from booking.assignment.rest import expire_rests
from booking.cancellation import CancellationTerms
from booking.changes import amend_booking, cancel_booking
from booking.events import HANDLERS
from booking.expiry import Expiry, Patience
from booking.schemas import AmendRequest
from booking.trips.rules import RulesInForce
from chassis.access import Grant, Scope
from chassis.tokens import Principal

from ..answers import declined, reserved
from ..factories import FakeSource
from .base import Compared
from .model import FEES

ALWAYS = Patience(payment=timedelta(days=-1), cover=timedelta(days=-1))
NEVER = Patience(payment=timedelta(days=300), cover=timedelta(days=300))
# Apart from whole days, so that no comparison hangs on the second in which it is made.
HOURS = {"pickup_from": 1, "pickup_until": 2, "deliver_by": 3}
TERMS = CancellationTerms(FakeSource())
RULES = RulesInForce(FakeSource())
QUANTITY = Decimal(60)

fields = st.fixed_dictionaries(
    {},
    optional={
        "pickup_until": st.integers(-2, 100),
        "pickup_from": st.integers(-2, 100),
        "deliver_by": st.integers(-2, 140),
        "instructions": st.none() | st.sampled_from(["Gate 4", "Gate 5"]),
        "drop_contact": st.none() | st.just({"name": "Asha", "phone": "+919812345678"}),
    },
).filter(bool)


def granted(tenant_id: Any, subject: str, scope: Scope) -> Grant:
    principal = Principal(
        subject=subject, tenant_id=tenant_id, roles=(), permissions=(), token_id="t", expires_at=0
    )
    return Grant(principal=principal, scope=scope)


class BookingRules(Compared):
    """One booking, to which everything happens but trucks."""

    @initialize()
    def book(self) -> None:
        self.begin(quantity_mt=QUANTITY)
        booking = self.booking
        self.answers = [reserved(booking), declined(booking)]
        self.shipper = granted(booking.tenant_id, booking.shipper_id, Scope.OWN)

    @rule(which=st.integers(0, 1))
    def payment_answers(self, which: int) -> None:
        """Anything that payment may say, also twice, late, and against itself."""
        event = self.answers[which]
        if self.model.status == "requested":
            self.model.goes(["confirmed", "rejected"][which])

        async def handle() -> None:
            async with self.database.begin() as session:
                await HANDLERS[event.type](session, event)

        self.run(handle())

    @rule(stale=st.booleans())
    def call_off(self, stale: bool) -> None:
        possible = self.model.status in FEES and not stale
        done = self.does(
            lambda session: cancel_booking(
                session,
                grant=self.shipper,
                booking_id=self.booking.id,
                terms=TERMS,
                reason=None,
                seen=self.seen(self.model.version, stale=stale),
                source_ip=None,
            )
        )
        assert bool(done) == possible
        if possible:
            self.model.cancels()

    @rule(wanted=fields, stale=st.booleans())
    def amend(self, wanted: dict[str, Any], stale: bool) -> None:
        days = {name: value for name, value in wanted.items() if isinstance(value, int)}
        now = datetime.now(UTC)
        times = {
            name: now + timedelta(days=value, hours=HOURS[name]) for name, value in days.items()
        }
        request = AmendRequest.model_validate(
            wanted | {name: at.isoformat() for name, at in times.items()}
        )
        after = self.model.arranged | wanted | times
        changed = {name for name in wanted if after[name] != self.model.arranged.get(name)}
        possible = not stale and self._allows(changed, after, now)
        done = self.does(
            lambda session: amend_booking(
                session,
                grant=self.shipper,
                booking_id=self.booking.id,
                request=request,
                takes=RULES.trip_time,
                seen=self.seen(self.model.version, stale=stale),
                source_ip=None,
            )
        )
        assert bool(done) == possible
        if possible and changed:
            self.model.arranged = after
            self.model.notes("amended")
            self.model.audited += 1

    @rule(patience=st.sampled_from([ALWAYS, NEVER]))
    def time_passes(self, patience: Patience) -> None:
        model = self.model
        unscheduled = model.arranged.get("pickup_until") is None
        if patience is ALWAYS:
            if model.status == "requested" or (model.status == "confirmed" and unscheduled):
                model.goes("expired")
            elif model.status in ("assigned", "in_progress") and unscheduled and model.open_mt:
                model.gives_up()
        self.run(Expiry(self.database, patience).run())
        self.run(expire_rests(self.database, patience))

    def _allows(self, changed: set[str], after: dict[str, Any], now: datetime) -> bool:
        if not changed:
            return True
        times = changed & {"pickup_from", "pickup_until", "deliver_by"}
        match self.model.status:
            case "requested" | "confirmed":
                return not times or self._can_be_kept(after, now, "pickup_from" in changed)
            case "assigned" | "in_progress":
                return not times
            case _:
                return False

    def _can_be_kept(self, after: dict[str, Any], now: datetime, moved: bool) -> bool:
        start, end, deadline = (
            after.get(name) for name in ("pickup_from", "pickup_until", "deliver_by")
        )
        if (start is None) != (end is None):
            return False
        if (
            start is not None
            and end is not None
            and (
                not start < end
                or end <= now
                or end > now + timedelta(days=90)
                or (moved and start < now)
            )
        ):
            return False
        if deadline is None:
            return True
        soonest = max(start or now, now) + RULES.trip_time(self.booking.distance_m)
        return soonest <= deadline <= (end or now) + timedelta(days=30)
