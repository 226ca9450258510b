"""A version of booking that comes and goes on a running platform, under constant load."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from bench.arrivals import offer
from bench.ledger import Ledger
from bench.listener import Listener, Outbox
from bench.outcomes import Outcomes
from bench.platform import Platform
from bench.requests import Answered, BookingRequests, get
from bench.stage import Pace, Stage
from bench.tokens import mint
from ops import control, edge
from ops.releases import ROOT
from ops.rollout.laptop import LaptopSite
from ops.rollout.ports import Colour
from ops.services import BOOKING

BLUE, GREEN = Colour
SERVICE = BOOKING.virtual
CONNECTIONS = 48
REPLICAS = 2
# What a version is made of, when it is started from its source.
SOURCES = ("booking/src", "libs/chassis/src", "migrations")
MIGRATION = '''
"""A column that only the next version knows."""

from alembic import op

from chassis.schema_v1 import set_schema_revision

revision = "{next}"
down_revision = "{latest}"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE bookings ADD COLUMN remark text")
    set_schema_revision(op, current={number}, minimum_code=1)
'''


@dataclass(frozen=True, kw_only=True)
class Next:
    """The source of a version, and the revision of booking's schema that it needs."""

    source: Path
    revision: int


def next_version(folder: Path) -> Next:
    """One that needs a revision more than this."""
    without = shutil.ignore_patterns("__pycache__")
    for source in SOURCES:
        shutil.copytree(ROOT / source, folder / source, ignore=without)
    versions = folder / "migrations" / BOOKING.name / "versions"
    latest = max(path.name[:4] for path in versions.glob("[0-9]*.py"))
    number = int(latest) + 1
    content = MIGRATION.format(latest=latest, next=f"{number:04d}", number=number)
    (versions / f"{number:04d}_remark.py").write_text(content)
    main = folder / "booking" / "src" / "booking" / "__main__.py"
    text, here = main.read_text(), f"code_revision={int(latest)},"
    assert here in text
    main.write_text(text.replace(here, f"code_revision={number},"))
    return Next(source=folder, revision=number)


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Bookings with keys; each fourth request reads instead."""

    bookings: BookingRequests

    def books(self, number: int) -> bool:
        return number % 4 != 0

    def render(self, number: int) -> bytes:
        if self.books(number):
            return self.bookings.render(number)
        return get("/v1/booking?limit=1", self.bookings.tokens[number % len(self.bookings.tokens)])

    def check(self, number: int, body: bytes) -> Answered | None:
        if self.books(number):
            return self.bookings.read(number, body)
        assert isinstance(orjson.loads(body)["items"], list)
        return None


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens meanwhile. `pause` is how long each division of requests stays, in seconds."""

    site: LaptopSite
    following: Next
    pause: float

    async def short(self) -> None:
        """There and back, with accidents on the way there."""
        await self.site.bring_up(SERVICE, GREEN, str(self.following.source), replicas=REPLICAS)
        await self.shift(50)
        await self.accidents(GREEN)
        await self.shift(100)
        await self.site.promote(SERVICE, GREEN)
        await self.shift(0)
        await self.site.promote(SERVICE, BLUE)
        await self.site.retire(SERVICE, GREEN)

    async def whole(self) -> None:
        """There and back by small steps, with accidents on both ways."""
        await self.site.scale(SERVICE, BLUE, REPLICAS)
        await self.site.bring_up(SERVICE, GREEN, str(self.following.source), replicas=REPLICAS)
        await self.shift(1, 10, 50)
        await self.accidents(GREEN)
        await self.shift(100)
        await self.site.promote(SERVICE, GREEN)
        await self.shift(50)
        await self.accidents(BLUE)
        await self.shift(0)
        await self.site.promote(SERVICE, BLUE)
        await self.site.retire(SERVICE, GREEN)

    async def shift(self, *greens: int) -> None:
        """Give green so many per cent, one after the other."""
        for green in greens:
            await self.site.set_weights(SERVICE, {BLUE: 100 - green, GREEN: green})
            await asyncio.sleep(self.pause)

    async def accidents(self, colour: Colour) -> None:
        """One of a slot's processes is killed, so are the workers, and the edge is restarted."""
        pids = await asyncio.to_thread(self._pids)
        names = {BOOKING.api_of(colour, REPLICAS), *(BOOKING.worker_of(one) for one in Colour)}
        for name in names & pids.keys():
            os.kill(pids[name], signal.SIGKILL)
        await asyncio.to_thread(control.call, self.site.folder, "restart", name=edge.NAME)
        while (await self.site.targets(SERVICE, colour)).ready < REPLICAS:
            await asyncio.sleep(0.1)

    def _pids(self) -> Mapping[str, int]:
        status = cast("dict[str, list[dict[str, Any]]]", control.call(self.site.folder, "status"))
        return {row["name"]: row["pid"] for row in status["processes"] if row["pid"]}


async def lived_through(
    up: Platform, folder: Path, *, least: int, rate: float, pause: float, whole: bool
) -> Outcomes[Answered | None]:
    """What came of at least so many requests while the story was told.

    AssertionError or WrongAnswer unless each was answered, and each booking has its event once;
    of the whole story, also unless each event had its effect once.
    """
    stage = Stage(platform=up, tokens=await mint(up.layout), folder=folder, pace=Pace(), say=print)
    requests = Requests(bookings=stage.bookings())
    story = Story(
        site=LaptopSite(up.layout.folder), following=next_version(folder / "next"), pause=pause
    )
    over = asyncio.Event()

    async def tell() -> None:
        try:
            told = story.whole() if whole else story.short()
            # And a little, since the first is not sent at once.
            await asyncio.gather(told, asyncio.sleep(least / rate + 5))
        finally:
            over.set()

    async with AsyncExitStack() as held:
        ledger = await held.enter_async_context(stage.ledger())
        outbox = Outbox(connection=ledger.connection, began=ledger.began)
        listener = await held.enter_async_context(Listener.of(stage)) if whole else None
        if listener is not None:
            await held.enter_async_context(listener.at_work())
        outcomes, _ = await asyncio.gather(
            offer(
                port=up.layout.ports[edge.NAME],
                rate=rate,
                seconds=3600,
                render=requests.render,
                check=requests.check,
                connections=CONNECTIONS,
                # Whoever waits is served in the end: how soon is not asked here.
                patience=120,
                timeout=60,
                stop=over,
            ),
            tell(),
        )
        assert not outcomes.troubles, dict(outcomes.troubles)
        await _settled(ledger, outcomes, story.following)
        await outbox.published()
        if listener is not None:
            await listener.emptied()
            await listener.require_once(await outbox.events())
    assert await story.site.version(SERVICE, GREEN) is None
    return outcomes


async def _settled(ledger: Ledger, outcomes: Outcomes[Answered | None], following: Next) -> None:
    answered = [one for one in outcomes.acknowledged.values() if one is not None]
    came = await ledger.settle(answered, sent=len(answered))
    assert came.bookings == len(answered)
    found = await ledger.connection.exec_driver_sql("SELECT current FROM schema_revision")
    assert found.scalar_one() == following.revision
