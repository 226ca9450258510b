import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config_service.documents import MAX_BYTES, MAX_DEPTH, child, read_document
from config_service.errors import InvalidConfiguration

from .factories import faults_in


def nested(depth: int, *, lists: bool = False) -> dict[str, Any]:
    """An object of this many levels."""
    inner: Any = 1
    for _ in range(depth - 1):
        inner = [inner] if lists else {"a": inner}
    return {"a": inner}


def fault_of(data: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(InvalidConfiguration) as refused:
        read_document(data)
    ((pointer, _message, code),) = faults_in(refused.value)
    return pointer, code


def test_checksum_ignores_order_and_spelling() -> None:
    one = read_document(json.loads('{"b": 1.0, "a": [1e2, "\\u0041"]}'))
    other = read_document(json.loads('{"a": [100, "A"], "b": 1}'))
    assert one.checksum == other.checksum


def test_checksum_tells_content_apart() -> None:
    documents: list[dict[str, Any]] = [
        {},
        {"a": 1},
        {"a": "1"},
        {"a": None},
        {"a": True},
        {"a": [1]},
        {"A": 1},
    ]
    assert len({read_document(data).checksum for data in documents}) == len(documents)


# From RFC 8785 section 3.2.2, hashed by sha256sum.
def test_checksum_is_over_rfc_8785() -> None:
    document = read_document({"literals": [None, True, False], "numbers": [4.50, 2e-3, 1e-27]})
    canonical = b'{"literals":[null,true,false],"numbers":[4.5,0.002,1e-27]}'
    assert document.checksum == hashlib.sha256(canonical).hexdigest()


@pytest.mark.parametrize("lists", [False, True])
def test_depth(lists: bool) -> None:
    read_document(nested(MAX_DEPTH, lists=lists))
    pointer, code = fault_of(nested(MAX_DEPTH + 1, lists=lists))
    assert code == "depth"
    assert pointer.startswith("/data/a")


def test_size() -> None:
    frame = len('{"a":""}')
    read_document({"a": "x" * (MAX_BYTES - frame)})
    assert fault_of({"a": "x" * (MAX_BYTES - frame + 1)}) == ("/data", "size")


def test_size_counts_bytes() -> None:
    assert fault_of({"a": "ट" * (MAX_BYTES // 3)}) == ("/data", "size")


@pytest.mark.parametrize(
    "number", [2**53, -(2**53), 2**64, 1e16, -1e300, math.inf, -math.inf, math.nan]
)
def test_number_that_a_double_cannot_tell(number: float) -> None:
    assert fault_of({"a": [number]}) == ("/data/a/0", "number")


@pytest.mark.parametrize("number", [2**53 - 1, 1 - 2**53, 0, -0.0, 1e-300, 0.1, True])
def test_number(number: float) -> None:
    read_document({"a": number})


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "\udfff!"])
def test_text_that_no_database_keeps(text: str) -> None:
    assert fault_of({"a": text}) == ("/data/a", "text")
    assert fault_of({"a": {text: 1}}) == ("/data/a", "text")


def test_pointer_escapes() -> None:
    assert child("/a", "b/c~d") == "/a/b~1c~0d"
    assert child("", 3) == "/3"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-1e15, 1e15)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc/~"), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.text("xyz", max_size=3), JSON, max_size=5))
def test_checksum_survives_json(data: dict[str, Any]) -> None:
    document = read_document(data)
    assert read_document(json.loads(json.dumps(data))).checksum == document.checksum
