"""Checks of access tokens: Envoy's JWT filter, kept in a file of its own that Envoy watches.

A token is good if any of three sources of keys says so, asked in this order:

- `copy`: the keys in the watched file; they are there when the issuer is away, also at start.
- `live`: the issuer's keys, fetched in the background every few seconds and kept if it goes away.
- `fresh`: the issuer's keys, fetched while the request waits, at most about once a second. It
  serves the first token under a key that the other two don't know yet.

Whenever the file is written anew Envoy takes it up within milliseconds, keeps every connection,
and forgets the tokens that it had found good, so that a retired key ends at once.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from pydantic import BaseModel, ValidationError

from mesh.description import TokenChecks, Upstream
from mesh.files import write_atomically
from mesh.proto import Json, duration, typed, watched

FILTER = "ubertruck.tokens"
METADATA = "envoy.filters.http.jwt_authn"
PAYLOAD = "payload"
FAILURE = "failure"

_TYPE = "extensions.filters.http.jwt_authn.v3."
_REQUIREMENT = "token"
_FETCH_SECONDS = 1.0
_REFRESH_SECONDS = 10  # Envoy fetches five seconds before this is over.
_FRESH_SECONDS = 1  # Envoy counts this one in whole seconds.
_TOKEN_BYTES = 8192


class BadKeys(ValueError):
    """A key set without a single usable RS256 key."""


class _Key(BaseModel):
    kty: Literal["RSA"]
    alg: Literal["RS256"]
    use: Literal["sig"] = "sig"
    kid: str
    n: str
    e: str


class _KeySet(BaseModel):
    keys: list[object]


def token_filter(checks: TokenChecks) -> Json:
    """The filter as it stands in the chain: from its file if there is one, else in place."""
    if checks.file is None:
        return {"name": FILTER, "typed_config": _checks(checks, None)}
    return {
        "name": FILTER,
        "config_discovery": {
            "config_source": watched(checks.file),
            "type_urls": [str(_checks(checks, None)["@type"])],
            # A file that can't be read leaves the issuer's keys, never an open door.
            "default_config": _checks(checks, None),
            "apply_default_config_without_warming": True,
        },
    }


def open_route() -> Json:
    """What a route says that needs no token."""
    return typed(_TYPE + "PerRouteConfig", disabled=True)


def keys_upstream(checks: TokenChecks, issuer: Upstream) -> Upstream:
    """The issuer again, with connections of its own: logins never hold up a fetch of keys."""
    return issuer.model_copy(
        update={"name": _keys_cluster(checks), "max_connections": 4, "max_pending": 1024}
    )


def write_checks(checks: TokenChecks, jwks: str | bytes | None) -> bool:
    """Write the watched file with a copy of `jwks` (RFC 7517); says whether anything changed.

    Must be called before Envoy starts, with None as long as no keys are known. Only RSA keys for
    RS256 are taken over; `BadKeys` is raised, and the file left alone, if there is none.
    """
    if checks.file is None:
        raise ValueError("The token checks have no file.")
    keys = None if jwks is None else _usable(jwks)
    resource = typed("config.core.v3.TypedExtensionConfig", name=FILTER)
    resource["typed_config"] = _checks(checks, keys)
    return write_atomically(checks.file, json.dumps({"resources": [resource]}, sort_keys=True))


def _checks(checks: TokenChecks, keys: Sequence[Json] | None) -> Json:
    uri: Json = {
        "uri": f"http://{checks.authority or checks.upstream}{checks.jwks_path}",
        "cluster": _keys_cluster(checks),
        "timeout": duration(_FETCH_SECONDS),
    }
    sources: dict[str, Json] = {}
    if keys:
        sources["copy"] = {"local_jwks": {"inline_string": json.dumps({"keys": keys})}}
    sources["live"] = {
        "remote_jwks": {
            "http_uri": uri,
            "cache_duration": duration(_REFRESH_SECONDS),
            "async_fetch": {"fast_listener": True, "failed_refetch_duration": "1s"},
        }
    }
    sources["fresh"] = {
        "remote_jwks": {"http_uri": uri, "cache_duration": duration(_FRESH_SECONDS)}
    }
    any_of = {"requires_any": {"requirements": [{"provider_name": name} for name in sources]}}
    return typed(
        _TYPE + "JwtAuthentication",
        providers={name: _provider(checks) | source for name, source in sources.items()},
        requirement_map={_REQUIREMENT: any_of},
        # Everything needs a token; routes that don't say so themselves.
        rules=[{"match": {"prefix": "/"}, "requirement_name": _REQUIREMENT}],
    )


def _provider(checks: TokenChecks) -> Json:
    return {
        "issuer": checks.issuer,
        "audiences": [checks.audience],
        "require_expiration": True,
        "clock_skew_seconds": checks.clock_skew,
        # Envoy would also take tokens from the query, where logs and caches see them.
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "forward": True,
        "payload_in_metadata": PAYLOAD,
        "failed_status_in_metadata": FAILURE,
        "jwt_cache_config": {
            "jwt_cache_size": checks.cached_tokens,
            "jwt_max_token_size": _TOKEN_BYTES,
        },
    }


def _keys_cluster(checks: TokenChecks) -> str:
    return f"{checks.upstream}-keys"


def _usable(jwks: str | bytes) -> list[Json]:
    try:
        published = _KeySet.model_validate_json(jwks).keys
    except ValidationError as error:
        raise BadKeys("The answer is not a key set.") from error
    keys: list[Json] = []
    for key in published:
        with suppress(ValidationError):
            keys.append(_Key.model_validate(key).model_dump())
    if not keys:
        raise BadKeys("The key set holds no RSA key for RS256.")
    return keys
