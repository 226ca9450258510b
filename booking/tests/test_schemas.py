from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from booking.schemas import (
    BookingRequest,
    CancelRequest,
    QuoteAcceptance,
    TransportRequest,
)
from chassis.ids import new_id

from .factories import TRANSPORT, transport

PLACE = TRANSPORT["pickup_location"]
requests: TypeAdapter[TransportRequest | QuoteAcceptance] = TypeAdapter(BookingRequest)


def place(**changes: Any) -> dict[str, Any]:
    return {**PLACE, **changes}


def faults(body: object) -> set[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        requests.validate_python(body)
    return {
        ("/".join(str(part) for part in fault["loc"]), fault["type"])
        for fault in caught.value.errors()
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (1, "1"),
        (1000, "1000"),
        (999.999, "999.999"),
        (1.001, "1.001"),
        (100.10, "100.1"),
        (1e2, "100"),
    ],
)
def test_quantity_is_what_was_written(written: float, meant: str) -> None:
    request = TransportRequest.model_validate(transport(quantity_mt=written))
    assert request.quantity_mt == Decimal(meant)


@pytest.mark.parametrize(
    "quantity",
    [
        0,
        0.999,
        1000.001,
        -5,
        1.0001,
        10**400,
        float("nan"),
        float("inf"),
        "100",
        True,
        None,
        [],
        {},
    ],
)
def test_quantity_is_refused(quantity: object) -> None:
    assert {pointer for pointer, _ in faults(transport(quantity_mt=quantity))} == {"quantity_mt"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lat", 90.0001),
        ("lat", -90.0001),
        ("lat", "28.6"),
        ("lat", True),
        ("lat", None),
        ("lat", float("nan")),
        ("lat", float("inf")),
        ("lng", 180.0001),
        ("lng", -180.0001),
        ("lng", 10**400),
        ("address", "Too short"),
        ("address", "  Too short   "),
        ("address", "x" * 501),
        ("address", "New\nDelhi, India"),
        ("address", "New Delhi\x1b[31m, India"),
        ("address", "New Delhi\x85, India"),
        ("address", "New Delhi\u2028, India"),
        ("address", 1234567890123),
        ("floor", 3),
    ],
)
@pytest.mark.parametrize("end", ["pickup_location", "drop_location"])
def test_places_are_checked(end: str, field: str, value: object) -> None:
    body = transport(**{end: place(**{field: value})})
    assert {pointer for pointer, _ in faults(body)} == {f"{end}/{field}"}


@pytest.mark.parametrize(("lat", "lng"), [(90, 180), (-90, -180), (0, -0.0)])
def test_the_ends_of_the_earth(lat: float, lng: float) -> None:
    request = TransportRequest.model_validate(transport(pickup_location=place(lat=lat, lng=lng)))
    assert request.freight.pickup == (lat, lng)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("  New Delhi, India\n", "New Delhi, India"),
        ("x" * 500, "x" * 500),
        ("नई दिल्ली, भारत", "नई दिल्ली, भारत"),
        ("क्\u200dष nagar, Delhi", "क्\u200dष nagar, Delhi"),
    ],
)
def test_addresses(written: str, kept: str) -> None:
    request = TransportRequest.model_validate(transport(drop_location=place(address=written)))
    assert request.drop_location.address == kept


@pytest.mark.parametrize("field", list(TRANSPORT))
def test_every_field_is_needed(field: str) -> None:
    body = transport()
    del body[field]
    assert faults(body) == {(field, "missing")}


@pytest.mark.parametrize(
    "field", ["tenant_id", "shipper_id", "status", "price", "price_paise", "version", "booking_id"]
)
def test_nothing_more_is_taken(field: str) -> None:
    assert faults(transport(**{field: 1})) == {(field, "extra_forbidden")}


def test_material_is_one_of_six() -> None:
    assert faults(transport(material_type="gold")) == {("material_type", "enum")}


@pytest.mark.parametrize("body", [None, [], "text", 5, True])
def test_a_body_is_an_object(body: object) -> None:
    assert faults(body) == {("", "model_type")}


def test_a_quote_alone() -> None:
    quote_id = new_id()
    assert requests.validate_python({"quote_id": str(quote_id)}) == QuoteAcceptance(
        quote_id=quote_id
    )


@pytest.mark.parametrize("field", list(TRANSPORT))
def test_a_quote_already_says_the_rest(field: str) -> None:
    body = {"quote_id": str(new_id()), field: TRANSPORT[field]}
    assert faults(body) == {("", "quote_stands_alone")}


@pytest.mark.parametrize("quote_id", [None, "", "q-17", 17, [], "0" * 31])
def test_a_quote_id_is_a_uuid(quote_id: object) -> None:
    assert {pointer for pointer, _ in faults({"quote_id": quote_id})} == {"quote_id"}


def test_a_quote_id_takes_no_strangers() -> None:
    assert faults({"quote_id": str(new_id()), "price": 1}) == {("price", "extra_forbidden")}


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\tb", 5, ["x"]])
def test_bad_reasons(reason: object) -> None:
    with pytest.raises(ValidationError):
        CancelRequest.model_validate({"reason": reason})
