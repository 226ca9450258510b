"""The one place where config-service is put together."""

from collections.abc import Sequence
from typing import Final

from fastapi import FastAPI

from chassis.app import create_app as assemble
from chassis.audit_anchor import FileAnchor
from chassis.audit_rows import Audited
from chassis.db import Database
from chassis.partitions import maintain_partitions
from chassis.sealer import Sealer
from chassis.settings import ServiceSettings
from chassis.tokens import KeySource
from chassis.worker import Job
from config_service.endpoints import router
from contracts.permissions import OPEN_SCOPES

AUDIT: Final = Audited(table="configuration_audit", key="audit_id")
SEAL_SECONDS: Final = 1.0
UPKEEP_SECONDS: Final = 3600.0


def create_app(
    settings: ServiceSettings, database: Database, *, keys: KeySource | None = None
) -> FastAPI:
    """config-service over this database."""
    return assemble(
        name="config-service",
        title="Configuration",
        description="Values that change while services run: versioned, checked, approved, audited.",
        settings=settings,
        database=database,
        routers=[router],
        open_scopes=OPEN_SCOPES,
        keys=keys,
    )


def create_jobs(settings: ServiceSettings, database: Database) -> Sequence[Job]:
    """What the worker does: seal the audit, keep partitions."""
    anchor = FileAnchor.within(settings.state_dir, "config")
    sealer = Sealer(database, anchor=anchor, audited=AUDIT)

    async def upkeep() -> bool:
        return await maintain_partitions(database)

    return [
        Job(name="seal-audit", interval=SEAL_SECONDS, run=sealer.run),
        Job(name="maintain-partitions", interval=UPKEEP_SECONDS, run=upkeep),
    ]
