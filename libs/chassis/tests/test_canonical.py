import hashlib
import math
from typing import Any

import pytest

from chassis.canonical import NotCanonical, canonical_json, checksum


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"b": 1, "a": [True, None, "x"]}, '{"a":[true,null,"x"],"b":1}'),
        ([1.0, 1e2, -0.0, 0.002, 1e-27, 4.5], "[1,100,0,0.002,1e-27,4.5]"),
        ('\x07\n"\\/€', '"\\u0007\\n\\"\\\\/€"'),
        # By UTF-16 code units, a surrogate pair goes before U+FB33.
        ({"\ufb33": 1, "\U0001f600": 2}, '{"\U0001f600":2,"\ufb33":1}'),
    ],
)
def test_canonical_form(value: object, form: str) -> None:
    assert canonical_json(value) == form.encode()


def test_checksum() -> None:
    assert checksum({"b": 1.0, "a": 2}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()


def endless(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, 2**53, "\ud800", {"\ud800": 1}, {1: 2}, {1, 2}, b"", endless(100_000)],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_canonical_form(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical_json(value)
