"""The driver on a cluster: real helm and kubectl, and pods that do what Deployments say."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from ops.rollout import commands
from ops.rollout.eks.place import cluster as place_of
from ops.rollout.places import Place, Sight
from ops.rollout.plan import Policy
from ops.rollout.ports import Colour, Window
from ops.rollout.state import Phase, Record, Rollout

from .cluster import OLD, Cluster
from .controllers import controlled

BOOKING = "booking-service"
NEW = "2" * 40


@dataclass
class Written:
    """A ledger that keeps everything."""

    records: list[Record] = field(default_factory=list[Record])

    async def write(self, records: Sequence[Record]) -> None:
        self.records += records


@dataclass
class Figures:
    """Of ten thousand requests so many failed in green, and none in blue."""

    failures: int

    async def window(self, service: str, colour: Colour, *, seconds: float) -> Window | None:
        until = datetime.now(UTC)
        return Window(
            since=until - timedelta(seconds=seconds),
            until=until,
            requests=10_000,
            failures=self.failures if colour is Colour.GREEN else 0,
            bounds=(100.0,),
            counts=(10_000, 0),
        )


async def rolled_out(cluster: Cluster, failures: int) -> tuple[Rollout, Place]:
    """What became of a rollout whose new version answers so."""

    async def validate(service: str, colour: Colour) -> Sequence[str]:
        return []

    @asynccontextmanager
    async def seeing() -> AsyncGenerator[Sight]:
        yield Sight(metrics=Figures(failures), validate=validate)

    place = replace(place_of("dev"), seeing=seeing, ledger=Written())
    policy = Policy(steps=(50, 100), bake_seconds=1, keep_old_seconds=0)
    async with controlled(cluster):
        plan = commands.planned(place, {BOOKING: NEW}, policy)
        await commands.begin(place, plan, actor="nadia", ticket=None, override=None)
        return await commands.drive(place, lambda rollout, words: None), place


async def test_a_version_that_does_well_stays(booking_cluster: Cluster) -> None:
    ended, place = await rolled_out(booking_cluster, 0)
    assert ended.phase is Phase.DONE, ended.reason
    assert await place.site.active(BOOKING) is Colour.GREEN
    assert await place.site.version(BOOKING, Colour.GREEN) == NEW
    assert await place.site.version(BOOKING, Colour.BLUE) is None
    assert await place.store.load() == ended
    assert isinstance(place.ledger, Written)
    assert [one.number for one in place.ledger.records] == [*range(1, ended.records + 1)]
    assert booking_cluster.get("leases", "ubertruck-rollout")["spec"]["holderIdentity"] == ""


async def test_a_version_that_fails_gets_nothing_and_stays_for_a_look(
    booking_cluster: Cluster,
) -> None:
    ended, place = await rolled_out(booking_cluster, 500)
    assert ended.phase is Phase.ABORTED
    assert "fail" in (ended.reason or "")
    assert await place.site.active(BOOKING) is Colour.BLUE
    assert await place.site.weights(BOOKING) == {Colour.BLUE: 100, Colour.GREEN: 0}
    assert await place.site.version(BOOKING, Colour.BLUE) == OLD
    assert await place.site.version(BOOKING, Colour.GREEN) == NEW
