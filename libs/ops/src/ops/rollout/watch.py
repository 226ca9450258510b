"""Looks at a service while its requests are divided: what both versions answer."""

import asyncio

from ops.rollout.analysis import Look, Outcome, Verdict, judge
from ops.rollout.plan import WHOLE
from ops.rollout.ports import Metrics, Site, Window
from ops.rollout.state import Rollout

LOOK_TIMEOUT = 5.0
# In this time, several looks long, a way to Prometheus is opened anew, or it won't be.
MOST_LATE = 5


class Watch:
    """The looks at one service. It remembers how the old version did before it got nothing."""

    def __init__(self, site: Site, metrics: Metrics, service: str) -> None:
        self.service = service
        self._site = site
        self._metrics = metrics
        self._before: Window | None = None
        self._late = 0

    async def shift(self, rollout: Rollout) -> None:
        """Before the new version gets everything: keep what the old one is compared by.

        After a pause that came in between the old one may be idle already.
        """
        if rollout.weight == WHOLE and self._before is None:
            seconds = rollout.plan.policy.bake_seconds
            self._before = await self._metrics.window(
                self.service, rollout.new.other, seconds=seconds
            )

    async def look(self, rollout: Rollout, seconds: float, *, over: bool) -> Verdict:
        """Judge the last `seconds`, which are those since the weights are what they are.

        A look that comes too late has no figures; several in a row are bad.
        """
        limits = rollout.plan.policy.limits
        try:
            async with asyncio.timeout(LOOK_TIMEOUT):
                new, old, recent, targets = await asyncio.gather(
                    self._metrics.window(self.service, rollout.new, seconds=seconds),
                    self._metrics.window(self.service, rollout.new.other, seconds=seconds),
                    self._metrics.window(
                        self.service, rollout.new, seconds=min(seconds, limits.burst_seconds)
                    ),
                    self._site.targets(self.service, rollout.new),
                )
        except TimeoutError:
            self._late += 1
            bad = over or self._late >= MOST_LATE
            reason = f"Nobody tells within {LOOK_TIMEOUT:g} s how it goes, {self._late} in a row."
            return Verdict(Outcome.BAD if bad else Outcome.WAIT, reason)
        self._late = 0
        compared = self._before if rollout.weight == WHOLE else old
        return judge(Look(new=new, old=compared, recent=recent, targets=targets), limits, over=over)
