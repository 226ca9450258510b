"""Who plays the demo, where, and in which form."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
from rich.console import Console

from ops import api
from ops.asking import url_of
from ops.console import Screen
from ops.demo.facts import Facts
from ops.demo.people import People, log_in
from ops.demo.stages import PlainStage, Stage, live_stage
from ops.demo.standins import StandIns
from ops.demo.story import Story
from ops.services import Layout
from ops.sessions import Sessions
from ops.state import StateFolder

INTERRUPTED = 130


def demo(folder: StateFolder, url: str | None, *, plain: bool) -> int:
    """The exit code; OpsError says why the story can't go on.

    It plays at `url`, or at the platform that runs over `folder`. Only there it can stand in for
    services that are still to come, and knows second factors.
    """
    facts = Facts()
    try:
        with api.client(url or url_of(folder)) as client, _stage(facts, plain=plain) as stage:
            # Whoever isn't there at all is told so at once, and not waited for.
            client.get("/")
            _story(folder, url, client, stage, facts).run()
    except KeyboardInterrupt:
        where = f" at booking {facts.booking_id}" if facts.booking_id else ""
        Screen().say(f"Stopped{where}; what was done stays, and the demo can be run again.")
        return INTERRUPTED
    return 0


def _story(
    folder: StateFolder, url: str | None, client: httpx.Client, stage: Stage, facts: Facts
) -> Story:
    if url is not None:
        return Story(
            people=People(client, partial(log_in, client)),
            stage=stage,
            facts=facts,
            folder=Path(tempfile.mkdtemp(prefix="ubertruck-demo-")),
            stand_ins=None,
        )
    return Story(
        people=People(client, Sessions(folder, str(client.base_url)).access_token),
        stage=stage,
        facts=facts,
        folder=folder.root / "demo",
        stand_ins=StandIns(Layout.remembered(folder).bus_url),
    )


@contextmanager
def _stage(facts: Facts, *, plain: bool) -> Generator[Stage]:
    console = Console()
    if plain or not console.is_terminal:
        yield PlainStage(Screen())
    else:
        with live_stage(facts, console) as stage:
            yield stage
