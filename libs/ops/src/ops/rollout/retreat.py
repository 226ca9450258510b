"""The way back: whatever was begun, the old versions answer again, and the new ones stay idle."""

from collections.abc import Sequence
from contextlib import suppress

from ops.errors import OpsError
from ops.rollout.plan import WHOLE, Change
from ops.rollout.ports import Site
from ops.rollout.readiness import Clock, have_ready
from ops.rollout.state import Before, Rollout


async def weights_back(site: Site, rollout: Rollout) -> None:
    """Give every request to the old versions that are up, latest change first, and do no more.

    This is what can't wait. A version that isn't up any more gets nothing before it is. What is
    quick comes first, for all of them, and one that fails is in no other's way: the first
    OpsError is raised at the end.
    """
    up: list[tuple[Change, Before]] = []
    for change in _begun(rollout):
        before = rollout.before[change.service]
        if await _may_answer(site, change, before):
            up.append((change, before))
            with suppress(OpsError):
                await site.give_all(change.service, before.colour)
    errors: list[OpsError] = []
    for change, before in up:
        try:
            await _give_all(site, change, before)
        except OpsError as error:
            errors.append(error)
    if errors:
        raise errors[0]


async def all_back(site: Site, rollout: Rollout, clock: Clock) -> None:
    """After `weights_back`: old versions that went are brought up, and the old slots are active.

    OpsError when that can't be done; it may be tried again.
    """
    for change in _begun(rollout):
        before = rollout.before[change.service]
        if not await _may_answer(site, change, before):
            await _give_the_new(site, change, before)
            await have_ready(
                site,
                change.service,
                before.colour,
                before.version,
                replicas=before.replicas,
                seconds=rollout.plan.policy.ready_seconds,
                clock=clock,
            )
        if (await site.weights(change.service))[before.colour] != WHOLE:
            await _give_all(site, change, before)
        # Even if it is the active one: a promotion may be under way, or an upgrade broken off.
        await site.promote(change.service, before.colour)


def _begun(rollout: Rollout) -> Sequence[Change]:
    return rollout.plan.changes[rollout.change :: -1]


async def _give_all(site: Site, change: Change, before: Before) -> None:
    await site.set_weights(change.service, {before.colour: WHOLE, before.colour.other: 0})


async def _give_the_new(site: Site, change: Change, before: Before) -> None:
    """While the old version isn't up, to the new one if that is: nobody answers otherwise."""
    new = before.colour.other
    if not (await site.weights(change.service))[before.colour]:
        return
    if (await site.targets(change.service, new)).ready:
        await site.set_weights(change.service, {new: WHOLE, before.colour: 0})


async def _may_answer(site: Site, change: Change, before: Before) -> bool:
    try:
        return (await site.targets(change.service, before.colour)).ready > 0
    except OpsError:
        # Who can't be asked is trusted: it answered all requests before.
        return True
