"""Request headers that no caller may set: they are gone before any filter or route sees them."""

from mesh.proto import Json, extension

IDENTITY_PREFIXES = ("x-envoy-", "x-user-", "x-auth-", "x-jwt-", "x-ratelimit-", "x-edge-")
IDENTITY_NAMES = (
    "x-client-id",
    "x-forwarded-client-cert",
    "x-permissions",
    "x-role",
    "x-roles",
    "x-subject",
    "x-tenant",
    "x-tenant-id",
    "x-user",
)
_ADDRESS_NAMES = (
    "cf-connecting-ip",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
)
_HOP_NAMES = ("x-forwarded-for", "x-forwarded-proto")
_NEVER_FORWARDED = ("x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix")


def strip_headers(extra: tuple[str, ...], trusted_hops: int) -> Json:
    """The early mutation that takes them away. A trusted proxy's own two headers stay."""
    names = [*IDENTITY_NAMES, *_ADDRESS_NAMES, *_NEVER_FORWARDED, *extra]
    if trusted_hops == 0:
        names += _HOP_NAMES
    prefixes = [{"remove_on_match": {"key_matcher": {"prefix": one}}} for one in IDENTITY_PREFIXES]
    return extension(
        "envoy.http.early_header_mutation.header_mutation",
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[*({"remove": name} for name in names), *prefixes],
    )
