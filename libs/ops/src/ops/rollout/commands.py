"""What the commands of `ubertruck rollout` do, at a place."""

import asyncio
import getpass
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from ops.errors import OpsError
from ops.rollout import retreat, state
from ops.rollout.driver import Driver
from ops.rollout.freeze import frozen_by
from ops.rollout.places import Place
from ops.rollout.plan import Plan, Policy, plan_for
from ops.rollout.state import SETTLED, Before, Phase, Rollout
from ops.rollout.store import AlreadyDriven, Conflict

T = TypeVar("T")
Show = Callable[[Rollout, str], None]

TRIES = 20
# Longer than a dead driver's lease, and than a live one takes to see that something changed.
NOTICED_SECONDS = 60.0


class Interrupted(Exception):
    """Ctrl-C or SIGTERM: the rollout stands still, and may go on."""


def now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def planned(place: Place, versions: Mapping[str, str], policy: Policy) -> Plan:
    """The plan by which services get these versions, each by the name that it has for good."""
    named = {service: place.named(version) for service, version in versions.items()}
    return plan_for(named, place.calls, policy)


async def replicas_before(place: Place, plan: Plan) -> dict[str, Before]:
    """What answers now for each service of a plan."""
    found: dict[str, Before] = {}
    for change in plan.changes:
        colour = await place.site.active(change.service)
        version = await place.site.version(change.service, colour)
        targets = await place.site.targets(change.service, colour)
        if version is None or not targets.ready:
            raise OpsError(f"{change.service}-{colour} is active and nothing there is ready.")
        found[change.service] = Before(
            colour=colour, version=version, replicas=max(1, targets.wanted)
        )
    return found


def operator() -> str:
    """Who gives the commands, for the audit."""
    return getpass.getuser()


async def begin(
    place: Place, plan: Plan, *, actor: str, ticket: str | None, override: str | None
) -> Rollout:
    """Write down that a rollout begins; OpsError while another one isn't over, or all is frozen."""
    last = await place.store.load()
    if last is not None and not last.ended:
        raise OpsError(
            f"A rollout is {last.phase} already: `ubertruck rollout status` tells more, "
            "and `resume`, `promote` or `abort` go on with it."
        )
    if last is not None and last.unwritten:
        await place.ledger.write(last.unwritten)
    _require_thawed(plan, override)
    before = await replicas_before(place, plan)
    rollout = state.begin(plan, before, actor=actor, at=now(), ticket=ticket, override=override)
    await place.store.save(rollout, after=last)
    return rollout


async def drive(place: Place, show: Show) -> Rollout:
    """Drive the present rollout to its end. `Interrupted` when somebody stops that."""
    async with place.seeing() as sight:
        driver = Driver(
            site=place.site,
            metrics=sight.metrics,
            store=place.store,
            ledger=place.ledger,
            validate=sight.validate,
            show=show,
            attention=place.attention,
        )
        ended = await _until_signalled(driver.run())
    if ended is None:
        with suppress(state.IllegalMove):
            why, who = "The driver was stopped.", operator()
            await change(place, lambda one: state.pause(one, why, now(), actor=who))
        raise Interrupted
    return ended


async def change(place: Place, move: Callable[[Rollout], Rollout]) -> Rollout:
    """Make a move of the present rollout; its driver, if there is one, sees it at once."""
    for _ in range(TRIES):
        found = await present(place)
        moved = move(found)
        if moved == found:
            return found
        with suppress(Conflict):
            await place.store.save(moved, after=found)
            return moved
    raise OpsError("The rollout changes too fast. Try again.")


async def resume(place: Place, show: Show, *, actor: str, override: str | None) -> Rollout:
    """Go on with the present rollout: drive it, unless somebody does."""
    resumed = await change(
        place, lambda one: state.resume(one, now(), actor=actor, override=override)
    )
    return await _unless_driven(place, show, resumed)


async def promote(place: Place, show: Show, *, actor: str, override: str | None) -> Rollout:
    """Hurry the present rollout: drive it, unless somebody does."""

    def move(rollout: Rollout) -> Rollout:
        if rollout.phase not in SETTLED:
            _require_thawed(rollout.plan, override or rollout.override)
        return state.promote(rollout, now(), actor=actor, override=override)

    return await _unless_driven(place, show, await change(place, move))


async def abort(place: Place, why: str, show: Show, *, actor: str) -> Rollout:
    """Take everything back: the weights before anything else, by us and not by the driver."""
    aborted = await change(place, lambda one: state.abort(one, why, now(), actor=actor))
    with suppress(OpsError):
        await retreat.weights_back(place.site, aborted)
    return await to_the_end(place, show)


async def to_the_end(place: Place, show: Show) -> Rollout:
    """Drive the rollout to its end, or see whoever drives it get there."""
    while True:
        try:
            return await drive(place, show)
        except AlreadyDriven as error:
            found = await present(place)
            if found.ended:
                return found
            show(found, str(error))
            await asyncio.sleep(place.attention)


async def _unless_driven(place: Place, show: Show, rollout: Rollout) -> Rollout:
    """Drive the rollout to its end, or return it as soon as whoever drives it went on with it.

    A driver who doesn't may be dead, and has the right to drive for a while nevertheless;
    AlreadyDriven when that doesn't end.
    """
    deadline = time.monotonic() + NOTICED_SECONDS
    while True:
        try:
            return await drive(place, show)
        except AlreadyDriven as error:
            found = await present(place)
            if found.revision != rollout.revision:
                return found
            if time.monotonic() > deadline:
                raise
            show(found, str(error))
            await asyncio.sleep(place.attention)


async def present(place: Place) -> Rollout:
    """The present rollout, or the last one; OpsError when there never was any."""
    found = await place.store.load()
    if found is None:
        raise OpsError("There is no rollout.", code=2)
    return found


def _require_thawed(plan: Plan, override: str | None) -> None:
    window = frozen_by(plan.policy.freezes, now())
    if window is not None and override is None:
        raise OpsError(f"Frozen: {window}. With a reason to go on: --override-freeze REASON.")


async def _until_signalled(work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` gives; None when Ctrl-C or SIGTERM came first, and it was stopped."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return None
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def exit_code(rollout: Rollout) -> int:
    """0 once the new version serves alone, 1 when the old one does."""
    return 0 if rollout.phase is Phase.DONE else 1
