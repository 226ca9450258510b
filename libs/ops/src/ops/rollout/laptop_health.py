"""The health ports of a slot's processes on this machine."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from ops.ports import LOOPBACK
from ops.rollout.ports import Colour
from ops.rollout.validator import HealthAnswer
from ops.services import SERVICES, health_port
from ops.state import StateFolder, read_json

TIMEOUT = 5.0


@dataclass(frozen=True)
class LaptopHealth:
    """A `Health` over the platform that runs on `folder`."""

    folder: StateFolder

    async def health(self, service: str, colour: Colour, path: str) -> Mapping[str, HealthAnswer]:
        """See `Health`. More processes have ports than run now, and those are silent."""
        ports = self._ports(service, colour)
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client:
            answers = await asyncio.gather(*(_ask(client, port, path) for port in ports.values()))
        return {name: answer for name, answer in zip(ports, answers, strict=True) if answer}

    def _ports(self, service: str, colour: Colour) -> Mapping[str, int]:
        """By process."""
        short = next((one.name for one in SERVICES if one.virtual == service), service)
        process = re.compile(rf"{re.escape(short)}-{colour}-\d+")
        allotted = read_json(self.folder.ports_file)
        found = {
            name: allotted.get(health_port(name)) for name in allotted if process.fullmatch(name)
        }
        return {name: port for name, port in found.items() if isinstance(port, int)}


async def _ask(client: httpx.AsyncClient, port: int, path: str) -> HealthAnswer | None:
    try:
        answer = await client.get(f"http://{LOOPBACK}:{port}{path}")
    except httpx.HTTPError:
        return None
    return HealthAnswer(answer.status_code, answer.text)
