"""Drives a rollout: does what its phase is for, writes down that it is done, and goes on.

What is written down comes first, then the audit, then the deed, each of which may be repeated: a
driver that is killed anywhere is followed by another one. Other commands change the state beside
the driver, which sees it within a fraction of a second and does what it says now.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ops.errors import OpsError
from ops.rollout import retreat, state
from ops.rollout.analysis import Outcome
from ops.rollout.freeze import frozen_by
from ops.rollout.ledger import Ledger
from ops.rollout.plan import WHOLE, replicas_for
from ops.rollout.ports import Colour, Metrics, Site
from ops.rollout.readiness import Clock, have_ready
from ops.rollout.state import FORWARD, SETTLED, Phase, Rollout
from ops.rollout.store import Conflict, Store
from ops.rollout.watch import Watch

T = TypeVar("T")
Validate = Callable[[str, Colour], Awaitable[Sequence[str]]]

ATTENTION_SECONDS = 0.2
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 10.0


class _Changed(Exception):
    """Somebody else changed the rollout."""


class _Setback(OpsError):
    """What ends a rollout, in words for the operator."""


@dataclass(kw_only=True)
class Driver:
    """A driver and what it works with.

    `validate` gives what is wrong with a colour that gets no requests yet, in words. `show` is told
    of the rollout whenever there is something to say about it. Every `attention` seconds the driver
    looks whether somebody else changed the rollout.
    """

    site: Site
    metrics: Metrics
    store: Store
    ledger: Ledger
    validate: Validate
    show: Callable[[Rollout, str], None]
    clock: Clock = field(default_factory=Clock)
    attention: float = ATTENTION_SECONDS
    _watch: Watch | None = None

    async def run(self) -> Rollout:
        """Drive the present rollout to its end, which is returned.

        OpsError when there is none, somebody else drives it, or its state can't be kept.
        """
        async with self.store.driving():
            found = await self._load()
            rollout = await self._save(state.restarted(found, self.clock.now()), after=found)
            try:
                while not rollout.ended:
                    rollout = await self._turn(rollout)
            except OpsError:
                # Its state can't be kept, so nobody else could take it back later.
                if rollout.phase not in SETTLED:
                    with suppress(OpsError):
                        await retreat.weights_back(self.site, rollout)
                raise
            return await self._closed(rollout)

    async def _turn(self, rollout: Rollout) -> Rollout:
        self.show(rollout, rollout.paused or "")
        try:
            if rollout.phase is not Phase.ABORTING:
                rollout = await self._recorded(rollout)
            following = await self._onward(rollout)
        except _Changed:
            return await self._latest()
        except Exception as error:  # a fault of ours mustn't leave users with half a rollout
            reason = _reason(error)
            if rollout.phase is Phase.ABORTING or rollout.phase in SETTLED:
                self.show(rollout, f"{reason} It is tried again.")
                await self.clock.sleep(LOOK_SECONDS)
                # A way back needs no word of anybody.
                return rollout if rollout.phase is Phase.ABORTING else await self._latest()
            following = await self._aborted(rollout, reason)
        return await self._save(following, after=rollout)

    async def _aborted(self, rollout: Rollout, reason: str) -> Rollout:
        # What users feel comes before what is written down; it is done again, and checked, after.
        with suppress(OpsError):
            await retreat.weights_back(self.site, rollout)
        return state.abort(rollout, reason, self.clock.now(), actor=rollout.actor)

    async def _onward(self, rollout: Rollout) -> Rollout:
        """Do what the phase is for: the phase that follows, or a pause while that is frozen."""
        window = self._frozen(rollout)
        if window is None:
            await self._work(rollout)
            following = state.advance(rollout, self.clock.now())
            window = self._frozen(following)
            if window is None:
                return following
        return state.pause(rollout, f"Frozen: {window}.", self.clock.now(), actor=rollout.actor)

    def _frozen(self, rollout: Rollout) -> str | None:
        """The window that forbids the work of a phase; None for one that nothing forbids."""
        if rollout.phase not in FORWARD or rollout.paused is not None or rollout.override:
            return None
        return frozen_by(rollout.plan.policy.freezes, self.clock.now())

    async def _work(self, rollout: Rollout) -> None:
        if rollout.paused is not None:
            await self._stand(rollout)
        works: Mapping[Phase, Callable[[Rollout], Coroutine[Any, Any, None]]] = {
            Phase.BRINGING_UP: self._bring_up,
            Phase.VALIDATING: self._look_closely,
            Phase.SHIFTING: self._shift,
            Phase.BAKING: self._bake,
            Phase.PROMOTING: self._promote,
            Phase.KEEPING_OLD: self._keep_old,
            Phase.RETIRING: self._retire,
            Phase.ABORTING: self._retreat,
        }
        if rollout.phase in works:
            await works[rollout.phase](rollout)

    async def _bring_up(self, rollout: Rollout) -> None:
        await self._have_ready(rollout, rollout.plan.policy.steps[0])

    async def _look_closely(self, rollout: Rollout) -> None:
        wrong = await self._meanwhile(
            rollout, lambda: self.validate(rollout.now.service, rollout.new)
        )
        if wrong:
            raise _Setback(" ".join(wrong))

    async def _shift(self, rollout: Rollout) -> None:
        await self._have_ready(rollout, rollout.weight)
        await self._watch_of(rollout).shift(rollout)
        weights = {rollout.new: rollout.weight, rollout.new.other: WHOLE - rollout.weight}
        await self._meanwhile(rollout, lambda: self.site.set_weights(rollout.now.service, weights))

    async def _bake(self, rollout: Rollout) -> None:
        began = self.clock.now()
        while True:
            await self._attend(rollout, LOOK_SECONDS)
            seconds = (self.clock.now() - began).total_seconds()
            verdict = await self._watch_of(rollout).look(
                rollout, seconds, over=seconds >= rollout.plan.policy.bake_seconds
            )
            if verdict.outcome is Outcome.BAD:
                raise _Setback(verdict.reason)
            self.show(rollout, verdict.reason)
            if verdict.outcome is Outcome.GO_ON:
                return

    async def _stand(self, rollout: Rollout) -> None:
        """Paused: the weights stay, and so does the watch over what they let through."""
        began = self.clock.now()
        while True:
            await self._attend(rollout, LOOK_SECONDS)
            if rollout.phase in (Phase.SHIFTING, Phase.BAKING, Phase.PROMOTING):
                seconds = (self.clock.now() - began).total_seconds()
                verdict = await self._watch_of(rollout).look(rollout, seconds, over=False)
                if verdict.outcome is Outcome.BAD:
                    raise _Setback(verdict.reason)

    async def _promote(self, rollout: Rollout) -> None:
        await self._meanwhile(rollout, lambda: self.site.promote(rollout.now.service, rollout.new))

    async def _keep_old(self, rollout: Rollout) -> None:
        kept = (self.clock.now() - rollout.since).total_seconds()
        await self._attend(rollout, rollout.plan.policy.keep_old_seconds - kept)

    async def _retire(self, rollout: Rollout) -> None:
        for change in rollout.plan.changes:
            await self.site.retire(change.service, rollout.before[change.service].colour)

    async def _have_ready(self, rollout: Rollout, weight: int) -> None:
        service = rollout.now.service
        await self._meanwhile(
            rollout,
            lambda: have_ready(
                self.site,
                service,
                rollout.new,
                rollout.now.version,
                replicas=replicas_for(weight, rollout.before[service].replicas),
                seconds=rollout.plan.policy.ready_seconds,
                clock=self.clock,
            ),
        )

    async def _retreat(self, rollout: Rollout) -> None:
        await retreat.weights_back(self.site, rollout)
        await retreat.all_back(self.site, rollout, self.clock)

    async def _recorded(self, rollout: Rollout) -> Rollout:
        """Nothing is done before the audit knows what."""
        if not rollout.unwritten:
            return rollout
        try:
            await self._patiently(lambda: self.ledger.write(rollout.unwritten))
        except OpsError as error:
            raise _Setback(f"The audit can't be written: {error}") from error
        written = state.written(rollout)
        if await self._save(written, after=rollout) is not written:
            raise _Changed
        return written

    async def _closed(self, rollout: Rollout) -> Rollout:
        """At the end: what the audit could not take before, if it can now."""
        try:
            return await self._recorded(rollout)
        except _Changed:
            return await self._latest()
        except _Setback as error:
            self.show(rollout, f"{error} The next command of a rollout writes it.")
            return rollout

    async def _meanwhile(self, rollout: Rollout, work: Callable[[], Awaitable[T]]) -> T:
        """Do something, unless somebody changed the rollout, and only until somebody does."""
        await self._require_unchanged(rollout)
        task = asyncio.ensure_future(work())
        try:
            while not task.done():
                await asyncio.wait([task], timeout=self.attention)
                if not task.done():
                    await self._require_unchanged(rollout)
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _attend(self, rollout: Rollout, seconds: float) -> None:
        """Wait; `_Changed` as soon as the rollout isn't what it was."""
        until = self.clock.now().timestamp() + seconds
        while (left := until - self.clock.now().timestamp()) > 0:
            await self.clock.sleep(min(left, self.attention))
            await self._require_unchanged(rollout)

    async def _require_unchanged(self, rollout: Rollout) -> None:
        found = await self._latest()
        if (found.id, found.revision) != (rollout.id, rollout.revision):
            raise _Changed

    async def _load(self) -> Rollout:
        found = await self.store.load()
        if found is None:
            raise OpsError("There is no rollout.", code=2)
        return found

    async def _save(self, rollout: Rollout, *, after: Rollout) -> Rollout:
        if rollout.revision == after.revision:
            return after
        try:
            await self._patiently(lambda: self.store.save(rollout, after=after))
        except Conflict:
            return await self._latest()
        return rollout

    async def _latest(self) -> Rollout:
        return await self._patiently(self._load)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call what may not answer for a moment."""
        deadline = self.clock.now().timestamp() + PATIENCE_SECONDS
        while True:
            try:
                return await call()
            except Conflict:
                raise
            except OpsError:
                if self.clock.now().timestamp() >= deadline:
                    raise
                await self.clock.sleep(LOOK_SECONDS)

    def _watch_of(self, rollout: Rollout) -> Watch:
        if self._watch is None or self._watch.service != rollout.now.service:
            self._watch = Watch(self.site, self.metrics, rollout.now.service)
        return self._watch


def _reason(error: Exception) -> str:
    if isinstance(error, OpsError):
        return str(error)
    return f"The driver failed: {type(error).__name__}: {error}"
