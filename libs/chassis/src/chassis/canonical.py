"""One spelling for one JSON value (RFC 8785), so that equal content has an equal checksum."""

import hashlib
from typing import cast

import rfc8785


class NotCanonical(ValueError):
    """The value has no canonical form: NaN, a lone surrogate, an integer beyond 2**53 - 1."""


def canonical_json(value: object) -> bytes:
    """The RFC 8785 form of a JSON value, UTF-8; raises `NotCanonical`."""
    try:
        # rfc8785 types its argument by a recursive union; it checks the value itself.
        return rfc8785.dumps(cast("dict[str, str]", value))
    except (ValueError, RecursionError) as error:
        raise NotCanonical(str(error)) from error


def checksum(value: object) -> str:
    """SHA-256 of the canonical form, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
