"""Commands for operators: signing keys, seeds, a new master key.

They work on the database directly, with the service's own settings and role.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NoReturn

from pydantic import ValidationError

from auth_service import rotation
from auth_service.app import open_realm
from auth_service.keys import signing_key
from auth_service.models import SigningKey
from auth_service.realm import Realm
from auth_service.rotation import CannotRetire
from auth_service.seed import CannotSeed, read_seed, seed
from auth_service.settings import AuthSettings
from auth_service.vault import VaultError, new_master_key
from chassis.db import Database, DatabaseUnavailable
from chassis.serve import EXIT_FAILED, EXIT_POINTLESS, fail, settings_sentence

COMMANDS: Final = ("keys", "seed", "new-master-key")

Deed = Callable[[Realm, argparse.Namespace], Awaitable[str]]


def run_command(arguments: Sequence[str]) -> NoReturn:
    """Run a command and exit: 0, or 1 with a sentence that says why not."""
    chosen = _parser().parse_args(arguments)
    if chosen.command == "new-master-key":
        sys.stdout.write(f"{new_master_key()}\n")
        sys.exit(0)
    try:
        settings = AuthSettings()  # pyright: ignore[reportCallIssue] - from the environment
        sys.stdout.write(asyncio.run(_do(settings, chosen)))
    except ValidationError as error:
        fail(settings_sentence(error), EXIT_POINTLESS)
    except DatabaseUnavailable:
        fail("The database can't be reached.", EXIT_FAILED)
    except (VaultError, CannotRetire, CannotSeed) as error:
        fail(str(error), EXIT_FAILED)
    sys.exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m auth_service")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("new-master-key", help="print a line for the master key file")
    seeding = commands.add_parser("seed", help="make what a file names, unless it is there")
    seeding.add_argument("file", type=Path)
    seeding.set_defaults(deed=_seed)
    keys = commands.add_parser("keys", help="the keys that tokens are signed with")
    deeds = keys.add_subparsers(dest="what", required=True)
    deeds.add_parser("list", help="show every key").set_defaults(deed=_list)
    rotating = deeds.add_parser("rotate", help="publish a new key that signs later")
    rotating.add_argument(
        "--activate-in",
        type=_seconds,
        default=rotation.ACTIVATE_IN,
        metavar="SECONDS",
        help="long enough for every verifier to fetch it (default: %(default)s)",
    )
    rotating.set_defaults(deed=_rotate)
    retiring = deeds.add_parser("retire", help="stop believing a key at once")
    retiring.add_argument("kid")
    retiring.set_defaults(deed=_retire)
    return parser


async def _do(settings: AuthSettings, chosen: argparse.Namespace) -> str:
    database = Database.connect(
        settings.database_url.get_secret_value(), name="auth-command", pool_size=1
    )
    try:
        deed: Deed = chosen.deed
        return await deed(open_realm(settings, database), chosen)
    finally:
        await database.dispose()


async def _seed(realm: Realm, chosen: argparse.Namespace) -> str:
    content = read_seed(chosen.file)
    await seed(realm=realm, content=content)
    return (
        f"Seeded: {len(content.tenants)} tenants, {len(content.users)} users,"
        f" {len(content.clients)} service clients are there.\n"
    )


async def _list(realm: Realm, _chosen: argparse.Namespace) -> str:
    keys, now = await rotation.list_keys(realm=realm), realm.clock()
    current = signing_key(keys, now=now)
    return "".join(f"{key.kid}  {_state(key, current, now)}\n" for key in keys)


async def _rotate(realm: Realm, chosen: argparse.Namespace) -> str:
    key = await rotation.rotate(realm=realm, activate_in=chosen.activate_in)
    return f"{key.kid} is published and signs from {_moment(key.activates_at)} on.\n"


async def _retire(realm: Realm, chosen: argparse.Namespace) -> str:
    await rotation.retire(realm=realm, kid=chosen.kid)
    return f"{chosen.kid} is retired; tokens that it signed are refused.\n"


def _state(key: SigningKey, current: SigningKey | None, now: datetime) -> str:
    if not key.is_published(now):
        return f"retired {_moment(key.retires_at or now)}"
    until = "" if key.retires_at is None else f", published until {_moment(key.retires_at)}"
    if key is current:
        return f"signs{until}"
    if key.activates_at > now:
        return f"signs from {_moment(key.activates_at)} on{until}"
    return f"signed before{until}"


def _seconds(text: str) -> timedelta:
    seconds = float(text)
    if not 0 <= seconds <= 86400:
        raise argparse.ArgumentTypeError("from 0 to 86400 seconds")
    return timedelta(seconds=seconds)


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
