"""Requests that every version answers as it should, whatever is in its database."""

from dataclasses import dataclass

import httpx


@dataclass(frozen=True, slots=True)
class Probe:
    """A request without a body, and what it is answered; `holds` stands in the answer's text."""

    path: str
    status: int = 200
    holds: str = ""
    method: str = "GET"


_OPENAPI = Probe("/openapi.json", holds='"openapi"')
_NOTHING = Probe("/nothing-is-here", status=404, holds='"type"')


def _needs_token(path: str, method: str = "GET") -> Probe:
    """Not to be had without a token; nothing is read or written."""
    return Probe(path, status=401, holds='"type"', method=method)


SMOKE = {
    "auth-service": (
        Probe("/auth/jwks.json", holds='"keys"'),
        Probe("/.well-known/openid-configuration", holds='"issuer"'),
    ),
    "config-service": (_needs_token("/v1/config/booking/dev/pricing"),),
    "booking-service": (_needs_token("/v1/booking", "POST"), _needs_token("/v1/trucks")),
}


def probes_of(service: str) -> tuple[Probe, ...]:
    """What a service is asked; those that nobody wrote any for, what all of them answer."""
    return (_OPENAPI, _NOTHING, *SMOKE.get(service, ()))


async def what_is_wrong(client: httpx.AsyncClient, probe: Probe) -> str | None:
    """Ask, and say what is wrong with the answer, if anything is."""
    request = f"{probe.method} {probe.path}"
    try:
        answer = await client.request(probe.method, probe.path)
    except httpx.HTTPError as error:
        return f"{request} failed ({type(error).__name__})"
    if answer.status_code != probe.status:
        return f"{request} answered {answer.status_code} instead of {probe.status}"
    if probe.holds not in answer.text:
        return f"{request} answered without {probe.holds}"
    return None
