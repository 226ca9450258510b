"""`ubertruck restore`: make the platform of a backup out of its file.

Everything is built beside the present data, in the folder `restoring`. Only when it is whole, which
a file in it says, does it take the place of what was there, piece by piece. Killed before that, a
restore has changed nothing; killed after, it is finished at the next start.
"""

import asyncio
from pathlib import Path

from chassis.db import Database
from chassis.events import publish_again
from chassis.provisioning import provision
from chassis.sealer import note_restore
from ops import archive, audit, database, stale
from ops.backup import ANCHORS, DATABASES, SECRETS, run_tool, started
from ops.errors import OpsError
from ops.replacing import replace_if_whole, say_whole, site_of
from ops.services import SERVICES, Layout, Service
from ops.state import StateFolder


def restore(folder: StateFolder, source: Path, *, force: bool) -> None:
    """Replace what `folder` holds by what the backup holds; OpsError leaves all as it was.

    Data that are there are only replaced with `force`. The platform mustn't run.
    """
    folder.prepare()
    with folder.lock():
        stale.end_leftovers(folder)
        database.server_of(folder, None).stop()
        replace_if_whole(folder)
        if folder.postgres.exists() and not force:
            raise OpsError(f"{folder.root} holds data already. Replace them with --force.", code=2)
        site = site_of(folder)
        try:
            asyncio.run(_build(site, source, folder))
            say_whole(site)
        finally:
            replace_if_whole(folder)


async def _build(site: StateFolder, source: Path, present: StateFolder) -> None:
    site.prepare()
    unpacked = site.run
    _require_whole(source, archive.read(source, unpacked))
    site.secrets.rmdir()
    (unpacked / SECRETS).rename(site.secrets)
    server = database.server_of(site, None)
    await database.in_thread(server.initialise)
    with started(server):
        layout = Layout.of(site, {database.NAME: server.port or 0})
        layout.prepare_folders()
        for service in SERVICES:
            await _make_database(layout, service, server.superuser_url())
            dump = unpacked / DATABASES / f"{service.name}.dump"
            run_tool(server, "pg_restore", "--exit-on-error", f"--dbname={service.name}", str(dump))
            await _settle(layout, service, unpacked, present)


def _require_whole(source: Path, members: list[str]) -> None:
    wanted = [f"{DATABASES}/{service.name}.dump" for service in SERVICES]
    wanted += [f"{SECRETS}/{name}" for name in ("database.json", "auth-master-key")]
    for name in wanted:
        if name not in members:
            raise archive.BadArchive(f"{source} holds no {name}.")


async def _make_database(layout: Layout, service: Service, superuser: str) -> None:
    migrator, runtime = (layout.credentials.database[role] for role in service.database_roles)
    await provision(superuser, service.name, migrator_password=migrator, runtime_password=runtime)


async def _settle(layout: Layout, service: Service, unpacked: Path, present: StateFolder) -> None:
    """Keep the longer anchor of the same audit, and note that the database went back.

    The bus starts empty, so what was published of late is published again.
    """
    name = f"audit-anchor-{service.name}.log"
    ours = _content(present.service(service.name) / name)
    theirs = _content(unpacked / ANCHORS / service.name / name)
    kept = ours if ours.startswith(theirs) else theirs
    (layout.folder.service(service.name) / name).write_bytes(kept)
    database = Database.connect(layout.database_url(service), name="restore", pool_size=1)
    try:
        await note_restore(database, audit.anchor_of(layout, service))
        await publish_again(database)
    finally:
        await database.dispose()


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
