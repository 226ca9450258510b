"""The command line of `ubertruck mesh`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The mesh: who calls whom, in which shares.", no_args_is_help=True)

Files = Annotated[
    list[Path] | None,
    typer.Argument(help="Files and folders with manifests; k8s/rendered/dev without any."),
]


@app.command()
def validate(files: Files = None) -> None:
    """Say what App Mesh would refuse, or take and then not do; exit code 1 when there is such."""
    from ops.meshing.commands import validate as run

    raise typer.Exit(run(files or []))


@app.command()
def render(
    files: Files = None,
    caller: Annotated[str, typer.Option(help="The virtual node that calls.")] = "edge",
) -> None:
    """Print the routes and clusters that a caller's Envoy is given."""
    from ops.meshing.commands import render as run

    run(files or [], caller)


@app.command()
def diff(old: Path, new: Path) -> None:
    """Compare manifests by their meaning; exit code 1 when they differ."""
    from ops.meshing.commands import diff as run

    raise typer.Exit(run(old, new))


@app.command()
def show(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Draw it once, over one second.")] = False,
) -> None:
    """Draw services, weights, pools and ejections of the running platform until Ctrl-C."""
    from rich.console import Console

    from ops.meshing.show import show as run

    run(ctx.obj, Console(), once=once)
