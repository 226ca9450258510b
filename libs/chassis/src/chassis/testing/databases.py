"""Databases for tests: a migrated template for each service, and cheap copies of it."""

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

import chassis
from chassis.provisioning import Roles, administrate, provision, restrict_database, roles_of

PASSWORD = "test"  # noqa: S105 - of databases that live for one test

T = TypeVar("T")


@dataclass(frozen=True)
class TestDatabase:
    """A database of its own, gone after the test. URLs are `postgresql+asyncpg://…`."""

    __test__ = False

    name: str
    url: str
    migrator_url: str
    superuser_url: str


@dataclass(frozen=True)
class Recipe:
    """How a service's database is made: `migrate` gets the migrator's URL.

    Databases made by the same `digest` are the same.
    """

    service: str
    digest: str
    migrate: Callable[[str], Awaitable[None]]


@lru_cache
def alembic_recipe(service: str) -> Recipe:
    """The service's migrations up to the newest."""
    # Alembic is slow to import, and most runs of a part of the tests need no database.
    from chassis.migrations import migrations_folder, upgrade

    async def migrate(url: str) -> None:
        await upgrade(service, url)

    revisions = migrations_folder() / service / "versions"
    return Recipe(service, digest_of(sorted(revisions.glob("*.py"))), migrate)


def digest_of(files: list[Path]) -> str:
    """A digest of these files and of what chassis puts into every database."""
    shared = Path(chassis.__file__).parent
    sources = [*files, *sorted(shared.glob("schema_v*.py")), shared / "provisioning.py"]
    content = b"\0".join(path.read_bytes() for path in sources)
    return hashlib.sha256(content).hexdigest()[:12]


class TestServer:
    """Makes and drops databases, over one connection in a thread with an event loop of its own.

    Its methods block, and so serve synchronous and asynchronous tests alike.
    """

    __test__ = False

    def __init__(self, superuser_url: str) -> None:
        self.superuser_url = superuser_url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        self._templates: dict[tuple[str, str], str] = {}
        self._admin = self._run(self._stack.enter_async_context(administrate(superuser_url)))

    def close(self) -> None:
        """End the connection and the thread."""
        self._run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def ensure_template(self, recipe: Recipe) -> str:
        """The name of the recipe's template, made now if no process has made it before."""
        key = (recipe.service, recipe.digest)
        if key not in self._templates:
            self._templates[key] = self._run(self._ensure_template(recipe))
        return self._templates[key]

    @contextmanager
    def cloned(self, template: str, service: str) -> Generator[TestDatabase]:
        """A fresh copy of the template."""
        name = f"{service}_{uuid4().hex[:16]}"
        self._run(self._clone(template, name, roles_of(service)))
        try:
            yield self._describe(name, roles_of(service))
        finally:
            self._run(_drop(self._admin, name))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _describe(self, name: str, roles: Roles) -> TestDatabase:
        return TestDatabase(
            name=name,
            url=self._url(name, roles.runtime),
            migrator_url=self._url(name, roles.migrator),
            superuser_url=self._url(name),
        )

    def _url(self, database: str, role: str | None = None) -> str:
        url = make_url(self.superuser_url).set(drivername="postgresql+asyncpg", database=database)
        if role is not None:
            url = url.set(username=role, password=PASSWORD)
        return url.render_as_string(hide_password=False)

    async def _ensure_template(self, recipe: Recipe) -> str:
        name = f"template_{recipe.service}_{recipe.digest}"
        # A connection of its own: it may wait seconds for another process that builds.
        async with administrate(self.superuser_url) as builder:
            await builder.exec_driver_sql("SELECT pg_advisory_lock(hashtext($1))", (name,))
            if not await _is_finished(builder, name):
                await self._build(builder, name, recipe)
        return name

    async def _build(self, builder: AsyncConnection, name: str, recipe: Recipe) -> None:
        await _drop(builder, name)
        await provision(
            self.superuser_url,
            recipe.service,
            migrator_password=PASSWORD,
            runtime_password=PASSWORD,
            database=name,
        )
        await recipe.migrate(self._url(name, roles_of(recipe.service).migrator))
        # Also the mark of a finished template; and nobody's connection can block a copy.
        await builder.exec_driver_sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')

    async def _clone(self, template: str, name: str, roles: Roles) -> None:
        await self._admin.exec_driver_sql(
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY '
            f'OWNER "{roles.migrator}"'
        )
        await restrict_database(self._admin, name, roles)


class SharedDatabases:
    """One copy of each service's template, dropped at the end."""

    def __init__(self, server: TestServer) -> None:
        self._server = server
        self._stack = ExitStack()
        self._databases: dict[str, TestDatabase] = {}

    def __enter__(self) -> "SharedDatabases":
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def of(self, recipe: Recipe) -> TestDatabase:
        """The service's database, made at first asking."""
        template = self._server.ensure_template(recipe)
        if template not in self._databases:
            cloned = self._server.cloned(template, recipe.service)
            self._databases[template] = self._stack.enter_context(cloned)
        return self._databases[template]


async def _drop(server: AsyncConnection, name: str) -> None:
    await server.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _is_finished(server: AsyncConnection, template: str) -> bool:
    found = await server.exec_driver_sql(
        "SELECT 1 FROM pg_database WHERE datname = $1 AND NOT datallowconn", (template,)
    )
    return found.first() is not None
