"""A cluster as the place where a rollout happens."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.errors import OpsError
from ops.releases import ROOT
from ops.rollout.eks import weights as routes
from ops.rollout.eks.forward import Forwards, Target
from ops.rollout.eks.helm import Helm, Told, Values
from ops.rollout.eks.kubectl import AUTOSCALERS, DEPLOYMENTS, Absent, Kubectl, Object
from ops.rollout.eks.routing import Routing
from ops.rollout.ports import Colour, Targets

PORT = 8080
PAUSE = 0.5
SETTLE_SECONDS = 60.0
WORKER_SECONDS = 120.0
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class EksSite:
    """One environment's cluster, as kubectl's configuration names it.

    What there is, is said by two releases: the service's (slots, versions, replicas, which slot
    has the worker) and `routing` (weights). Whoever uses this holds the rollout's lease, since each
    change is made from what the release said before.
    """

    kubectl: Kubectl
    helm: Helm
    settle_seconds: float = SETTLE_SECONDS
    worker_seconds: float = WORKER_SECONDS
    forwards: Forwards = field(default_factory=Forwards)

    @property
    def routing(self) -> Routing:
        """Who gets the requests."""
        return Routing(kubectl=self.kubectl, helm=self.helm, settle_seconds=self.settle_seconds)

    async def active(self, service: str) -> Colour:
        """The colour whose worker works, unless a promotion broke off: `promote` ends it."""
        return Colour((await self.helm.told(service)).values["active"])

    async def version(self, service: str, colour: Colour) -> str | None:
        """The commit whose image a slot's pods have."""
        deployment = await self._deployment(service, colour)
        if deployment is None:
            return None
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        return str(image).partition("@")[0].rpartition(":")[2]

    async def bring_up(self, service: str, colour: Colour, version: str, *, replicas: int) -> None:
        """Have a version in the idle slot, with the schema that this checkout brings.

        One that is there already stays as it is.
        """
        commit(version)
        told = await self.helm.told(service)
        values = told.values
        present = values["colours"][colour]
        if present["enabled"] and present["version"] == version:
            waits = values["active"] != colour
            await self._tell_slots(service, told, {colour: {"worker": waits}})
            return
        await self._require_idle(service, colour, values, "bring a version up in")
        slot = {
            "enabled": True,
            "version": version,
            "digest": "",
            "schemaRevision": schema_revision(values["database"]["name"]),
            "minReplicas": _possible(service, values, replicas),
            "worker": True,
        }
        await self._tell_slots(service, told, {colour: slot})

    async def scale(self, service: str, colour: Colour, replicas: int) -> None:
        """Let the slot's autoscaler go no lower."""
        told = await self._told_of_slot(service, colour)
        wanted = _possible(service, told.values, replicas)
        await self._tell_slots(service, told, {colour: {"minReplicas": wanted}})

    async def targets(self, service: str, colour: Colour) -> Targets:
        """Pods of the slot's latest version; none while the cluster hasn't seen it yet."""
        name = f"{service}-{colour}"
        try:
            deployment, scaler = await asyncio.gather(
                self.kubectl.get(DEPLOYMENTS, name), self.kubectl.get(AUTOSCALERS, name)
            )
        except Absent:
            return Targets(wanted=0, running=0, ready=0)
        wanted = max(scaler["spec"]["minReplicas"], deployment["spec"].get("replicas", 1))
        status: Mapping[str, Any] = deployment.get("status", {})
        if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
            return Targets(wanted=wanted, running=0, ready=0)
        running = status.get("updatedReplicas", 0)
        earlier = status.get("replicas", 0) - running
        ready = status.get("readyReplicas", 0) - earlier
        return Targets(wanted=wanted, running=running, ready=min(running, max(0, ready)))

    async def weights(self, service: str) -> Mapping[Colour, int]:
        """Per cent of the requests, by what the mesh reads."""
        return await self.routing.weights(service)

    async def give_all(self, service: str, colour: Colour) -> None:
        """In the cluster itself, past helm, whose release learns of it by `set_weights`."""
        await self.routing.write(service, {colour: routes.WHOLE, colour.other: 0})

    async def set_weights(self, service: str, weights: Mapping[Colour, int]) -> None:
        """By the release; everything to one colour, as in an abort, first in the cluster itself."""
        wanted = routes.checked(weights)
        if routes.WHOLE in wanted.values():
            await self.routing.write(service, wanted)
        await self.routing.tell(service, weights=wanted)
        await self.routing.taken_up(service, wanted)

    async def promote(self, service: str, colour: Colour) -> None:
        """Say in both releases that the colour is active, once it has a worker that can work.

        The other slot's worker stops, and so gives the lease up. What broke off goes on.
        """
        told = await self._told_of_slot(service, colour)
        if told.values["active"] != colour:
            if await self._tell_slots(service, told, {colour: {"worker": True}}):
                told = await self.helm.told(service)
            await self._await_worker(service, colour)
        await self.routing.tell(service, active=colour)
        waits = {one: {"worker": False} for one in Colour}
        await self._tell_slots(service, told, waits, active=colour)

    async def retire(self, service: str, colour: Colour) -> None:
        """Take the slot's pods away; the other slot may get as small as it would without us."""
        told = await self.helm.told(service)
        await self._require_idle(service, colour, told.values, "stop")
        gone = {"enabled": False, "minReplicas": 0, "worker": False}
        left = {colour: gone, colour.other: {"minReplicas": 0}}
        await self._tell_slots(service, told, left)

    def address(self, service: str, colour: Colour) -> str:
        """A port of this machine behind which one of the slot's pods is."""
        return self.forwards.url(Target(f"deployment/{service}-{colour}", PORT))

    async def _deployment(self, service: str, colour: Colour) -> Object | None:
        try:
            return await self.kubectl.get(DEPLOYMENTS, f"{service}-{colour}")
        except Absent:
            return None

    async def _require_idle(self, service: str, colour: Colour, values: Values, what: str) -> None:
        """OpsError when the slot is in use."""
        if values["active"] == colour:
            raise OpsError(f"{service}-{colour} is active: no way to {what} it.")
        if (await self.weights(service))[colour]:
            raise OpsError(f"{service}-{colour} gets requests: no way to {what} it.")

    async def _told_of_slot(self, service: str, colour: Colour) -> Told:
        """What the release goes by; OpsError when nothing is in this slot."""
        told = await self.helm.told(service)
        if not told.values["colours"][colour]["enabled"]:
            raise OpsError(f"Nothing runs in {service}-{colour}.")
        return told

    async def _tell_slots(
        self,
        service: str,
        told: Told,
        changes: Mapping[Colour, Values],
        *,
        active: str | None = None,
    ) -> bool:
        """Tell the release of changes; nothing, and False, when all of that is so already."""
        present = {"active": told.values["active"], "colours": told.values["colours"]}
        colours = {
            colour: {**present["colours"][colour], **changes.get(colour, {})} for colour in Colour
        }
        said = {"active": active or present["active"], "colours": colours}
        if told.settled and said == present:
            return False
        await self.helm.upgrade(service, said)
        return True

    async def _await_worker(self, service: str, colour: Colour) -> None:
        """Return once the slot's worker is ready; it waits for the lease, or has it."""
        name = f"{service}-{colour}-worker"
        try:
            async with asyncio.timeout(self.worker_seconds):
                while True:
                    if is_ready(await self.kubectl.get(DEPLOYMENTS, name)):
                        return
                    await asyncio.sleep(PAUSE)
        except TimeoutError as error:
            raise OpsError(f"{name} isn't ready after {self.worker_seconds:g} s.") from error


def commit(version: str) -> str:
    """A version by its name, which is a whole commit; OpsError when it is anything else."""
    if not _COMMIT.fullmatch(version):
        raise OpsError(f"A version is a commit of 40 hexadecimal digits, not {version}.", code=2)
    return version


def is_ready(deployment: Object) -> bool:
    """Whether all the pods that a Deployment wants are there and ready, and no earlier ones."""
    status: Mapping[str, Any] = deployment.get("status", {})
    wanted = deployment["spec"].get("replicas", 1)
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")}
    return seen and wanted > 0 and counts == {wanted}


def schema_revision(database: str) -> str:
    """The newest revision of a database's schema in this checkout."""
    found = sorted((ROOT / "migrations" / database / "versions").glob("[0-9]*_*.py"))
    if not found:
        raise OpsError(f"This checkout has no migrations of {database}.")
    return found[-1].name.partition("_")[0]


def _possible(service: str, values: Values, replicas: int) -> int:
    """A number of replicas within what the values allow."""
    most = values["api"]["maxReplicas"]
    if not 1 <= replicas <= most:
        raise OpsError(
            f"{service} has from 1 to {most} replicas (api.maxReplicas), not {replicas}."
        )
    return replicas
