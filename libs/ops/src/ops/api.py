"""Requests to a running platform from the command line, with problems turned into sentences."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import cast

import httpx

from ops.errors import OpsError

TIMEOUT = 20.0
# What says that somebody on the way, or at its end, is away for a moment.
AWAY = (502, 503, 504)
PAUSE = 0.25


@contextmanager
def client(url: str, transport: httpx.BaseTransport | None = None) -> Generator[httpx.Client]:
    """A client of the platform at `url`; OpsError when it can't be reached."""
    try:
        with httpx.Client(
            base_url=url, transport=transport, timeout=TIMEOUT, trust_env=False
        ) as opened:
            yield opened
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise OpsError(
            f"The platform at {url} doesn't answer ({type(error).__name__}). "
            "Start it with: ubertruck up"
        ) from error


def json_of(response: httpx.Response) -> Mapping[str, object]:
    """The JSON object that a response brought; empty when it brought something else."""
    try:
        content: object = response.json()
    except ValueError:
        return {}
    return cast("dict[str, object]", content) if isinstance(content, dict) else {}


def accepted(response: httpx.Response, what: str) -> Mapping[str, object]:
    """The answer's content; OpsError with the problem's own words when it is a refusal."""
    content = json_of(response)
    if response.is_success:
        return content
    reasons = [str(content[name]) for name in ("title", "detail") if content.get(name)]
    said = ": ".join(reasons) or "no reason given"
    raise OpsError(f"{what} was answered {response.status_code}: {said}")


def patiently(send: Callable[[], httpx.Response], *, seconds: float) -> tuple[httpx.Response, bool]:
    """The answer to what may be sent twice, and whether it was sent twice.

    Whoever isn't there is asked again for `seconds`; then the last word counts.
    """
    deadline = time.monotonic() + seconds
    repeated = False
    while True:
        try:
            response = send()
            if response.status_code not in AWAY or time.monotonic() >= deadline:
                return response, repeated
        except httpx.TransportError:
            if time.monotonic() >= deadline:
                raise
        repeated = True
        time.sleep(PAUSE)
