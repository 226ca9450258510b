"""The database: one request, one transaction, committed before the answer leaves.

A service declares its tables on a base of its own:

    class Base(DeclarativeBase):
        metadata = new_metadata()
        type_annotation_map = COLUMN_TYPES

Endpoints ask for `Session`; nobody but this module commits. Raising means rollback.
"""

import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from datetime import datetime
from typing import Annotated, Any, Protocol, cast

import asyncpg
from fastapi import Depends
from sqlalchemy import DateTime, MetaData, Uuid, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from starlette.requests import Request

from chassis.errors import Unavailable

POOL_SIZE = 5
POOL_TIMEOUT_SECONDS = 5.0
CONNECT_TIMEOUT_SECONDS = 3.0
COMMAND_TIMEOUT_SECONDS = 15.0

COLUMN_TYPES: dict[Any, Any] = {datetime: DateTime(timezone=True), uuid.UUID: Uuid()}

# SQLSTATEs that pass by themselves: connections refused or ended, no room, deadlocks, long locks.
PASSING_STATES = ("08", "53", "57P", "40", "55P03")
_SESSION_KEY = "chassis.session"


class DatabaseUnavailable(Unavailable):
    """The database can't be reached, or has no room for this request."""

    type = "database-unavailable"
    title = "The database is not available"


def new_metadata() -> MetaData:
    """Metadata whose constraints have predictable names, so that migrations can speak of them."""
    return MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Driver(Protocol):
    """What is used of asyncpg's own connection."""

    def is_closed(self) -> bool: ...

    def terminate(self) -> None:
        """Close it without a word to the server."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """A transaction, or inside of one a savepoint."""
        ...

    async def execute(self, query: str, *values: object) -> str: ...

    async def fetch(self, query: str, *values: object) -> Sequence[Mapping[Any, Any]]: ...


class Database:
    """One service's database as its runtime role sees it."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        engine: AsyncEngine,
        connect: Callable[[], AbstractAsyncContextManager[AsyncConnection]],
    ) -> None:
        self._sessions = sessions
        self._connect = connect
        self.engine = engine

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        name: str,
        pool_size: int = POOL_SIZE,
        settings: Mapping[str, str] | None = None,
    ) -> "Database":
        """A pool over `url` (`postgresql+asyncpg://…`). Connects at first use, not here.

        `settings` are set at the server for every connection, besides those that all have.
        """
        engine = _create_engine(url, name=name, pool_size=pool_size, settings=settings or {})
        return cls(async_sessionmaker(engine, expire_on_commit=False), engine, engine.connect)

    @classmethod
    def on_connection(cls, connection: AsyncConnection) -> "Database":
        """Every transaction becomes a savepoint of `connection`'s own: what a test rolls back."""
        sessions = async_sessionmaker(
            bind=connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )

        @asynccontextmanager
        async def joined() -> AsyncGenerator[AsyncConnection]:
            # SQLAlchemy sends BEGIN with its first statement; without it the driver's would commit.
            await connection.execute(text("SELECT 1"))
            yield connection

        return cls(sessions, connection.engine, joined)

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[AsyncSession]:
        """A session in one transaction: committed at the end, rolled back when the body raises.

        Raises `DatabaseUnavailable` when the database is away or has no room.
        """
        try:
            async with self._sessions.begin() as session:
                yield session
        except (DBAPIError, PoolTimeout) as error:
            if is_passing(error):
                raise DatabaseUnavailable from error
            raise

    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[Driver]:
        """A pooled connection without SQLAlchemy in between, for the few paths where that counts.

        Its JSONB codec is SQLAlchemy's still: a parameter is JSON text, a result a Python value.
        Raises `DatabaseUnavailable` when there is none to be had; afterwards what asyncpg raises.
        """
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self._connect())
                raw = await connection.get_raw_connection()
            except (DBAPIError, PoolTimeout) as error:
                raise DatabaseUnavailable from error
            driver = cast(Driver, raw.driver_connection)
            try:
                yield driver
            finally:
                if driver.is_closed():
                    await connection.invalidate()

    async def ping(self) -> None:
        """Raise `DatabaseUnavailable` unless the database answers."""
        async with self.begin() as session:
            await session.execute(text("SELECT 1"))

    async def dispose(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()


def is_passing(error: Exception) -> bool:
    """Whether trying again later may help: the database is away, full, or chose us as a victim."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = cast("str | None", getattr(error.orig, "sqlstate", None))
    return state is not None and state.startswith(PASSING_STATES)


async def open_session(request: Request) -> AsyncSession:
    """The request's session, opened at first asking and committed after the endpoint returns.

    FastAPI closes the function stack before it sends the response, so a commit that fails
    becomes an error and not a false success.
    """
    session = cast("AsyncSession | None", request.scope.get(_SESSION_KEY))
    if session is None:
        stack = cast(AsyncExitStack, request.scope["fastapi_function_astack"])
        database = cast(Database, request.app.state.runtime.database)
        session = await stack.enter_async_context(database.begin())
        request.scope[_SESSION_KEY] = session
    return session


Session = Annotated[AsyncSession, Depends(open_session, scope="function")]


def _create_engine(
    url: str, *, name: str, pool_size: int, settings: Mapping[str, str]
) -> AsyncEngine:
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

    async def connect() -> Any:
        try:
            # asyncpg's own annotations are partial.
            return await cast(Any, asyncpg).connect(
                dsn,
                timeout=CONNECT_TIMEOUT_SECONDS,
                command_timeout=COMMAND_TIMEOUT_SECONDS,
                server_settings={
                    "application_name": name,
                    "statement_timeout": "10s",
                    "lock_timeout": "5s",
                    "idle_in_transaction_session_timeout": "30s",
                    "TimeZone": "UTC",
                    **settings,
                },
            )
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DatabaseUnavailable from error

    engine = create_async_engine(
        url,
        async_creator=connect,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        # The connection that was used last has its statements prepared.
        pool_use_lifo=True,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
    # asyncpg knows at once that its socket is gone, so a restarted server costs no failed request
    # and a living one no round trip, which `pool_pre_ping` would.
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError
