"""Request headers as they came."""

from typing import cast

from starlette.requests import HTTPConnection


def header_values(request: HTTPConnection, name: bytes) -> list[str]:
    """Every value of the header `name` (lower case), in order.

    As `request.headers.getlist`, which takes half as long again: it builds an object first and
    then decodes every name.
    """
    headers = cast("list[tuple[bytes, bytes]]", request.scope["headers"])
    return [value.decode("latin-1") for key, value in headers if key == name]
