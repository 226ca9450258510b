"""The commands of `ubertruck rollout` as an operator meets them: what they print and end with."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from ops.rollout import commands, state
from ops.rollout.commands import Interrupted, Show, exit_code, now, operator
from ops.rollout.eks.place import cluster
from ops.rollout.places import Place, laptop
from ops.rollout.plan import Plan, read_policy
from ops.rollout.screen import Progress, how_to_go_on, line_of, lines_of, plan_lines
from ops.rollout.state import Rollout
from ops.state import StateFolder

INTERRUPTED = 130
LOOK_SECONDS = 0.5


def place_of(folder: StateFolder, environment: str | None) -> Place:
    """Where rollouts of an environment happen; this machine's platform without one."""
    if environment is None:
        return laptop(folder)
    return cluster(environment)


def show_plan(
    folder: StateFolder,
    environment: str | None,
    services: Sequence[str],
    version: str,
    policy: Path | None,
) -> None:
    """Print every step of a plan."""
    place = place_of(folder, environment)
    plan = _planned(place, services, version, policy)
    before = asyncio.run(commands.replicas_before(place, plan))
    for line in plan_lines(plan, before):
        print(line)


def start(
    folder: StateFolder,
    environment: str | None,
    services: Sequence[str],
    version: str,
    policy: Path | None,
    *,
    ticket: str | None,
    override: str | None,
) -> int:
    """Begin a rollout and drive it to its end; the exit code."""
    place = place_of(folder, environment)
    plan = _planned(place, services, version, policy)

    async def run(show: Show) -> Rollout:
        await commands.begin(place, plan, actor=operator(), ticket=ticket, override=override)
        return await commands.to_the_end(place, show)

    return _driven(place, run)


def resume(folder: StateFolder, environment: str | None, *, override: str | None) -> int:
    """Go on with the present rollout, and drive it unless somebody does; the exit code."""
    place = place_of(folder, environment)
    who = operator()
    return _driven(place, lambda show: commands.resume(place, show, actor=who, override=override))


def promote(folder: StateFolder, environment: str | None, *, override: str | None) -> int:
    """Hurry the present rollout, and drive it unless somebody does; the exit code."""
    place = place_of(folder, environment)
    who = operator()
    return _driven(place, lambda show: commands.promote(place, show, actor=who, override=override))


def pause(folder: StateFolder, environment: str | None) -> None:
    """Let the present rollout stand still."""
    place = place_of(folder, environment)
    who = operator()
    why = f"{who} said so."
    move = commands.change(place, lambda one: state.pause(one, why, now(), actor=who))
    print(line_of(asyncio.run(move)))


def abort(folder: StateFolder, environment: str | None, reason: str) -> int:
    """Take the present rollout back; the exit code, which is 0 once it is."""
    place = place_of(folder, environment)
    who = operator()
    code = _driven(place, lambda show: commands.abort(place, reason, show, actor=who))
    return INTERRUPTED if code == INTERRUPTED else 0


def show_status(folder: StateFolder, environment: str | None, *, as_json: bool) -> None:
    """Print the present rollout, or draw it until its end."""
    place, console = place_of(folder, environment), Console()
    found = asyncio.run(commands.present(place))
    if as_json:
        print(found.model_dump_json(indent=2, by_alias=True))
    elif console.is_terminal and not found.ended:
        asyncio.run(_draw(place, console))
    else:
        print("\n".join(lines_of(found)))


async def _draw(place: Place, console: Console) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while True:
            found = await commands.present(place)
            live.update("\n".join(lines_of(found)), refresh=True)
            if found.ended:
                return
            await asyncio.sleep(LOOK_SECONDS)


def _planned(place: Place, services: Sequence[str], version: str, policy: Path | None) -> Plan:
    wanted = dict.fromkeys(services or place.calls, version)
    return commands.planned(place, wanted, read_policy(policy or place.policy))


def _driven(place: Place, run: Callable[[Show], Coroutine[Any, Any, Rollout]]) -> int:
    with Progress(Console()) as progress:
        try:
            ended = asyncio.run(run(progress.show))
        except Interrupted:
            print(how_to_go_on(asyncio.run(commands.present(place))))
            return INTERRUPTED
        progress.show(ended, "")
        # One that isn't over is driven by somebody, who does what was just said.
        return exit_code(ended) if ended.ended else 0
