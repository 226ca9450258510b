"""What containers of the image `ops` run: `python -m ops.compose prepare | databases | ...`."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping

from chassis.bus import BusUnavailable
from chassis.postgres_bus import PostgresBus
from ops import first_values
from ops.compose import databases, gateway, layout, payment, secrets
from ops.errors import OpsError
from ops.plane import read_manifests
from ops.services import AUTH, BUS, CONFIG, roles_of
from ops.signals import caught
from ops.state import StateFolder
from ops.tasks import first_of

PAUSE_SECONDS = 1.0


def prepare(folder: StateFolder) -> None:
    """Make the secrets and hand them out; write what both Envoys read."""
    folder.prepare()
    secrets.hand_out(folder, layout.SECRETS)
    gateway.write_edge(layout.EDGE)
    gateway.write_mesh(layout.MESH, read_manifests())
    for place in (layout.EDGE, layout.MESH):
        secrets.give(place, layout.ENVOY)


def make_databases(folder: StateFolder) -> None:
    """Make roles and databases."""
    asyncio.run(databases.make(folder))


def put_values(folder: StateFolder) -> None:
    """Put in the first prices."""
    auth, config = (layout.api(service) for service in (AUTH, CONFIG))
    first_values.put_unless_there(
        folder,
        auth_url=f"http://{auth.host}:{auth.port}",
        config_url=f"http://{config.host}:{config.port}",
    )


def pay(folder: StateFolder) -> None:
    """Answer in payment's place until told to stop."""
    role = roles_of(BUS)[1]
    url = layout.database_url(role, secrets.credentials(folder).database[role], BUS)
    asyncio.run(_pay(url))


async def _pay(url: str) -> None:
    with caught(lambda: None) as stop:
        async with PostgresBus.connect(url, name=payment.QUEUE) as bus:
            await first_of(_answer_always(bus), stop.wait())


async def _answer_always(bus: PostgresBus) -> None:
    while True:
        try:
            await payment.answer(bus)
        except BusUnavailable:
            await asyncio.sleep(PAUSE_SECONDS)


COMMANDS: Mapping[str, Callable[[StateFolder], None]] = {
    "prepare": prepare,
    "databases": make_databases,
    "values": put_values,
    "payment": pay,
}


def main() -> None:
    """Run one of them; what goes wrong is one sentence, and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m ops.compose")
    parser.add_argument("command", choices=COMMANDS)
    chosen = parser.parse_args()
    try:
        COMMANDS[chosen.command](StateFolder(layout.STATE))
    except OpsError as error:
        print(f"{chosen.command}: {error}", file=sys.stderr)
        sys.exit(error.code)


if __name__ == "__main__":
    main()
