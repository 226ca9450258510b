"""Rate limits: one bucket over all requests, and one for each client where a route says so.

A refused request is marked with a header of our own, which the Lua filter takes away when it writes
the numbers into the problem document. It also tells our 429 from one that a service answered.
"""

from importlib.resources import files

from mesh.description import RateLimit
from mesh.proto import Json, always, duration, extension, set_header, typed
from mesh.tokens import METADATA, PAYLOAD

CLIENT_FILTER = "ubertruck.limit.client"

_ALL_FILTER = "ubertruck.limit.all"
_TYPE = "extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_CLIENTS = 200_000
_MARK = "x-edge-limit"


def limit_of_all(limit: RateLimit, *, shared: bool) -> Json:
    """One bucket for everything. Only its refusals tell numbers: how full it is is our business."""
    return extension(
        _ALL_FILTER,
        _TYPE,
        **_enforced("limit_all", limit, shared=shared),
        response_headers_to_add=[
            set_header(_MARK, "all"),
            set_header("x-ratelimit-limit", str(limit.burst)),
            set_header("x-ratelimit-remaining", "0"),
            set_header("x-ratelimit-reset", "1"),
        ],
    )


def limit_of_clients() -> Json:
    """Takes effect on the routes that carry a `client_limit`."""
    return extension(CLIENT_FILTER, _TYPE, stat_prefix="limit_client")


def client_limit(limit: RateLimit, *, shared: bool) -> Json:
    """A bucket for each subject of a verified token. No header of the request has a say in it."""
    subject = {
        "descriptor_key": "client",
        "metadata_key": {"key": METADATA, "path": [{"key": PAYLOAD}, {"key": "sub"}]},
        "source": "DYNAMIC",
    }
    return typed(
        _TYPE,
        **_enforced("limit_client", limit, shared=shared),
        # The bucket outside of the descriptors is what tokens without a subject share.
        always_consume_default_token_bucket=False,
        max_dynamic_descriptors=_CLIENTS,
        rate_limits=[{"actions": [{"metadata": subject}]}],
        descriptors=[{"entries": [{"key": "client"}], "token_bucket": _bucket(limit)}],
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        response_headers_to_add=[set_header(_MARK, "client")],
    )


def limit_numbers() -> Json:
    """The filter that completes a 429 of ours. It stands before the limits, to run after them."""
    script = files("mesh").joinpath("assets/limits.lua").read_text()
    return extension(
        "envoy.filters.http.lua",
        "extensions.filters.http.lua.v3.Lua",
        default_source_code={"inline_string": script},
    )


def _enforced(name: str, limit: RateLimit, *, shared: bool) -> Json:
    enforced: Json = {
        "stat_prefix": name,
        "token_bucket": _bucket(limit),
        "filter_enabled": always(),
        "filter_enforced": always(),
        "enable_retry_after_header": True,
    }
    if shared:
        # Each process lets in its share: what is above, divided by how many processes there are.
        enforced["local_cluster_rate_limit"] = {}
    return enforced


def _bucket(limit: RateLimit) -> Json:
    return {
        "max_tokens": limit.burst,
        "tokens_per_fill": limit.per_second,
        "fill_interval": duration(1),
    }
