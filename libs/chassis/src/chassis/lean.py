"""Routes for hot paths: declared as any other, served without what FastAPI does around an endpoint.

    router = APIRouter(route_class=LeanRoute)

    @router.post("/things", response_model=Thing)
    async def create(body: NewThing, grant: MayCreate, request: Request) -> Response: ...

OpenAPI, errors and the order of checks are the same. An endpoint may ask for one JSON body, for the
request, and for dependencies that are asynchronous and themselves take the request alone; it
returns a `Response`. Anything else is a `TypeError` when the module is imported. What is saved, and
why it is worth a class: docs/decisions/0009-lean-path.md.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.errors import DomainError, InternalError, Invalid, field_errors, problem_response
from chassis.routing import Handler, StrictRequest, StrictRoute, refuse_malformed

Dependency = Callable[[Request], Awaitable[Any]]


class LeanRoute(StrictRoute):
    """A POST that resolves what its endpoint asks for by itself."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self._dependencies: dict[str, Dependency] = {}
        self._request_name: str | None = None
        self._body: tuple[str, TypeAdapter[Any]] | None = None
        if "{" in path:
            raise TypeError(f"{path}: a lean route's path has no parameters.")
        for parameter in inspect.signature(endpoint, eval_str=True).parameters.values():
            self._plan(parameter)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        return self.answer

    async def answer(self, request: Request) -> Response:
        """Serve one request; raises as FastAPI's own handler does."""
        if not isinstance(request, StrictRequest):
            request = StrictRequest(request.scope, request.receive)
        await refuse_malformed(request, reads_json=True)
        values = {name: await call(request) for name, call in self._dependencies.items()}
        if self._request_name is not None:
            values[self._request_name] = request
        if self._body is not None:
            name, adapter = self._body
            values[name] = await _validated(request, adapter)
        return cast(Response, await self.endpoint(**values))

    def _plan(self, parameter: inspect.Parameter) -> None:
        annotation = parameter.annotation
        marks = getattr(annotation, "__metadata__", ())
        depends = [mark for mark in marks if isinstance(mark, Depends)]
        if depends:
            self._dependencies[parameter.name] = _checked(depends[0].dependency)
        elif annotation is Request:
            self._request_name = parameter.name
        elif self._body is None and parameter.default is parameter.empty:
            self._body = (parameter.name, TypeAdapter(annotation))
        else:
            raise TypeError(f"A lean route can't give {parameter.name}.")


class LeanPaths:
    """Middleware that hands requests for lean routes to them, past all that FastAPI does."""

    def __init__(self, app: ASGIApp, *, routes: Sequence[APIRoute]) -> None:
        self._app = app
        self._routes: Mapping[tuple[str, str], LeanRoute] = {
            (method, route.path): route
            for route in routes
            if isinstance(route, LeanRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = (
            self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        )
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        try:
            response = await route.answer(StrictRequest(scope, receive))
        except DomainError as error:
            response = problem_response(error)
        except RequestValidationError as error:
            response = problem_response(Invalid("See errors.", errors=field_errors(error.errors())))
        except Exception:  # as Starlette does: the caller is told, and who counts and logs it too
            await problem_response(InternalError())(scope, receive, send)
            raise
        await response(scope, receive, send)


async def _validated(request: StrictRequest, adapter: TypeAdapter[Any]) -> Any:
    if not await request.body():
        missing = {"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}
        raise RequestValidationError([missing])
    try:
        # As FastAPI validates, so that errors say the same.
        return adapter.validate_python(await request.json(), from_attributes=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError(
            [{**each, "loc": ("body", *each["loc"])} for each in found]
        ) from error


def _checked(dependency: Callable[..., Any] | None) -> Dependency:
    called = dependency if inspect.isfunction(dependency) else getattr(dependency, "__call__", None)  # noqa: B004 - the method is wanted, not whether there is one
    if called is None or not inspect.iscoroutinefunction(called):
        raise TypeError("A lean route's dependencies are asynchronous.")
    parameters = list(inspect.signature(called, eval_str=True).parameters.values())
    if [parameter.annotation for parameter in parameters] != [Request]:
        raise TypeError("A lean route's dependencies take the request alone.")
    return cast(Dependency, dependency)
