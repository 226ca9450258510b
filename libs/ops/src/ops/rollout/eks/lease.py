"""The right to drive a rollout: a Lease in the cluster, so that two drivers never do."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ops.errors import OpsError
from ops.rollout.eks.kubectl import LEASES, Absent, Conflict, Kubectl, Object
from ops.rollout.store import AlreadyDriven

NAME = "ubertruck-rollout"
SECONDS = 30
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class LeaseLost(OpsError):
    """Somebody else may drive now: whoever held the lease has to stop at once."""


@dataclass(frozen=True, kw_only=True)
class Leases:
    """The lease of one environment. `seconds` is how long it outlives the last sign of life."""

    kubectl: Kubectl
    name: str = NAME
    seconds: int = SECONDS

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Hold the lease while the body runs; OpsError at once when somebody else has it.

        The body is cancelled, and LeaseLost raised, when it can't be kept.
        """
        holder = f"{socket.gethostname()}-{os.getpid()}-{uuid4()}"
        taken = await self._take(holder)
        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(self._keep(taken))
                yield
                keeping.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            # Otherwise it ends by itself.
            with suppress(OpsError):
                await self._give_up(holder)

    async def _take(self, holder: str) -> Object:
        try:
            found = await self.kubectl.get(LEASES, self.name)
        except Absent:
            found = None
        owner = _owner(found)
        if owner:
            raise AlreadyDriven(f"{owner} drives a rollout of this environment already.")
        try:
            if found is None:
                return await self.kubectl.create(LEASES, self._lease(holder))
            return await self.kubectl.replace(LEASES, self._lease(holder, found))
        except Conflict as error:
            raise AlreadyDriven("Somebody else just began to drive a rollout.") from error

    async def _keep(self, lease: Object) -> None:
        """Give signs of life; LeaseLost when they aren't ours, or before one comes too late."""
        loop = asyncio.get_running_loop()
        pause = self.seconds / 3
        end = loop.time() + self.seconds
        while True:
            await asyncio.sleep(pause)
            began = loop.time()
            try:
                async with asyncio.timeout_at(end):
                    lease = await self._renewed(lease)
                end = began + self.seconds
            except (Absent, Conflict) as error:
                raise LeaseLost("Somebody else took the rollout over.") from error
            except (OpsError, TimeoutError) as error:
                if loop.time() + pause > end:
                    words = str(error) or "no answer"
                    raise LeaseLost(f"The rollout's lease can't be kept: {words}") from error

    async def _renewed(self, lease: Object) -> Object:
        holder = lease["spec"]["holderIdentity"]
        return await self.kubectl.replace(LEASES, self._lease(holder, lease))

    async def _give_up(self, holder: str) -> None:
        found = await self.kubectl.get(LEASES, self.name)
        if found["spec"].get("holderIdentity") == holder:
            await self.kubectl.replace(LEASES, self._lease("", found))

    def _lease(self, holder: str, before: Object | None = None) -> Object:
        kept = before["metadata"] if before else {"name": self.name}
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": self.seconds,
            "renewTime": datetime.now(UTC).strftime(_TIME),
        }
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": kept,
            "spec": spec,
        }


def _owner(lease: Object | None) -> str:
    """Who holds it now; empty when nobody does, or whoever did gave no sign for too long."""
    if lease is None:
        return ""
    spec = lease["spec"]
    renewed = datetime.strptime(spec["renewTime"], _TIME).replace(tzinfo=UTC)
    ended = renewed + timedelta(seconds=spec["leaseDurationSeconds"]) < datetime.now(UTC)
    return "" if ended else str(spec.get("holderIdentity", ""))
