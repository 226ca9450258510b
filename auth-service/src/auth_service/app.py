"""Where auth-service is wired together."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from auth_service.endpoints import ROUTERS
from auth_service.hashing import Hasher
from auth_service.housekeeping import clearing
from auth_service.keys import SigningKeys
from auth_service.realm import Clock, Realm, utc_now
from auth_service.settings import AuthSettings, auth_settings
from auth_service.vault import Vault
from chassis import app as chassis_app
from chassis.audit_anchor import FileAnchor
from chassis.db import Database
from chassis.partitions import maintain_partitions
from chassis.sealer import Sealer
from chassis.settings import ServiceSettings
from chassis.worker import Job
from contracts.permissions import OPEN_SCOPES

_SEAL_SECONDS: Final = 1.0
_UPKEEP_SECONDS: Final = 600.0


def create_app(settings: ServiceSettings, database: Database, *, clock: Clock = utc_now) -> FastAPI:
    """The application. It reads the master key when it starts."""
    own = auth_settings(settings)
    keys = SigningKeys(database, clock=clock)

    @asynccontextmanager
    async def realm() -> AsyncGenerator[None]:
        app.state.realm = open_realm(own, database, keys=keys, clock=clock)
        yield

    app = chassis_app.create_app(
        name="auth",
        title="Ubertruck auth-service",
        description="Who somebody is, and the tokens that say so.",
        settings=own,
        database=database,
        routers=ROUTERS,
        open_scopes=OPEN_SCOPES,
        keys=keys,
        resources=[realm],
    )
    return app


def create_jobs(settings: ServiceSettings, database: Database) -> Sequence[Job]:
    """What the worker does: seal the audit, make tomorrow's partitions, clear away."""
    sealer = Sealer(database, anchor=FileAnchor.within(settings.state_dir, "auth"))
    clear = clearing(database, clock=utc_now)
    return [
        Job(name="seal-audit", interval=_SEAL_SECONDS, run=sealer.run),
        Job(
            name="maintain-partitions",
            interval=_UPKEEP_SECONDS,
            run=lambda: maintain_partitions(database),
        ),
        Job(name="clear-away", interval=_UPKEEP_SECONDS, run=clear),
    ]


def open_realm(
    settings: AuthSettings,
    database: Database,
    *,
    keys: SigningKeys | None = None,
    clock: Clock = utc_now,
) -> Realm:
    """The realm over a database; raises VaultError when the master key can't be used."""
    return Realm(
        settings=settings,
        database=database,
        vault=Vault.from_file(settings.master_key_file),
        hasher=Hasher(
            memory_kib=settings.argon2_memory_kib,
            rounds=settings.argon2_rounds,
            at_once=settings.argon2_at_once,
        ),
        keys=keys or SigningKeys(database, clock=clock),
        clock=clock,
    )
