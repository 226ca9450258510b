"""The requests of a cluster's services: who gets them, by the release `routing` and past it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import yaml

from ops.errors import OpsError
from ops.releases import VALUES
from ops.rollout.eks import weights as routes
from ops.rollout.eks.helm import Helm, Values, require_environment
from ops.rollout.eks.kubectl import CONFIG_MAPS, Conflict, Kubectl, Object
from ops.rollout.ports import Colour

ROUTING = "routing"
ENVIRONMENT = "UBERTRUCK_ENVIRONMENT"
TRIES = 5
PAUSE = 0.5


@dataclass(frozen=True, kw_only=True)
class Routing:
    """The weights of one environment. `settle_seconds` is what the mesh has to take them up."""

    kubectl: Kubectl
    helm: Helm
    settle_seconds: float

    async def weights(self, service: str) -> dict[Colour, int]:
        """Per cent of the requests, by what the mesh reads."""
        return routes.read(await self._routes(service), service)

    async def write(self, service: str, wanted: Mapping[Colour, int]) -> None:
        """Write weights where the mesh reads them, by kubectl alone."""
        settings = await self.kubectl.get(CONFIG_MAPS, service)
        require_environment(self.helm.environment, settings["data"][ENVIRONMENT])
        for _ in range(TRIES):
            found = await self._routes(service)
            changed = routes.written(found, service, wanted)
            if changed == found:
                return
            try:
                await self.kubectl.replace(self._place(service)[0], changed)
                return
            except Conflict:
                # Its controller writes its state into the same object.
                continue
        raise OpsError(f"The routes of {service} change faster than weights can be set.")

    async def tell(self, service: str, **changes: object) -> None:
        """Tell the release `weights` or the `active` slot of a service.

        All other weights are those that the mesh reads: the release may not know yet of some that
        were written past it, and must not undo them.
        """
        told = await self.helm.told(ROUTING)
        services = told.values["services"]
        if service not in services:
            raise OpsError(
                f"The release {ROUTING} knows no {service}: {', '.join(services)}.", code=2
            )
        present = {name: _slots(one) for name, one in services.items()}
        live = await asyncio.gather(*(self.weights(name) for name in services))
        found = {
            name: {**present[name], "weights": weights}
            for name, weights in zip(services, live, strict=True)
        }
        said = {**found, service: {**found[service], **changes}}
        if not (told.settled and present == found == said):
            await self.helm.upgrade(ROUTING, {"services": said})

    async def taken_up(self, service: str, wanted: Mapping[Colour, int]) -> None:
        """Return once the mesh has these weights; OpsError when it doesn't get them."""
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

    async def _routes(self, service: str) -> Object:
        return await self.kubectl.get(*self._place(service))

    def _place(self, service: str) -> tuple[tuple[str, str], str]:
        return routes.place(_provider(self.helm.environment), service)


def _slots(told: Values) -> Values:
    return {key: told[key] for key in ("active", "weights") if key in told}


@cache
def _provider(environment: str) -> str:
    """Whose routes they are, by this checkout's values: helm may be out of order."""
    provider = engine = ""
    for path in (VALUES / "global.yaml", VALUES / environment / "global.yaml"):
        shared = yaml.safe_load(path.read_text())["global"]
        provider = shared.get("mesh", {}).get("provider", provider)
        engine = shared.get("rollout", {}).get("engine", engine)
    if engine == "argo":
        raise OpsError("rollout.engine is argo: Argo Rollouts moves the weights, not this command.")
    return provider
