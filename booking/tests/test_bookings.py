from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.models import Booking
from booking.pricing import PriceBasis, recompute
from chassis.ids import new_id
from contracts.booking import BOOKING_REQUESTED, BookingRequested

from .factories import Caller, problem, transport
from .rows import events_of


async def count(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(Booking)) or 0


async def test_books_at_the_price_of_now(shipper: Caller, session: AsyncSession) -> None:
    response = await shipper.post("/v1/booking", transport())
    assert response.status_code == 200, response.text
    assert response.headers["etag"] == '"1"'
    booking = response.json()
    assert booking["status"] == "requested"
    assert booking["version"] == 1
    assert booking["tenant_id"] == str(shipper.tenant_id)
    assert booking["shipper_id"] == str(shipper.subject)
    assert booking["price"] == {"amount": 105_988_500, "currency": "INR"}
    assert booking["quote_id"] is None
    kept = await session.get_one(Booking, UUID(booking["booking_id"]))
    assert recompute(PriceBasis.read(kept.price_basis)) == kept.price_paise


async def test_tells_of_it_in_the_same_transaction(shipper: Caller, session: AsyncSession) -> None:
    booking = await shipper.book(quantity_mt=10.5)
    [event] = await events_of(session, booking["booking_id"])
    assert event["type"] == BOOKING_REQUESTED
    assert event["source"] == "/booking"
    assert event["tenant_id"] == shipper.tenant_id
    assert event["aggregate_version"] == 1
    assert event["data"]["quantity_mt"] == 10.5
    assert event["data"]["price"] == booking["price"]
    told = BookingRequested.model_validate(event["data"])
    assert str(told.booking_id) == booking["booking_id"]


async def test_alike_is_not_the_same(shipper: Caller) -> None:
    first, second = await shipper.book(), await shipper.book()
    assert first["booking_id"] != second["booking_id"]


async def test_a_key_makes_it_the_same(shipper: Caller, session: AsyncSession) -> None:
    first = await shipper.post("/v1/booking", transport(), Idempotency_Key="b-1")
    again = await shipper.post("/v1/booking", transport(), Idempotency_Key="b-1")
    assert first.content == again.content
    assert again.headers["etag"] == '"1"'
    assert await count(session) == 1
    response = await shipper.post("/v1/booking", transport(quantity_mt=5), Idempotency_Key="b-1")
    problem(response, 422, "idempotency-key-reused")


async def test_reads_back(shipper: Caller) -> None:
    booking = await shipper.book()
    response = await shipper.get(f"/v1/booking/{booking['booking_id']}")
    assert response.status_code == 200
    assert response.headers["etag"] == '"1"'
    detail = response.json()
    assert detail["history"] == []
    assert detail["price_basis"]["quantity_mt"] == "100"
    assert {name: detail[name] for name in booking} == booking


async def test_unknown(shipper: Caller) -> None:
    problem(await shipper.get(f"/v1/booking/{new_id()}"), 404, "not-found")


@pytest.mark.parametrize("booking_id", ["7", "null", "%20", "'; DROP TABLE bookings; --"])
async def test_an_id_is_a_uuid(shipper: Caller, booking_id: str) -> None:
    problem(await shipper.get(f"/v1/booking/{booking_id}"), 422, "invalid")


@pytest.mark.parametrize(
    "body",
    [
        transport(quantity_mt="100"),
        transport(quantity_mt=1.0001),
        transport(status="confirmed"),
        transport(price={"amount": 1, "currency": "INR"}),
        {"quote_id": str(new_id()), "quantity_mt": 5},
        {},
        [],
        "text",
    ],
)
async def test_nonsense_changes_nothing(
    shipper: Caller, session: AsyncSession, body: object
) -> None:
    document = problem(await shipper.post("/v1/booking", body), 422, "invalid")
    assert document["errors"]
    assert await count(session) == 0


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"quantity_mt": NaN}', "application/json", 400),
        (b'{"quantity_mt": 1e999}', "application/json", 400),
        (b'{"quote_id": "\\ud800"}', "application/json", 400),
        (b'{"quote_id": "\\u0000"}', "application/json", 400),
        (b"quantity_mt=5", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b"", "application/json", 422),
    ],
)
async def test_what_is_no_json_changes_nothing(
    shipper: Caller, session: AsyncSession, content: bytes, kind: str, status: int
) -> None:
    response = await shipper.client.post(
        "/v1/booking", content=content, headers={**shipper.headers, "Content-Type": kind}
    )
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert await count(session) == 0


async def test_without_a_token(shipper: Caller) -> None:
    for method, path in (
        ("POST", "/v1/quotes"),
        ("POST", "/v1/booking"),
        ("GET", "/v1/booking"),
        ("GET", f"/v1/booking/{new_id()}"),
        ("POST", f"/v1/booking/{new_id()}/cancel"),
    ):
        response = await shipper.client.request(
            method, path, json=transport() if method == "POST" else None
        )
        problem(response, 401, "unauthorized")


async def test_only_with_the_permission(shipper: Caller) -> None:
    booking = await shipper.book()
    path = f"/v1/booking/{booking['booking_id']}"
    reader = shipper.another("booking:read:all", "trip:read:assigned")
    problem(await reader.post("/v1/quotes", transport()), 403, "permission-missing")
    problem(await reader.post("/v1/booking", transport()), 403, "permission-missing")
    problem(await reader.post(f"{path}/cancel"), 403, "permission-missing")
    writer = shipper.another("booking:create:own")
    problem(await writer.get("/v1/booking"), 403, "permission-missing")
    problem(await writer.get(path), 403, "permission-missing")


def reads(shipper: Caller, scope: str, *, same_tenant: bool) -> Caller:
    tenant_id = shipper.tenant_id if same_tenant else None
    return shipper.another(f"booking:{scope}", tenant_id=tenant_id)


@pytest.mark.parametrize(
    ("permission", "same_tenant", "sees"),
    [
        ("*", True, True),
        ("*", False, False),
        ("read:tenant", True, True),
        ("read:tenant", False, False),
        ("read:own", True, False),
        ("read:own", False, False),
        ("read:all", True, True),
        ("read:all", False, True),
        ("read:assigned", True, False),
        ("read", True, False),
    ],
)
async def test_scopes(shipper: Caller, permission: str, same_tenant: bool, sees: bool) -> None:
    booking = await shipper.book()
    caller = reads(shipper, permission, same_tenant=same_tenant)
    response = await caller.get(f"/v1/booking/{booking['booking_id']}")
    listed = (await caller.get("/v1/booking")).json()["items"]
    if sees:
        assert response.json()["booking_id"] == booking["booking_id"]
        assert [row["booking_id"] for row in listed] == [booking["booking_id"]]
    else:
        problem(response, 404, "not-found")
        assert listed == []


async def test_own_are_those_of_the_same_subject_and_tenant(shipper: Caller) -> None:
    booking = await shipper.book()
    path = f"/v1/booking/{booking['booking_id']}"
    same = shipper.another("booking:read:own", tenant_id=shipper.tenant_id, subject=shipper.subject)
    assert (await same.get(path)).status_code == 200
    moved = shipper.another("booking:read:own", subject=shipper.subject)
    problem(await moved.get(path), 404, "not-found")
