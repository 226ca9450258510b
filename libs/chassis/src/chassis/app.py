"""`create_app`: how every service's FastAPI application is put together."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException  # noqa: TID251 - Starlette raises it; rendered here
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from chassis.access import AccessPolicy
from chassis.db import Database, DatabaseUnavailable, is_passing
from chassis.errors import (
    DomainError,
    InternalError,
    Invalid,
    Problem,
    field_errors,
    problem_response,
)
from chassis.keys import RemoteKeys
from chassis.lean import LeanPaths
from chassis.routing import StrictRoute
from chassis.settings import ServiceSettings
from chassis.telemetry import TelemetryMiddleware, tracer_provider
from chassis.tokens import KeySource, TokenVerifier

Resource = Callable[[], AbstractAsyncContextManager[object]]


@dataclass(frozen=True, slots=True)
class Runtime:
    """What requests of one process share; `request.app.state.runtime`."""

    settings: ServiceSettings
    database: Database
    verifier: TokenVerifier
    policy: AccessPolicy
    routes: tuple[APIRoute, ...]


def create_app(
    *,
    name: str,
    title: str,
    description: str,
    settings: ServiceSettings,
    database: Database,
    routers: Sequence[APIRouter],
    open_scopes: Mapping[str, str],
    keys: KeySource | None = None,
    resources: Sequence[Resource] = (),
) -> FastAPI:
    """An application with our errors, limits, telemetry and token checks.

    `keys` defaults to the published keys of auth-service. `resources` are entered at start, in
    order, and left at the end (background refreshes, clients). Nothing is opened before start.
    """
    remote = RemoteKeys(settings.jwks_url, copy=settings.state_dir / "jwks.json")
    source: KeySource = keys or remote
    provider = tracer_provider(name, endpoint=settings.otlp_endpoint)
    verifier = TokenVerifier(source, issuer=settings.token_issuer, audience=settings.token_audience)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, provider.shutdown)
            stack.push_async_callback(database.dispose)
            if keys is None:
                await remote.start()
                stack.push_async_callback(remote.stop)
            for resource in resources:
                await stack.enter_async_context(resource())
            yield

    app = _Application(
        title=title,
        description=description,
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        # A path with a slash too many is another path; a redirect would name our host.
        redirect_slashes=False,
        # Not by include_router, which would build each route a second time, at the first request.
        routes=[route for router in routers for route in router.routes],
        # TelemetryMiddleware does what FastAPI's would, for less.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    routes = tuple(route for router in routers for route in _strict_routes(router))
    app.state.runtime = Runtime(settings, database, verifier, AccessPolicy(open_scopes), routes)
    _add_error_handlers(app)
    app.around = lambda ordinary: TelemetryMiddleware(
        LeanPaths(ordinary, routes=routes),
        provider=provider,
        ratio=settings.trace_ratio,
    )
    _publish_problem_schema(app)
    return app


class _Application(FastAPI):
    """FastAPI with middleware of ours `around` it.

    What `add_middleware` adds stands behind three layers of FastAPI's own.
    """

    around: Callable[[ASGIApp], ASGIApp]

    def build_middleware_stack(self) -> ASGIApp:
        return self.around(super().build_middleware_stack())


def runtime_of(request: Request) -> Runtime:
    """The `Runtime` of the application that serves `request`."""
    return cast(Runtime, request.app.state.runtime)


def _strict_routes(router: APIRouter) -> list[APIRoute]:
    routes = [route for route in router.routes if isinstance(route, APIRoute)]
    for route in routes:
        if not isinstance(route, StrictRoute):
            raise TypeError(f"{route.path} must stand on a router with route_class=StrictRoute.")
    return routes


def _add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(DomainError, _on_domain_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(DBAPIError, _on_database_error)
    app.add_exception_handler(PoolTimeout, _on_database_error)
    app.add_exception_handler(Exception, _on_unforeseen)


async def _on_domain_error(_request: Request, error: Exception) -> Response:
    return problem_response(cast(DomainError, error))


async def _on_validation_error(_request: Request, error: Exception) -> Response:
    errors = cast(RequestValidationError, error).errors()
    return problem_response(Invalid("See errors.", errors=field_errors(errors)))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    raised = cast(HTTPException, error)
    headers = dict(raised.headers or {})
    if raised.status_code == 405:
        headers["Allow"] = _allowed_methods(request)
    slugs = {
        400: ("bad-request", "Bad request"),
        404: ("not-found", "Not found"),
        405: ("method-not-allowed", "Method not allowed"),
    }
    slug, title = slugs.get(raised.status_code, ("http-error", raised.detail))
    kind = type(
        "RaisedByFramework",
        (DomainError,),
        {"status": raised.status_code, "type": slug, "title": title},
    )
    return problem_response(kind(headers=headers))


def _allowed_methods(request: Request) -> str:
    # Starlette names the methods of the first route of a path, and a path may have several routes.
    path = cast(str, request.scope["path"])
    matching = (route for route in runtime_of(request).routes if route.path_regex.match(path))
    return ", ".join(sorted({method for route in matching for method in route.methods or ()}))


async def _on_database_error(request: Request, error: Exception) -> Response:
    if is_passing(error):
        return problem_response(DatabaseUnavailable())
    return await _on_unforeseen(request, error)


async def _on_unforeseen(_request: Request, _error: Exception) -> Response:
    return problem_response(InternalError())


def _publish_problem_schema(app: FastAPI) -> None:
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs", {}))
            schemas["Problem"] = problem
        _describe_validation(document)
        return document

    app.openapi = openapi


def _describe_validation(document: dict[str, Any]) -> None:
    # FastAPI documents its own 422 body; ours is a problem document.
    reference = {"$ref": "#/components/schemas/Problem"}
    for operations in document.get("paths", {}).values():
        for operation in operations.values():
            answer = operation.get("responses", {}).get("422")
            if answer and "application/json" in answer.get("content", {}):
                answer["content"] = {"application/problem+json": {"schema": reference}}
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
