"""What the running platform does when another command asks over the control socket."""

import asyncio
from collections.abc import Mapping

from ops import memory
from ops.control import Handler
from ops.errors import OpsError
from ops.process import Phase, Process
from ops.running import Platform
from ops.signals import Stop
from ops.slot_handlers import slot_handlers


def of(platform: Platform, stop: Stop) -> Mapping[str, Handler]:
    """Every request that the platform understands, by name."""
    supervisor = platform.supervisor

    async def ping(_: Mapping[str, object]) -> object:
        return {"url": platform.url}

    async def status(_: Mapping[str, object]) -> object:
        processes = supervisor.processes.values()
        rows = await asyncio.gather(*(_row(process) for process in processes))
        total = memory.proportional_set_size(memory.ours())
        return {"url": platform.url, "memory": total, "processes": rows}

    async def stop_all(_: Mapping[str, object]) -> object:
        stop.ask()
        return None

    async def start_one(request: Mapping[str, object]) -> object:
        return await supervisor.start_one(_name(request))

    async def stop_one(request: Mapping[str, object]) -> object:
        return await supervisor.stop_one(_name(request))

    async def restart_one(request: Mapping[str, object]) -> object:
        return await supervisor.restart_one(_name(request))

    async def weights(_: Mapping[str, object]) -> object:
        return platform.weights()

    async def instances(_: Mapping[str, object]) -> object:
        return [
            {"name": one.name, "node": one.node, "port": one.ingress.port}
            for one in platform.slots.plane.instances
        ]

    return {
        "instances": instances,
        "weights": weights,
        "ping": ping,
        "status": status,
        "stop-all": stop_all,
        "start": start_one,
        "stop": stop_one,
        "restart": restart_one,
        **slot_handlers(platform.slots),
    }


def _name(request: Mapping[str, object]) -> str:
    name = request.get("name")
    if not isinstance(name, str):
        raise OpsError("Say which process.", code=2)
    return name


async def _row(process: Process) -> Mapping[str, object]:
    phase = str(process.phase)
    if process.phase is Phase.READY and not await process.spec.ready():
        phase = "unready"
    pids = set[int]() if process.pid is None else memory.family(process.pid)
    return {
        "name": process.spec.name,
        "pid": process.pid,
        "state": phase,
        "restarts": process.restarts,
        "uptime": process.uptime,
        "memory": memory.proportional_set_size(pids),
        "port": process.spec.port,
    }
