"""The running platform of this machine as the place where a rollout happens."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx

from ops import control, edge, plane
from ops.errors import OpsError
from ops.ports import LOOPBACK
from ops.rollout.plan import WHOLE
from ops.rollout.ports import Colour, Targets
from ops.services import SERVICES, Service, ingress_port
from ops.state import StateFolder, read_json
from ops.versions import find

ENVOY_SECONDS = 5.0
POLL = 0.02
RELOADS = r"\.rds\..*\.config_reload$"


@dataclass(frozen=True)
class LaptopSite:
    """A platform that runs on `folder`, asked by its control socket.

    A version is what `ops.versions.find` understands.
    """

    folder: StateFolder

    async def active(self, service: str) -> Colour:
        """See `Site`; so are the others."""
        return Colour(cast("str", (await self._slots(service))["active"]))

    async def version(self, service: str, colour: Colour) -> str | None:
        return cast("str | None", (await self._slot(service, colour))["version"])

    async def bring_up(self, service: str, colour: Colour, version: str, *, replicas: int) -> None:
        package = _known(service).package
        code = await asyncio.to_thread(find, self.folder, version, package)
        await self._ask(
            "bring-up",
            service,
            colour=colour,
            version=version,
            source=None if code.source is None else str(code.source),
            replicas=replicas,
        )

    async def scale(self, service: str, colour: Colour, replicas: int) -> None:
        await self._ask("scale", service, colour=colour, replicas=replicas)

    async def targets(self, service: str, colour: Colour) -> Targets:
        slot = cast("Mapping[str, int]", await self._slot(service, colour))
        return Targets(wanted=slot["wanted"], running=slot["running"], ready=slot["ready"])

    async def weights(self, service: str) -> Mapping[Colour, int]:
        found = cast("Mapping[str, int]", (await self._slots(service))["weights"])
        return {Colour(colour): weight for colour, weight in found.items()}

    async def give_all(self, service: str, colour: Colour) -> None:
        await self.set_weights(service, {colour: WHOLE, colour.other: 0})

    async def set_weights(self, service: str, weights: Mapping[Colour, int]) -> None:
        sockets = {"mesh": plane.admin_socket(self.folder), "edge": edge.admin_socket(self.folder)}
        before = {name: await _reloads(socket) for name, socket in sockets.items()}
        known = _known(service)
        nodes = {known.node_of(colour): weight for colour, weight in weights.items()}
        changed = cast("Mapping[str, int]", await self._ask("set-weights", service, weights=nodes))
        for name, socket in sockets.items():
            told = before[name]
            if told is not None and changed[name]:
                await _await_reloads(socket, told + changed[name])

    async def promote(self, service: str, colour: Colour) -> None:
        await self._ask("promote", service, colour=colour)

    async def retire(self, service: str, colour: Colour) -> None:
        await self._ask("retire", service, colour=colour)

    def address(self, service: str, colour: Colour) -> str:
        name = ingress_port(_known(service).api_of(colour))
        port = read_json(self.folder.ports_file).get(name)
        if port is None:
            raise OpsError(f"Nothing ever ran in {service}-{colour}.")
        return f"http://{LOOPBACK}:{port}"

    async def _slot(self, service: str, colour: Colour) -> Mapping[str, object]:
        slots = cast("Mapping[str, Mapping[str, object]]", (await self._slots(service))["slots"])
        return slots[colour]

    async def _slots(self, service: str) -> Mapping[str, object]:
        return cast("Mapping[str, object]", await self._ask("slots", service))

    async def _ask(self, do: str, service: str, **arguments: object) -> object:
        return await control.ask(self.folder, do, service=service, **arguments)


def _known(service: str) -> Service:
    for one in SERVICES:
        if one.virtual == service:
            return one
    raise OpsError(f"There is no service {service} here.", code=2)


async def _await_reloads(socket: Path, wanted: int) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(ENVOY_SECONDS):
            while True:
                found = await _reloads(socket)
                if found is None or found >= wanted:
                    return
                await asyncio.sleep(POLL)
    raise OpsError("Envoy doesn't take up the weights.")


async def _reloads(socket: Path) -> int | None:
    """How many times an Envoy took up routes; None when it tells nothing."""
    # Certificates take longer to load than all the rest, and a Unix socket has none.
    transport = httpx.AsyncHTTPTransport(uds=str(socket), verify=False)
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url="http://envoy", timeout=ENVOY_SECONDS
        ) as client:
            answer = await client.get("/stats", params={"filter": RELOADS})
    except httpx.TransportError:
        return None
    return sum(int(line.rpartition(": ")[2]) for line in answer.text.splitlines())
