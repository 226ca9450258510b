"""Looks at a service while its requests are divided: what both versions answer."""

import asyncio

from ops.errors import OpsError
from ops.rollout.analysis import Look, Verdict, judge
from ops.rollout.plan import WHOLE
from ops.rollout.ports import Metrics, Site, Window
from ops.rollout.state import Rollout

LOOK_TIMEOUT = 5.0


class Watch:
    """The looks at one service. It remembers how the old version did before it got nothing."""

    def __init__(self, site: Site, metrics: Metrics, service: str) -> None:
        self.service = service
        self._site = site
        self._metrics = metrics
        self._before: Window | None = None

    async def shift(self, rollout: Rollout) -> None:
        """Before the new version gets everything: keep what the old one is compared by."""
        if rollout.weight == WHOLE:
            seconds = rollout.plan.policy.bake_seconds
            self._before = await self._metrics.window(
                self.service, rollout.new.other, seconds=seconds
            )

    async def look(self, rollout: Rollout, seconds: float, *, over: bool) -> Verdict:
        """Judge the last `seconds`, which are those since the weights are what they are."""
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
        except TimeoutError as error:
            raise OpsError(f"Nobody tells within {LOOK_TIMEOUT:g} s how it goes.") from error
        compared = self._before if rollout.weight == WHOLE else old
        return judge(Look(new=new, old=compared, recent=recent, targets=targets), limits, over=over)
