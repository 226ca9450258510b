"""Which of a gateway route's requests a mesh route takes, when one Envoy plays both of them."""

import re

from mesh.appmesh.routers import HttpMatch
from mesh.dataplane.splits import conditions
from mesh.description import Route
from mesh.proto import Json


def narrowed(route: Route, match: HttpMatch) -> Json | None:
    """What a request of `route` has to fulfil besides, for `match`; None when none of them does."""
    exact = route.rewrite or route.path
    if exact is not None:
        # Its path is known, and is another one by the time that the mesh sees it.
        return conditions(match) if _takes(match, exact) else None
    prefix = route.prefix or "/"
    if match.prefix is not None and prefix.startswith(match.prefix):
        return conditions(match)
    if match.prefix is not None and not match.prefix.startswith(prefix):
        return None
    return conditions(match, {"name": ":path", "string_match": _path(match)})


def _takes(match: HttpMatch, path: str) -> bool:
    if match.path is None:
        return path.startswith(match.prefix or "/")
    if match.path.exact is not None:
        return path == match.path.exact
    return re.fullmatch(match.path.regex or "", path) is not None


def _path(match: HttpMatch) -> Json:
    """The path as a header, in which the query stands too."""
    if match.path is None:
        return {"prefix": match.prefix}
    expression = match.path.regex if match.path.exact is None else re.escape(match.path.exact)
    return {"safe_regex": {"regex": rf"(?:{expression})(?:\?.*)?"}}
