"""Row c, the ceiling of the stack: the body is validated as booking does it, and its bytes go back.

No token, no statement, no telemetry: what is left is uvicorn, FastAPI and pydantic.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI, Request, Response

from booking.schemas import BookingRequest
from chassis.db import Database
from chassis.serve import Service, main
from chassis.settings import ServiceSettings

NAME: Final = "bench-echo"


async def echo(request: Request, body: BookingRequest) -> Response:
    """The bytes that came; a body that booking would refuse is refused."""
    del body
    return Response(await request.body(), media_type="application/json")


def create_app(_settings: ServiceSettings, database: Database) -> FastAPI:
    """The application. Only the probe of readiness asks the database anything."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        yield
        await database.dispose()

    app = FastAPI(title="Echo", lifespan=lifespan)
    app.post("/v1/booking")(echo)
    return app


SERVICE: Final = Service(
    name=NAME,
    settings=ServiceSettings,  # pyright: ignore[reportArgumentType] - its fields come from the environment
    app=create_app,
    jobs=lambda _settings, _database: (),
    code_revision=1,
)

if __name__ == "__main__":
    main(SERVICE, ["api"])
