"""The command line: `ubertruck COMMAND`. Each command imports what it needs when it runs."""

import os
import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from ops.errors import OpsError
from ops.meshing.cli import app as mesh_app
from ops.rollout.cli import app as rollout_app
from ops.state import StateFolder

app = typer.Typer(
    help="Runs Ubertruck on this machine and looks after it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
audit_app = typer.Typer(help="The audit of who did what.", no_args_is_help=True)
keys_app = typer.Typer(help="The keys that sign access tokens.", no_args_is_help=True)
events_app = typer.Typer(help="Events that services send and handle.", no_args_is_help=True)
evidence_app = typer.Typer(help="What happened on a trip.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")
app.add_typer(events_app, name="events")
app.add_typer(evidence_app, name="evidence")
app.add_typer(keys_app, name="keys")
app.add_typer(mesh_app, name="mesh")
app.add_typer(rollout_app, name="rollout")


@app.callback()
def common(
    ctx: typer.Context,
    state: Annotated[
        Path, typer.Option(envvar="UBERTRUCK_STATE", help="The folder that holds all data.")
    ] = Path(".ubertruck"),
) -> None:
    """What every command takes."""
    ctx.obj = StateFolder(state.absolute())


As = Annotated[str, typer.Option("--as", help="A demo user, such as shipper or operator.")]
Process = Annotated[str, typer.Argument(help="A process, as `ubertruck status` names it.")]


@app.command()
def up(
    ctx: typer.Context,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where the edge listens; 0 for any free port.")
    ] = 8080,
) -> None:
    """Bring the platform up and stay until Ctrl-C."""
    from ops.console import Screen
    from ops.up import up as run

    raise typer.Exit(run(ctx.obj, port, Screen()))


@app.command()
def down(ctx: typer.Context) -> None:
    """Stop the running platform."""
    from ops.asking import stop_platform

    stop_platform(ctx.obj)


@app.command()
def status(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show every process: state, restarts, memory, port."""
    from ops.asking import show_status

    show_status(ctx.obj, as_json=as_json)


@app.command()
def start(ctx: typer.Context, process: Process) -> None:
    """Start a process that was stopped."""
    from ops.control import call

    call(ctx.obj, "start", name=process)


@app.command()
def stop(ctx: typer.Context, process: Process) -> None:
    """Stop a process until it is started again."""
    from ops.control import call

    call(ctx.obj, "stop", name=process)


@app.command()
def restart(ctx: typer.Context, process: Process) -> None:
    """Stop a process and start it again."""
    from ops.control import call

    call(ctx.obj, "restart", name=process)


@app.command()
def logs(
    ctx: typer.Context,
    process: Annotated[
        str | None, typer.Argument(help="A process, or the first part of its name.")
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="So many from the end.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Show what processes print."""
    from ops.showlogs import show

    show(ctx.obj, process, lines=lines, follow=follow)


@app.command()
def token(ctx: typer.Context, alias: As = "shipper") -> None:
    """Print an access token of a demo user."""
    from ops.asking import sessions_of
    from ops.people import find

    print(sessions_of(ctx.obj).access_token(find(alias)))


@app.command()
def code(ctx: typer.Context, alias: As) -> None:
    """Print a code of a demo user's second factor, for POST /auth/mfa."""
    from ops.asking import sessions_of
    from ops.people import find

    print(sessions_of(ctx.obj).code(find(alias)))


@app.command()
def demo(
    ctx: typer.Context,
    url: Annotated[
        str | None, typer.Option(help="A platform elsewhere; the running one otherwise.")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Lines instead of a picture, also on a terminal.")
    ] = False,
    curl: Annotated[
        bool, typer.Option("--curl", help="Only book, and show each request as a curl line.")
    ] = False,
) -> None:
    """Follow one booking and the trips of its three trucks to the end."""
    if curl:
        from ops.demo.walk import walk

        walk(ctx.obj, url)
        return
    from ops.demo.run import demo as run

    raise typer.Exit(run(ctx.obj, url, plain=plain))


@app.command()
def backup(ctx: typer.Context, file: Path) -> None:
    """Write databases and secrets to FILE. The platform may run meanwhile."""
    from ops.backup import backup as write
    from ops.memory import MIB

    size = write(ctx.obj, file.absolute())
    print(f"{file}: {size / MIB:.1f} MiB. It holds the master key: keep it as safe as the data.")


@app.command()
def restore(
    ctx: typer.Context,
    file: Path,
    force: Annotated[bool, typer.Option(help="Replace the data that are there.")] = False,
) -> None:
    """Make the data folder out of a backup. The platform mustn't run."""
    from ops.restore import restore as read

    read(ctx.obj, file.absolute(), force=force)
    print(f"{ctx.obj.root} holds what {file} held.")


@app.command()
def permissions() -> None:
    """Print who may do what."""
    from contracts.permissions import as_markdown

    print(as_markdown())


@audit_app.command("verify")
def verify_audit(ctx: typer.Context) -> None:
    """Recompute the chain of every service's audit; exit code 1 when one is broken."""
    from ops.audit import show

    raise typer.Exit(show(ctx.obj))


@evidence_app.command("verify")
def verify_evidence(
    file: Annotated[str, typer.Argument(help="What GET /v1/trips/ID/evidence gave; - for stdin.")],
    head: Annotated[
        str | None,
        typer.Option(help="A digest that has to be in it, as on the trip's lorry receipt."),
    ] = None,
) -> None:
    """Recompute the evidence of a trip; needs no platform.

    Exit code 0 when it is what was written, 1 when something was changed, 2 when it can't be read.
    """
    from ops.evidence import show

    raise typer.Exit(show(file, known=head))


@events_app.command("list")
def list_events(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(help="Who sent them.")] = "booking",
    type: Annotated[str | None, typer.Option(help="A part of the type.")] = None,
    subject: Annotated[str | None, typer.Option(help="What they are about: an id.")] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those not published.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")] = 20,
) -> None:
    """Show the newest events of a service's outbox."""
    from ops.events import list_sent

    list_sent(ctx.obj, service, type=type, subject=subject, waiting=waiting, limit=limit)


@events_app.command("dead")
def dead_events(
    ctx: typer.Context,
    letter: Annotated[UUID | None, typer.Argument(help="One of them, whole.")] = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="Also those done with.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many a service.")] = 50,
) -> None:
    """Show dead letters: events that could not be handled or published."""
    from ops.events import list_dead, show_dead

    if letter is None:
        list_dead(ctx.obj, resolved=resolved, limit=limit)
    else:
        show_dead(ctx.obj, letter)


@events_app.command("replay")
def replay_events(
    ctx: typer.Context,
    letters: Annotated[list[UUID], typer.Argument(help="Dead letters, as `events dead` shows.")],
) -> None:
    """Let the worker try dead letters again; exit code 1 when some are not open.

    One that was too old is handled even if it may have been handled before.
    """
    from ops.events import replay

    raise typer.Exit(replay(ctx.obj, letters))


@keys_app.command("rotate")
def rotate_keys(ctx: typer.Context) -> None:
    """Publish a new signing key, which signs once every service knows it."""
    from ops.signing_keys import rotate

    rotate(ctx.obj)


def main() -> None:
    """The entry of the command `ubertruck`."""
    # What we and our children make is nobody else's business.
    os.umask(0o077)
    try:
        app()
    except OpsError as error:
        print(f"ubertruck: {error}", file=sys.stderr)
        sys.exit(error.code)
