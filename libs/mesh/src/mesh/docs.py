"""One page that shows several OpenAPI documents, with nothing loaded from elsewhere.

The viewer is Swagger UI as the package `fastapi-offline` brings it; the page around it is ours.
"""

from collections.abc import Sequence
from html import escape
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path
from string import Template

from mesh.description import Description, Document, UrlPath

_VIEWER = (
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("favicon.png", "image/png"),
)
_OURS = (
    ("docs.js", "text/javascript; charset=utf-8"),
    ("docs.css", "text/css; charset=utf-8"),
)
_PAGE_HEADERS = (
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-cache"),
)
_ASSET_HEADERS = (("cache-control", "max-age=3600"),)


class Api(Description):
    """An API to show. `openapi` is the path at the gateway where its OpenAPI document is."""

    name: str
    openapi: UrlPath


def docs_documents(apis: Sequence[Api], *, title: str, path: str = "/docs") -> tuple[Document, ...]:
    """The page at `path` and all that it loads, as documents of the gateway."""
    page = Document(
        path=path,
        content_type="text/html; charset=utf-8",
        text=_page(apis, title, path),
        headers=_PAGE_HEADERS,
    )
    viewer = [_asset(path, _viewer_file(name), kind) for name, kind in _VIEWER]
    ours = [_asset(path, _our_file(name), kind) for name, kind in _OURS]
    return (page, *viewer, *ours)


def _page(apis: Sequence[Api], title: str, path: str) -> str:
    links = [f'<a href="#api-{n}">{escape(api.name)}</a>' for n, api in enumerate(apis)]
    sections = [
        f'<section id="api-{n}"><div data-openapi="{escape(api.openapi)}"></div></section>'
        for n, api in enumerate(apis)
    ]
    template = Template(_our_file("docs.html").read_text())
    return template.substitute(
        title=escape(title), path=path, links="\n".join(links), sections="\n".join(sections)
    )


def _asset(path: str, file: Path, content_type: str) -> Document:
    return Document(
        path=f"{path}/{file.name}", content_type=content_type, file=file, headers=_ASSET_HEADERS
    )


def _viewer_file(name: str) -> Path:
    return Path(str(distribution("fastapi-offline").locate_file(f"fastapi_offline/static/{name}")))


def _our_file(name: str) -> Path:
    return Path(str(files("mesh").joinpath("assets", name)))
