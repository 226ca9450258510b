"""The one place where row d is put together."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final, cast

from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import async_sessionmaker

from bench.subjects.usual.endpoints import router
from bench.subjects.usual.security import TokenCheck
from booking.distance import GreatCircle
from booking.service import Pricer
from booking.settings import booking_settings
from booking.tariff import PRICING, ConfigSource, Tariffs
from chassis.access import AccessPolicy
from chassis.client_credentials import ClientCredentials
from chassis.config_client import ConfigClient
from chassis.db import Database, DatabaseUnavailable, is_passing
from chassis.errors import DomainError, problem_response
from chassis.keys import RemoteKeys
from chassis.settings import ServiceSettings
from chassis.tokens import KeySource
from contracts.permissions import OPEN_SCOPES

NAME: Final = "bench-usual"


def create_app(
    settings: ServiceSettings,
    database: Database,
    *,
    keys: KeySource | None = None,
    source: ConfigSource | None = None,
) -> FastAPI:
    """Bookings over this database; `keys` and `source` stand in for the other services."""
    own = booking_settings(settings)
    resources: list[Callable[[], AbstractAsyncContextManager[object]]] = []
    if keys is None:
        keys = remote = RemoteKeys(own.jwks_url, copy=own.state_dir / "jwks.json")
        resources.append(lambda: _refreshed(remote))
    if source is None:
        source = client = _config_client(own)
        resources.append(lambda: client.running(PRICING))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.dispose)
            for resource in resources:
                await stack.enter_async_context(resource())
            yield

    app = FastAPI(title="Booking the usual way", lifespan=lifespan)
    app.include_router(router)
    app.add_exception_handler(DomainError, _refuse)
    app.add_exception_handler(DBAPIError, _explain)
    app.add_exception_handler(PoolTimeout, _explain)
    app.state.sessions = async_sessionmaker(database.engine, expire_on_commit=False)
    app.state.pricer = Pricer(
        tariffs=Tariffs(source), distance=GreatCircle(road_factor=own.road_factor)
    )
    app.state.token_check = TokenCheck(
        keys=keys,
        policy=AccessPolicy(OPEN_SCOPES),
        issuer=own.token_issuer,
        audience=own.token_audience,
    )
    return app


@asynccontextmanager
async def _refreshed(keys: RemoteKeys) -> AsyncGenerator[None]:
    await keys.start()
    try:
        yield
    finally:
        await keys.stop()


def _config_client(settings: ServiceSettings) -> ConfigClient:
    # As booking, whose pricing it is.
    return ConfigClient(
        settings.config_url,
        service="booking",
        environment=settings.environment,
        token=ClientCredentials.from_settings(settings),
        cache_dir=settings.state_dir,
    )


async def _refuse(_request: Request, error: Exception) -> Response:
    return problem_response(cast(DomainError, error))


async def _explain(_request: Request, error: Exception) -> Response:
    if not is_passing(error):
        raise error
    return problem_response(DatabaseUnavailable())
