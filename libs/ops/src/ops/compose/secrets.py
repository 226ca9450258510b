"""Secrets of a composed platform: made once, each handed only to the containers that need it."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.compose import layout
from ops.credentials import Credentials, ensure
from ops.seeds import content
from ops.services import AUTH, BUS, DATABASES, SERVICES, Service, roles_of
from ops.state import StateFolder, write_atomically


@dataclass(frozen=True, kw_only=True)
class Volume:
    """What one volume holds: `files` by name, for the user `owner` alone."""

    name: str
    owner: int
    files: Mapping[str, str]


def credentials(folder: StateFolder) -> Credentials:
    """All of them; those that are missing are made now."""
    roles = [layout.SUPERUSER, *(role for name in DATABASES for role in roles_of(name))]
    clients = [service.client for service in SERVICES if service.client is not None]
    return ensure(folder, roles=roles, clients=clients)


def volumes(folder: StateFolder) -> Iterator[Volume]:
    """Who gets what. A service's processes never see what its migrator logs in with."""
    made = credentials(folder)
    password = made.database[layout.SUPERUSER]
    yield Volume(name="postgres", owner=layout.POSTGRES, files={"password": password})
    people = json.dumps(content(folder, made.client_secret_files))
    yield Volume(name="people", owner=layout.OURS, files={"seed.json": people})
    for service in SERVICES:
        migrator, runtime = service.database_roles
        for name, role, more in (
            (f"{service.virtual}-migrator", migrator, {}),
            (service.virtual, runtime, _of_processes(service, made)),
        ):
            url = layout.database_url(role, made.database[role], service.name)
            files = {"ubertruck_database_url": url, **more}
            yield Volume(name=name, owner=layout.OURS, files=files)


def _of_processes(service: Service, made: Credentials) -> dict[str, str]:
    files: dict[str, str] = {}
    if service.has_events:
        role = roles_of(BUS)[1]
        files["ubertruck_bus_url"] = layout.database_url(role, made.database[role], BUS)
    if service.client is not None:
        files["client-secret"] = made.client_secret_files[service.client].read_text().strip()
    if service is AUTH:
        files["auth-master-key"] = made.master_key_file.read_text().strip()
    return files


def hand_out(folder: StateFolder, root: Path) -> None:
    """Write every volume's files into the folder below `root` that has its name."""
    for volume in volumes(folder):
        place = root / volume.name
        place.mkdir(parents=True, exist_ok=True)
        for name, text in volume.files.items():
            write_atomically(place / name, text.encode() + b"\n")
        give(place, volume.owner)
    give(folder.root, layout.OURS)


def give(folder: Path, owner: int) -> None:
    """Let a folder and everything in it belong to a user, if we may say so."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, owner)
