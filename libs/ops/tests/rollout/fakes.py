"""The edges of a rollout in memory: processes, requests, time, audit. Fate may strike in each."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from ops.errors import OpsError
from ops.rollout import retreat, state
from ops.rollout.places import Place, Sight
from ops.rollout.plan import WHOLE
from ops.rollout.ports import Colour, Targets, Window
from ops.rollout.readiness import Clock
from ops.rollout.state import IllegalMove, Phase, Record, Rollout
from ops.rollout.store import AlreadyDriven, Conflict

from .plans import CALLS, NOON

BOUNDS = (10.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
RATE = 1000.0


class Killed(BaseException):
    """SIGKILL, as far as one process can do that to itself."""


class Endless(BaseException):
    """A rollout that never comes to its end."""


async def kill() -> None:
    """What Fate does unless a test says otherwise."""
    raise Killed


@dataclass
class Fate:
    """Does its deed at the `n`th call of anything, once, before or after the call's effect.

    Calls without an effect count with `looks`.
    """

    n: int = 0
    after: bool = False
    looks: bool = False
    deed: Callable[[], Awaitable[None]] = kill
    calls: int = 0

    async def strike(self, *, after: bool) -> None:
        """Called before and after each effect."""
        if not after:
            self.calls += 1
        if self.calls == self.n and after is self.after:
            self.n = 0
            await self.deed()

    async def look(self) -> None:
        """Called before what changes nothing."""
        if self.looks:
            await self.strike(after=False)


@dataclass
class Version:
    """How a version does: its share of failures, and the milliseconds that it takes."""

    failing: float = 0.0
    milliseconds: float = 20.0
    starts: bool = True
    tells: bool = True


@dataclass
class Slot:
    """What is in a slot."""

    version: str
    replicas: int


@dataclass
class World:
    """Everything outside of the driver, and what users saw of it."""

    versions: Mapping[str, Version]
    fate: Fate = field(default_factory=Fate)
    now: datetime = NOON
    slots: dict[tuple[str, Colour], Slot] = field(default_factory=dict[tuple[str, Colour], Slot])
    actives: dict[str, Colour] = field(default_factory=dict[str, Colour])
    shares: dict[str, dict[Colour, int]] = field(default_factory=dict[str, dict[Colour, int]])
    given: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    written: dict[int, Record] = field(default_factory=dict[int, Record])
    audit_works: bool = True
    site_works: bool = True
    kept: Rollout | None = None
    driven: bool = False
    # What no driver may do. To raise it would be one more error that a driver goes back for.
    faults: list[str] = field(default_factory=list[str])

    def install(self, service: str, version: str, replicas: int) -> None:
        """What runs before the rollout."""
        self.slots[service, Colour.BLUE] = Slot(version, replicas)
        self.actives[service] = Colour.BLUE
        self.shares[service] = {Colour.BLUE: WHOLE, Colour.GREEN: 0}

    @property
    def rollout(self) -> Rollout:
        """What is kept of the rollout."""
        assert self.kept is not None
        return self.kept

    @asynccontextmanager
    async def _step(self) -> AsyncGenerator[None]:
        await asyncio.sleep(0)
        await self.fate.strike(after=False)
        yield
        await self.fate.strike(after=True)
        for service, shares in self.shares.items():
            assert sum(shares.values()) == WHOLE
            for colour, share in shares.items():
                if share and not self._ready(service, colour):
                    self.faults.append(f"{service}-{colour} gets requests, and nobody is there")

    def _forward(self, what: str) -> None:
        """What must not be asked for any more once a rollout is taken back."""
        if self.kept is not None and self.kept.phase is Phase.ABORTING:
            self.faults.append(f"after an abort: {what}")

    def _ready(self, service: str, colour: Colour) -> int:
        slot = self.slots.get((service, colour))
        return slot.replicas if slot and self.versions[slot.version].starts else 0

    # The site.

    async def active(self, service: str) -> Colour:
        return self.actives[service]

    async def version(self, service: str, colour: Colour) -> str | None:
        slot = self.slots.get((service, colour))
        return slot.version if slot else None

    async def bring_up(self, service: str, colour: Colour, version: str, *, replicas: int) -> None:
        async with self._step():
            if await self.version(service, colour) == version:
                return
            if self.actives[service] is colour or self.shares[service][colour]:
                raise OpsError(f"{service}-{colour} is in use.")
            self.slots[service, colour] = Slot(version, replicas)

    async def scale(self, service: str, colour: Colour, replicas: int) -> None:
        async with self._step():
            self.slots[service, colour].replicas = replicas

    async def targets(self, service: str, colour: Colour) -> Targets:
        if not self.site_works:
            raise OpsError("The site is away.")
        await self.fate.look()
        slot = self.slots.get((service, colour))
        wanted = slot.replicas if slot else 0
        ready = self._ready(service, colour)
        return Targets(wanted=wanted, running=ready, ready=ready)

    async def weights(self, service: str) -> Mapping[Colour, int]:
        return self.shares[service]

    async def give_all(self, service: str, colour: Colour) -> None:
        if not self.site_works:
            raise OpsError("The site is away.")
        async with self._step():
            self.shares[service] = {colour: WHOLE, colour.other: 0}

    async def set_weights(self, service: str, weights: Mapping[Colour, int]) -> None:
        if not self.site_works:
            raise OpsError("The site is away.")
        if weights[Colour.GREEN] and self._ready(service, Colour.BLUE):
            self._forward("a weight")
        async with self._step():
            self.shares[service] = dict(weights)
            self.given.append((service, weights[Colour.GREEN]))

    async def promote(self, service: str, colour: Colour) -> None:
        if colour is Colour.GREEN:
            self._forward("a promotion")
        async with self._step():
            self.actives[service] = colour

    async def retire(self, service: str, colour: Colour) -> None:
        if not self.site_works:
            raise OpsError("The site is away.")
        self._forward("an end")
        async with self._step():
            if self.actives[service] is colour:
                raise OpsError(f"{service}-{colour} is active.")
            self.slots.pop((service, colour), None)

    def address(self, service: str, colour: Colour) -> str:
        return f"http://{service}.{colour}"

    # The metrics: what RATE requests a second would have got.

    async def window(self, service: str, colour: Colour, *, seconds: float) -> Window | None:
        await self.fate.look()
        slot = self.slots.get((service, colour))
        if slot is None or not self.versions[slot.version].tells:
            return None
        version = self.versions[slot.version]
        requests = round(RATE * seconds * self.shares[service][colour] / WHOLE)
        counts = [0] * (len(BOUNDS) + 1)
        counts[sum(bound < version.milliseconds for bound in BOUNDS)] = requests
        return Window(
            since=self.now - timedelta(seconds=seconds),
            until=self.now,
            requests=requests,
            failures=round(requests * version.failing),
            bounds=BOUNDS,
            counts=counts,
        )

    async def validate(self, service: str, colour: Colour) -> Sequence[str]:
        async with self._step():
            return []

    # The audit.

    async def write(self, records: Sequence[Record]) -> None:
        if not self.audit_works:
            raise OpsError("Postgres doesn't answer.")
        async with self._step():
            self.written |= {record.number: record for record in records}


class FakeStore:
    """What is kept of the rollout, in memory."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def load(self) -> Rollout | None:
        return self._world.kept

    async def save(self, rollout: Rollout, *, after: Rollout | None) -> None:
        await self._world.fate.strike(after=False)
        found = await self.load()
        if (found and (found.id, found.revision)) != (after and (after.id, after.revision)):
            raise Conflict("Somebody else was faster.")
        self._world.kept = rollout
        await self._world.fate.strike(after=True)

    @asynccontextmanager
    async def driving(self) -> AsyncGenerator[None]:
        if self._world.driven:
            raise AlreadyDriven("Another process drives the rollout already.")
        self._world.driven = True
        try:
            yield
        finally:
            self._world.driven = False


def place_in(world: World) -> Place:
    """Where commands find this world."""

    @asynccontextmanager
    async def seeing() -> AsyncGenerator[Sight]:
        yield Sight(metrics=world, validate=world.validate)

    return Place(
        site=world,
        store=FakeStore(world),
        ledger=world,
        calls=CALLS,
        policy=Path(),
        named=str,
        seeing=seeing,
        attention=0.01,
    )


class FakeClock(Clock):
    """Time that passes only by waiting."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.now

    async def sleep(self, seconds: float) -> None:
        self._world.now += timedelta(seconds=seconds)
        if self._world.now > NOON + timedelta(hours=1):
            raise Endless
        await asyncio.sleep(0)


def aborted_by_somebody(world: World) -> None:
    """What `ubertruck rollout abort` writes."""
    world.kept = state.abort(world.rollout, "no", world.now, actor="omar")


async def try_to_abort(world: World) -> None:
    """All that `ubertruck rollout abort` does while a driver is at it: nothing when it's late."""
    try:
        aborted_by_somebody(world)
    except IllegalMove:
        return
    await retreat.weights_back(world, world.rollout)
