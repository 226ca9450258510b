"""The command line of `ubertruck rollout`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="New versions, blue-green, that roll themselves back.", no_args_is_help=True)

Environment = Annotated[
    str | None,
    typer.Option("--environment", help="A cluster's; without it the platform of this machine."),
]
Services = Annotated[
    list[str] | None,
    typer.Argument(help="Such as booking-service; every service without any."),
]
Version = Annotated[
    str, typer.Option(help="A git revision; on this machine a folder or 'installed' as well.")
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="How: steps, times, limits, freezes, as TOML.")
]
Override = Annotated[
    str | None, typer.Option("--override-freeze", help="Why it may go on while frozen.")
]
Ticket = Annotated[str | None, typer.Option(help="Under which it is done, for the audit.")]


@app.command()
def plan(
    ctx: typer.Context,
    version: Version,
    services: Services = None,
    environment: Environment = None,
    policy: PolicyFile = None,
) -> None:
    """Print every step that `start` would take, and do none."""
    from ops.rollout.running import show_plan

    show_plan(ctx.obj, environment, services or [], version, policy)


@app.command()
def start(
    ctx: typer.Context,
    version: Version,
    services: Services = None,
    environment: Environment = None,
    policy: PolicyFile = None,
    ticket: Ticket = None,
    override_freeze: Override = None,
) -> None:
    """Roll a version out and stay until its end; exit code 1 when it was rolled back.

    Ctrl-C pauses it.
    """
    from ops.rollout.running import start as run

    given = (environment, services or [], version, policy)
    raise typer.Exit(run(ctx.obj, *given, ticket=ticket, override=override_freeze))


@app.command()
def status(
    ctx: typer.Context,
    environment: Environment = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show how far the rollout is: on a terminal until its end, in a pipe once."""
    from ops.rollout.running import show_status

    show_status(ctx.obj, environment, as_json=as_json)


@app.command()
def pause(ctx: typer.Context, environment: Environment = None) -> None:
    """Go no further; the weights stay, and the driver goes on watching."""
    from ops.rollout.running import pause as run

    run(ctx.obj, environment)


@app.command()
def resume(
    ctx: typer.Context, environment: Environment = None, override_freeze: Override = None
) -> None:
    """Go on after a pause, or after the driver died."""
    from ops.rollout.running import resume as run

    raise typer.Exit(run(ctx.obj, environment, override=override_freeze))


@app.command()
def promote(
    ctx: typer.Context, environment: Environment = None, override_freeze: Override = None
) -> None:
    """Wait for nothing more: everything to the new version, or the end of the old one."""
    from ops.rollout.running import promote as run

    raise typer.Exit(run(ctx.obj, environment, override=override_freeze))


@app.command()
def abort(
    ctx: typer.Context,
    environment: Environment = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "An operator said so.",
) -> None:
    """Take everything back; the weights at once."""
    from ops.rollout.running import abort as run

    raise typer.Exit(run(ctx.obj, environment, reason))
