"""`ubertruck up`: bring the platform up, stay until told to stop, leave nothing behind."""

import asyncio

from ops import control, database, edge, handlers, memory, ports, replacing, stale
from ops.console import Screen
from ops.errors import OpsError
from ops.invocation import command
from ops.people import everybody
from ops.running import Platform
from ops.services import SERVICES
from ops.signals import Stop, caught
from ops.state import StateFolder
from ops.tasks import first_of

KILLED = 130


def up(folder: StateFolder, port: int, screen: Screen) -> int:
    """Run the platform in the foreground; the exit code, 0 after a clean stop.

    `port` is the edge's, 0 for any. OpsError says why it can't run, or can't run any longer.
    """
    folder.prepare()
    with folder.lock():
        leftovers = stale.end_leftovers(folder)
        if leftovers:
            screen.say(f"Ended what an earlier run left behind: {', '.join(leftovers)}")
        if replacing.is_due(folder):
            database.server_of(folder, None).stop()
            replacing.replace_if_whole(folder)
        chosen = port or ports.allot([edge.NAME], folder.ports_file)[edge.NAME]
        ports.require_free(chosen)
        return asyncio.run(_run(folder, chosen, screen))


async def _run(folder: StateFolder, port: int, screen: Screen) -> int:
    platform = Platform(folder, port, screen)
    with caught(platform.supervisor.kill) as stop:
        try:
            await first_of(_serve(platform, stop), stop.wait(), _failure(platform))
        finally:
            with screen.step("Stopping"):
                await platform.shut_down()
    return KILLED if stop.at_once else 0


async def _serve(platform: Platform, stop: Stop) -> None:
    await platform.bring_up()
    async with control.serve(platform.folder, handlers.of(platform, stop)):
        _show(platform)
        await stop.wait()


async def _failure(platform: Platform) -> None:
    raise OpsError(await platform.supervisor.failure)


def _show(platform: Platform) -> None:
    screen = platform.screen
    seconds = screen.elapsed
    screen.say("")
    screen.table(["", "Address"], _addresses(platform))
    screen.say("")
    screen.table(["Demo user", "Password", "Role", "Second factor"], _people())
    screen.say("")
    screen.say(f"A token:  {command(platform.folder, 'token', '--as', 'shipper')}")
    screen.say(f"A code:   {command(platform.folder, 'code', '--as', 'operator')}")
    screen.say("")
    processes = memory.ours()
    total = memory.proportional_set_size(processes) / memory.MIB
    screen.say(
        f"Up in {seconds:.1f} s; {len(processes)} processes use {total:.0f} MiB "
        "(proportional set size). Ctrl-C stops everything."
    )


def _addresses(platform: Platform) -> list[tuple[str, str]]:
    database = f"127.0.0.1:{platform.server.port}"
    return [
        ("API", platform.url),
        ("Documentation", f"{platform.url}/docs"),
        *((service.title, platform.layout.api_url(service)) for service in SERVICES),
        ("Postgres", database),
        ("Data", str(platform.folder.root)),
    ]


def _people() -> list[tuple[str, str, str, str]]:
    return [
        (
            person.username,
            person.password,
            ", ".join(person.roles),
            "a code" if person.has_second_factor else "",
        )
        for person in everybody()
    ]
