"""A service as small as can be, run as a process by tests: `python -m`-like, by its path."""

import asyncio
import sys
from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from sqlalchemy import text

from chassis.app import create_app
from chassis.db import Database, Session
from chassis.routing import StrictRoute
from chassis.serve import Service, main
from chassis.settings import ServiceSettings
from chassis.testing.issuer import Issuer
from chassis.worker import Job

router = APIRouter(route_class=StrictRoute)


@router.get("/slow")
async def slow(seconds: float) -> dict[str, bool]:
    await asyncio.sleep(seconds)
    return {"done": True}


@router.get("/database")
async def database_answer(session: Session) -> dict[str, int]:
    return {"answer": (await session.execute(text("SELECT 42"))).scalar_one()}


def app(settings: ServiceSettings, database: Database) -> FastAPI:
    return create_app(
        name="sample",
        title="Sample",
        description="",
        settings=settings,
        database=database,
        routers=[router],
        open_scopes={},
        keys=Issuer(),
    )


def jobs(_settings: ServiceSettings, database: Database) -> Sequence[Job]:
    async def ping() -> bool:
        await database.ping()
        return False

    return [Job(name="ping", interval=0.05, run=ping)]


if __name__ == "__main__":
    main(
        Service(
            name="sample",
            settings=lambda: ServiceSettings.model_validate({}),
            app=app,
            jobs=jobs,
            code_revision=1,
        ),
        sys.argv[1:],
    )
