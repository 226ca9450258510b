"""A booking's life in any order: what a small model expects, and what the database then holds."""

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import NullPool, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from booking.cancellation import CancellationTerms
from booking.changes import amend_booking, cancel_booking
from booking.events import HANDLERS
from booking.expiry import Expiry, Patience
from booking.models import Booking, StatusChange
from booking.schemas import AmendRequest
from booking.statuses import Status
from chassis.access import Grant, Scope
from chassis.db import Database
from chassis.errors import DomainError
from chassis.etags import IfMatch
from chassis.events import CloudEvent
from chassis.testing.databases import TestDatabase
from chassis.tokens import Principal

from .answers import declined, reserved
from .factories import FakeSource
from .rows import booking_row, events_of

Result = TypeVar("Result")

# The way without mishaps; only trucks move a booking along its second half.
WAY = ["requested", "confirmed", "assigned", "in_progress", "delivered", "completed"]
ALWAYS = Patience(payment=timedelta(days=-1), cover=timedelta(days=-1))
NEVER = Patience(payment=timedelta(days=300), cover=timedelta(days=300))
# Apart from whole days, so that no comparison hangs on the second in which it is made.
HOURS = {"pickup_from": 1, "pickup_until": 2, "deliver_by": 3}
FEES = {"requested": (0, 0), "confirmed": (2, 0), "assigned": (5, 50_000)}

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


@dataclass
class Model:
    """What must be so."""

    status: str = "requested"
    version: int = 1
    fee: int | None = None
    arranged: dict[str, Any] = field(default_factory=dict[str, Any])
    steps: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    told: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def goes(self, status: str, *, told: bool = True) -> None:
        self.status = status
        self.version += 1
        self.steps.append((self.version, status))
        if told:
            self.told.append((self.version, status))


class Life(RuleBasedStateMachine):
    """One booking, to which everything happens."""

    def __init__(self, runner: asyncio.Runner, engine: AsyncEngine) -> None:
        super().__init__()
        self.runner = runner
        self.connection: AsyncConnection = self.run(self._begin(engine))
        self.database = Database.on_connection(self.connection)
        self.terms = CancellationTerms(FakeSource())
        self.model = Model()
        self.events: list[CloudEvent] = []

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(work)

    async def _begin(self, engine: AsyncEngine) -> AsyncConnection:
        connection = await engine.connect()
        await connection.begin()
        return connection

    @initialize()
    def book(self) -> None:
        booking = booking_row()
        self.id, self.price = booking.id, booking.price_paise
        self.earlier = [reserved(booking), declined(booking)]
        principal = Principal(
            subject=booking.shipper_id,
            tenant_id=booking.tenant_id,
            roles=(),
            permissions=(),
            token_id="t",
            expires_at=0,
        )
        self.grant = Grant(principal=principal, scope=Scope.OWN)

        async def keep() -> None:
            async with self.database.begin() as session:
                session.add(booking)

        self.run(keep())

    @rule(which=st.integers(0, 1))
    def payment_answers(self, which: int) -> None:
        """Anything that payment may say, also twice, late, and against itself."""
        event = self.earlier[which]
        if self.model.status == "requested":
            self.model.goes(["confirmed", "rejected"][which])

        async def handle() -> None:
            async with self.database.begin() as session:
                await HANDLERS[event.type](session, event)

        self.run(handle())

    @precondition(lambda self: self.model.status in WAY[1:5])
    @rule()
    def trucks_move_on(self) -> None:
        after = WAY[WAY.index(self.model.status) + 1]

        async def move() -> None:
            async with self.database.begin() as session:
                booking = await session.get_one(Booking, self.id)
                session.add(booking.move_to(Status(after), by="a truck", at=datetime.now(UTC)))

        self.run(move())
        self.model.goes(after, told=False)

    @rule(stale=st.booleans())
    def call_off(self, stale: bool) -> None:
        possible = self.model.status in FEES and not stale

        async def cancel() -> None:
            async with self.database.begin() as session:
                await cancel_booking(
                    session,
                    grant=self.grant,
                    booking_id=self.id,
                    terms=self.terms,
                    reason=None,
                    seen=self._seen(stale=stale),
                    source_ip=None,
                )

        assert self._succeeds(cancel()) == possible
        if possible:
            percent, fixed = FEES[self.model.status]
            # Half a paisa can't come up: the price is a multiple of 500.
            self.model.fee = self.price * percent // 100 + fixed
            self.model.goes("cancelled")

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

        async def change() -> None:
            async with self.database.begin() as session:
                await amend_booking(
                    session,
                    grant=self.grant,
                    booking_id=self.id,
                    request=request,
                    seen=self._seen(stale=stale),
                    source_ip=None,
                )

        assert self._succeeds(change()) == possible
        if possible and changed:
            self.model.arranged = after
            self.model.version += 1
            self.model.told.append((self.model.version, "amended"))

    @rule(patience=st.sampled_from([ALWAYS, NEVER]))
    def time_passes(self, patience: Patience) -> None:
        unscheduled = self.model.arranged.get("pickup_until") is None
        overdue = ["requested", "confirmed"] if unscheduled else ["requested"]
        if patience is ALWAYS and self.model.status in overdue:
            self.model.goes("expired")
        self.run(Expiry(self.database, patience).run())

    @invariant()
    def model_and_database_agree(self) -> None:
        self.run(self._compare())

    def teardown(self) -> None:
        async def end() -> None:
            await self.connection.rollback()
            await self.connection.close()

        self.run(end())

    async def _compare(self) -> None:
        async with self.database.begin() as session:
            booking = await session.get_one(Booking, self.id)
            model = self.model
            assert (booking.status, booking.version) == (model.status, model.version)
            assert booking.cancellation_fee_paise == model.fee
            for name, value in model.arranged.items():
                assert getattr(booking, name) == value
            steps = await session.execute(
                select(StatusChange.version, StatusChange.to_status)
                .where(StatusChange.booking_id == self.id)
                .order_by(StatusChange.version)
            )
            assert [tuple(step) for step in steps] == model.steps
            events = await events_of(session, str(self.id))
            told = [(each["aggregate_version"], each["type"].split(".")[-2]) for each in events]
            assert told == model.told
            audited = await session.scalar(text("SELECT count(*) FROM audit_log"))
            assert audited == sum(what in ("amended", "cancelled") for _, what in model.told)

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
        soonest = max(start or now, now) + timedelta(days=1, hours=0.875)
        return soonest <= deadline <= (end or now) + timedelta(days=30)

    def _seen(self, *, stale: bool) -> IfMatch:
        return IfMatch(frozenset({str(self.model.version - stale)}))

    def _succeeds(self, work: Coroutine[Any, Any, None]) -> bool:
        try:
            self.run(work)
        except DomainError:
            return False
        return True


@contextmanager
def lives(database: TestDatabase) -> Generator[Any]:
    """Makes machines, whose work is rolled back, over one event loop."""
    engine = create_async_engine(database.url, poolclass=NullPool)
    with asyncio.Runner() as runner:
        yield lambda: Life(runner, engine)
        runner.run(engine.dispose())


def live(database: TestDatabase, *, examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    with lives(database) as factory:
        run_state_machine_as_test(factory, settings=chosen)


def test_a_booking_s_life(shared_database: TestDatabase) -> None:
    live(shared_database, examples=15, steps=20)


@pytest.mark.nightly
def test_many_lives(shared_database: TestDatabase) -> None:
    live(shared_database, examples=200, steps=50)
