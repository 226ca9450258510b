"""The edges of a rollout in memory: processes, requests, time, audit. A driver can die in each."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ops.errors import OpsError
from ops.rollout import state
from ops.rollout.plan import WHOLE
from ops.rollout.ports import Colour, Targets, Window
from ops.rollout.readiness import Clock
from ops.rollout.state import Record, Rollout
from ops.rollout.store import Conflict

from .plans import NOON

BOUNDS = (10.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
RATE = 1000.0


class Killed(BaseException):
    """SIGKILL, as far as one process can do that to itself."""


@dataclass
class Fate:
    """Kills at the `n`th call of anything, before or after its effect."""

    n: int = 0
    after: bool = False
    calls: int = 0

    def strike(self, *, after: bool) -> None:
        """Called before and after each effect."""
        if not after:
            self.calls += 1
        if self.calls == self.n and after is self.after:
            raise Killed


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
        self.fate.strike(after=False)
        yield
        self.fate.strike(after=True)
        for service, shares in self.shares.items():
            assert sum(shares.values()) == WHOLE
            for colour, share in shares.items():
                assert share == 0 or self._ready(service, colour), "requests for nobody"

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
            assert self.actives[service] is not colour
            if await self.version(service, colour) != version:
                assert self.shares[service][colour] == 0
                self.slots[service, colour] = Slot(version, replicas)

    async def scale(self, service: str, colour: Colour, replicas: int) -> None:
        async with self._step():
            self.slots[service, colour].replicas = replicas

    async def targets(self, service: str, colour: Colour) -> Targets:
        if not self.site_works:
            raise OpsError("The site is away.")
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
        async with self._step():
            self.shares[service] = dict(weights)
            self.given.append((service, weights[Colour.GREEN]))

    async def promote(self, service: str, colour: Colour) -> None:
        async with self._step():
            self.actives[service] = colour

    async def retire(self, service: str, colour: Colour) -> None:
        async with self._step():
            assert self.actives[service] is not colour
            self.slots.pop((service, colour), None)

    def address(self, service: str, colour: Colour) -> str:
        return f"http://{service}.{colour}"

    # The metrics: what RATE requests a second would have got.

    async def window(self, service: str, colour: Colour, *, seconds: float) -> Window | None:
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
        found = await self.load()
        if (found and (found.id, found.revision)) != (after and (after.id, after.revision)):
            raise Conflict("Somebody else was faster.")
        self._world.fate.strike(after=False)
        self._world.kept = rollout
        self._world.fate.strike(after=True)

    @asynccontextmanager
    async def driving(self) -> AsyncGenerator[None]:
        assert not self._world.driven
        self._world.driven = True
        try:
            yield
        finally:
            self._world.driven = False


class FakeClock(Clock):
    """Time that passes only by waiting."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.now

    async def sleep(self, seconds: float) -> None:
        self._world.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


def aborted_by_somebody(world: World) -> None:
    """What `ubertruck rollout abort` writes."""
    world.kept = state.abort(world.rollout, "no", world.now)
