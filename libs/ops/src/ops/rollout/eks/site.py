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
from ops.rollout.eks.helm import Helm, Values
from ops.rollout.eks.kubectl import DEPLOYMENTS, Absent, Conflict, Kubectl, Object
from ops.rollout.ports import Colour, Targets

ROUTING = "routing"
PORT = 8080
TRIES = 5
PAUSE = 0.5
SETTLE_SECONDS = 60.0
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
    forwards: Forwards = field(default_factory=Forwards)

    async def active(self, service: str) -> Colour:
        """The colour that has the worker."""
        return Colour((await self.helm.values(service))["active"])

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
        if not _COMMIT.fullmatch(version):
            raise OpsError(
                f"A version is a commit of 40 hexadecimal digits, not {version}.", code=2
            )
        values = await self.helm.values(service)
        present = values["colours"][colour]
        if present["enabled"] and present["version"] == version:
            return
        await self._require_idle(service, colour, values, "bring a version up in")
        slot = {
            "enabled": True,
            "version": version,
            "digest": "",
            "schemaRevision": schema_revision(values["database"]["name"]),
            "minReplicas": _possible(service, values, replicas),
        }
        await self._upgrade_slots(service, values, {colour: slot})

    async def scale(self, service: str, colour: Colour, replicas: int) -> None:
        """Let the slot's autoscaler go no lower."""
        values = await self.helm.values(service)
        if not values["colours"][colour]["enabled"]:
            raise OpsError(f"Nothing runs in {service}-{colour}.")
        wanted = _possible(service, values, replicas)
        if values["colours"][colour]["minReplicas"] != wanted:
            await self._upgrade_slots(service, values, {colour: {"minReplicas": wanted}})

    async def targets(self, service: str, colour: Colour) -> Targets:
        """Pods of the slot's latest version; none while the cluster hasn't seen it yet."""
        deployment = await self._deployment(service, colour)
        if deployment is None:
            return Targets(wanted=0, running=0, ready=0)
        values = await self.helm.values(service)
        slot, api = values["colours"][colour], values["api"]
        lowest = slot["minReplicas"] or api["minReplicas"]
        wanted = max(lowest, deployment["spec"].get("replicas", 1))
        status: Mapping[str, Any] = deployment.get("status", {})
        if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
            return Targets(wanted=wanted, running=0, ready=0)
        running = status.get("updatedReplicas", 0)
        earlier = status.get("replicas", 0) - running
        ready = status.get("readyReplicas", 0) - earlier
        return Targets(wanted=wanted, running=running, ready=min(running, max(0, ready)))

    async def weights(self, service: str) -> Mapping[Colour, int]:
        """Per cent of the requests, by what the mesh reads."""
        return routes.read(await self._routes(service), service)

    async def set_weights(self, service: str, weights: Mapping[Colour, int]) -> None:
        """By the release; everything to one colour, as in an abort, first in the cluster itself."""
        wanted = routes.checked(weights)
        if routes.WHOLE in wanted.values():
            await self._write_routes(service, wanted)
        await self._upgrade_routing(service, {"weights": wanted})
        await self._await_weights(service, wanted)

    async def promote(self, service: str, colour: Colour) -> None:
        """Say in both releases that the colour is active, which moves the worker."""
        values = await self.helm.values(service)
        if not values["colours"][colour]["enabled"]:
            raise OpsError(f"Nothing runs in {service}-{colour}.")
        weights = await self.weights(service)
        await self._upgrade_routing(service, {"active": colour, "weights": dict(weights)})
        await self._upgrade_slots(service, {**values, "active": colour}, {})

    async def retire(self, service: str, colour: Colour) -> None:
        """Take the slot's pods away; the other slot may get as small as it would without us."""
        values = await self.helm.values(service)
        await self._require_idle(service, colour, values, "stop")
        if values["colours"][colour]["enabled"]:
            left = {colour: {"enabled": False, "minReplicas": 0}, colour.other: {"minReplicas": 0}}
            await self._upgrade_slots(service, values, left)

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

    async def _upgrade_slots(
        self, service: str, values: Values, changes: Mapping[Colour, Values]
    ) -> None:
        colours = {
            colour: {**values["colours"][colour], **changes.get(colour, {})} for colour in Colour
        }
        await self.helm.upgrade(service, {"active": values["active"], "colours": colours})

    async def _upgrade_routing(self, service: str, changes: Values) -> None:
        values = (await self.helm.values(ROUTING))["services"]
        if service not in values:
            raise OpsError(
                f"The release {ROUTING} knows no {service}: {', '.join(values)}.", code=2
            )
        said = {
            name: {key: one[key] for key in ("active", "weights") if key in one}
            for name, one in values.items()
        }
        said[service].update(changes)
        await self.helm.upgrade(ROUTING, {"services": said})

    async def _routes(self, service: str) -> Object:
        values = await self.helm.values(ROUTING)
        return await self.kubectl.get(*_place(values, service))

    async def _write_routes(self, service: str, wanted: Mapping[Colour, int]) -> None:
        kind, name = _place(await self.helm.values(ROUTING), service)
        for _ in range(TRIES):
            found = await self.kubectl.get(kind, name)
            if routes.read(found, service) == wanted:
                return
            try:
                await self.kubectl.replace(kind, routes.written(found, service, wanted))
                return
            except Conflict:
                # Its controller writes its state into the same object.
                continue
        raise OpsError(f"{name} changes faster than its weights can be set.")

    async def _await_weights(self, service: str, wanted: Mapping[Colour, int]) -> None:
        try:
            async with asyncio.timeout(self.settle_seconds):
                while True:
                    found = await self._routes(service)
                    if routes.read(found, service) == wanted and routes.is_taken_up(found):
                        return
                    await asyncio.sleep(PAUSE)
        except TimeoutError as error:
            raise OpsError(
                f"The mesh hasn't taken up the weights of {service} in {self.settle_seconds:g} s."
            ) from error


def schema_revision(database: str) -> str:
    """The newest revision of a database's schema in this checkout."""
    found = sorted((ROOT / "migrations" / database / "versions").glob("[0-9]*_*.py"))
    if not found:
        raise OpsError(f"This checkout has no migrations of {database}.")
    return found[-1].name.partition("_")[0]


def _place(values: Values, service: str) -> tuple[tuple[str, str], str]:
    shared = values["global"]
    if shared["rollout"]["engine"] == "argo":
        raise OpsError("rollout.engine is argo: Argo Rollouts moves the weights, not this command.")
    return routes.place(shared["mesh"]["provider"], service)


def _possible(service: str, values: Values, replicas: int) -> int:
    """A number of replicas within what the values allow."""
    most = values["api"]["maxReplicas"]
    if not 1 <= replicas <= most:
        raise OpsError(
            f"{service} has from 1 to {most} replicas (api.maxReplicas), not {replicas}."
        )
    return replicas
