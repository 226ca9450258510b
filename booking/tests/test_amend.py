import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.arrangements import AMENDABLE
from booking.models import Booking
from booking.statuses import Status
from chassis.db import Database
from chassis.ids import new_id
from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer
from contracts.booking import BOOKING_AMENDED, BookingAmended, BookingRequested

from .conftest import NewClient
from .factories import SHIPPER, Caller, problem, transport
from .rows import booking_row, events_of, in_status, owned_by, quote_row

NOW = datetime.now(UTC).replace(microsecond=0)
CONTACT = {"name": "Asha Rao", "phone": "+919812345678"}


def soon(**delta: int) -> str:
    return (NOW + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def arranged(**changes: Any) -> dict[str, Any]:
    return {
        "pickup_from": soon(days=2),
        "pickup_until": soon(days=3),
        "deliver_by": soon(days=8),
        "pickup_contact": CONTACT,
        "drop_contact": {"name": "Ravi", "phone": "+12025550123"},
        "instructions": "Gate 4, after the weighbridge",
        **changes,
    }


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in arranged()}


async def test_it_is_kept_with_the_booking_and_told(shipper: Caller, session: AsyncSession) -> None:
    booking = await shipper.book(**arranged())
    assert shown(booking) == arranged()
    assert shown((await shipper.get(f"/v1/booking/{booking['booking_id']}")).json()) == arranged()
    [event] = await events_of(session, booking["booking_id"])
    told = BookingRequested.model_validate(event["data"])
    assert told.deliver_by == NOW + timedelta(days=8)
    assert "pickup_contact" not in event["data"]


async def test_a_quote_carries_it_over(shipper: Caller) -> None:
    quote = await shipper.quote(**arranged())
    assert shown(quote) == arranged()
    response = await shipper.post("/v1/booking", {"quote_id": quote["quote_id"]})
    assert shown(response.json()) == arranged()


async def test_a_quote_whose_window_is_over_gives_no_booking(
    shipper: Caller, session: AsyncSession
) -> None:
    window = {
        "pickup_from": NOW - timedelta(hours=2),
        "pickup_until": NOW - timedelta(hours=1),
    }
    old = quote_row(**owned_by(shipper), **window)
    session.add(old)
    await session.flush()
    refused = await shipper.post("/v1/booking", {"quote_id": str(old.id)})
    document = problem(refused, 422, "bad-schedule")
    assert [fault["pointer"] for fault in document["errors"]] == ["/pickup_until"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"pickup_until": None}, "/pickup_until"),
        ({"pickup_from": soon(days=-1)}, "/pickup_from"),
        ({"pickup_until": soon(days=91)}, "/pickup_until"),
        ({"deliver_by": soon(days=2, hours=20)}, "/deliver_by"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/booking", "/v1/quotes"])
async def test_a_schedule_that_cannot_be_kept(
    shipper: Caller, path: str, changes: dict[str, Any], pointer: str
) -> None:
    refused = await shipper.post(path, transport(**arranged(**changes)))
    document = problem(refused, 422, "bad-schedule")
    assert [fault["pointer"] for fault in document["errors"]] == [pointer]


NONSENSE: list[dict[str, Any]] = [
    {"pickup_from": "tomorrow"},
    {"pickup_from": 1764000000},
    {"pickup_from": "2026-11-24"},
    {"deliver_by": "9999-12-31T23:59:59-12:00"},
    {"pickup_contact": {"name": "Asha"}},
    {"pickup_contact": {**CONTACT, "phone": "9812345678"}},
    {"pickup_contact": {**CONTACT, "phone": "+91 98123 45678"}},
    {"pickup_contact": {**CONTACT, "name": "  "}},
    {"pickup_contact": {**CONTACT, "name": "x" * 101}},
    {"pickup_contact": {**CONTACT, "email": "a@example.com"}},
    {"drop_contact": []},
    {"instructions": ""},
    {"instructions": "x" * 1001},
    {"instructions": "two\nlines"},
]


@pytest.mark.parametrize("changes", NONSENSE)
async def test_nonsense_is_not_booked(shipper: Caller, changes: dict[str, Any]) -> None:
    problem(await shipper.post("/v1/booking", transport(**changes)), 422, "invalid")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"quantity_mt": 5},
        {"pickup_location": {"address": "Elsewhere, Mumbai"}},
        {"status": "confirmed"},
        {"price": 1},
        *NONSENSE,
    ],
)
async def test_nonsense_changes_nothing(
    shipper: Caller, session: AsyncSession, body: object
) -> None:
    booking_id = (await shipper.book())["booking_id"]
    path = f"/v1/booking/{booking_id}"
    problem(await shipper.patch(path, body, If_Match='"1"'), 422, "invalid")
    assert (await session.get_one(Booking, UUID(booking_id))).version == 1


async def test_amends_what_is_named_and_leaves_the_rest(shipper: Caller) -> None:
    booking_id = (await shipper.book(**arranged()))["booking_id"]
    response = await shipper.amend(
        booking_id, 1, pickup_until=soon(days=4), pickup_contact=None, instructions="  Gate 5 "
    )
    assert response.status_code == 200, response.text
    assert response.headers["etag"] == '"2"'
    expected = arranged(pickup_until=soon(days=4), pickup_contact=None, instructions="Gate 5")
    assert shown(response.json()) == expected
    detail = (await shipper.get(f"/v1/booking/{booking_id}")).json()
    assert shown(detail) == expected
    assert (detail["version"], detail["history"]) == (2, [])


async def test_tells_of_it_and_is_audited_without_people(
    shipper: Caller, session: AsyncSession
) -> None:
    booking_id = (await shipper.book())["booking_id"]
    path = f"/v1/booking/{booking_id}"
    body = {"deliver_by": soon(days=8), "drop_contact": CONTACT}
    await shipper.patch(path, body, If_Match='"1"', X_Forwarded_For="192.0.2.1, 203.0.113.7")
    [_, event] = await events_of(session, booking_id)
    assert (event["type"], event["aggregate_version"]) == (BOOKING_AMENDED, 2)
    told = BookingAmended.model_validate(event["data"])
    assert list(told.changed) == ["deliver_by", "drop_contact"]
    assert told.deliver_by == NOW + timedelta(days=8)
    [row] = (await session.execute(text("SELECT * FROM audit_log"))).mappings()
    assert (row["action"], row["target"]) == ("booking.amend", f"booking/{booking_id}")
    assert (row["actor"], str(row["source_ip"])) == (str(shipper.subject), "203.0.113.7")
    assert row["details"] == {
        "changed": ["deliver_by", "drop_contact"],
        "before": {"deliver_by": None},
        "after": {"deliver_by": (NOW + timedelta(days=8)).isoformat()},
    }
    assert CONTACT["phone"] not in f"{event['data']}{row['details']}"


async def test_what_is_so_already_is_no_change(shipper: Caller, session: AsyncSession) -> None:
    booking_id = (await shipper.book(**arranged()))["booking_id"]
    response = await shipper.amend(booking_id, 1, **arranged())
    assert (response.status_code, response.headers["etag"]) == (200, '"1"')
    assert len(await events_of(session, booking_id)) == 1


async def test_the_schedule_is_checked_as_a_whole(shipper: Caller) -> None:
    booking_id = (await shipper.book(**arranged()))["booking_id"]
    refused = await shipper.amend(booking_id, 1, pickup_from=soon(days=3, hours=1))
    document = problem(refused, 422, "bad-schedule")
    assert [fault["pointer"] for fault in document["errors"]] == ["/pickup_until"]


async def test_a_window_that_has_begun_can_be_lengthened(
    shipper: Caller, session: AsyncSession
) -> None:
    window = {
        "pickup_from": NOW - timedelta(hours=2),
        "pickup_until": NOW + timedelta(hours=1),
    }
    booking = await in_status(session, Status.CONFIRMED, **owned_by(shipper), **window)
    response = await shipper.amend(str(booking.id), 4, pickup_until=soon(hours=5))
    assert response.status_code == 200, response.text
    problem(
        await shipper.amend(str(booking.id), 5, pickup_from=soon(hours=-1)), 422, "bad-schedule"
    )


@pytest.mark.parametrize("status", list(Status))
async def test_by_status(shipper: Caller, session: AsyncSession, status: Status) -> None:
    for name, value in arranged().items():
        body = {name: value}
        if name.startswith("pickup_") and name != "pickup_contact":
            body = {n: v for n, v in arranged().items() if n in ("pickup_from", "pickup_until")}
        booking = await in_status(session, status, **owned_by(shipper))
        response = await shipper.amend(str(booking.id), 4, **body)
        if name in AMENDABLE.get(status, ()):
            assert response.status_code == 200, response.text
        else:
            document = problem(response, 409, "not-amendable")
            assert (document["status_now"], document["fields"]) == (status, sorted(body))
            await session.refresh(booking)
            assert (booking.version, getattr(booking, name)) == (4, None)


@pytest.mark.parametrize(
    ("if_match", "status", "slug"),
    [
        (None, 428, "precondition-required"),
        ("", 428, "precondition-required"),
        ("*", 428, "precondition-required"),
        ('"2"', 412, "precondition-failed"),
        ('W/"1"', 412, "precondition-failed"),
        ("1", 412, "precondition-failed"),
        ("nonsense", 412, "precondition-failed"),
    ],
)
async def test_if_match_is_needed(
    shipper: Caller, session: AsyncSession, if_match: str | None, status: int, slug: str
) -> None:
    booking_id = (await shipper.book())["booking_id"]
    headers = {} if if_match is None else {"If_Match": if_match}
    refused = await shipper.patch(f"/v1/booking/{booking_id}", {"instructions": "x"}, **headers)
    problem(refused, status, slug)
    assert (await session.get_one(Booking, UUID(booking_id))).version == 1


async def test_unknown(shipper: Caller) -> None:
    problem(await shipper.amend(str(new_id()), 1, instructions="x"), 404, "not-found")


@pytest.mark.parametrize(
    ("permission", "same_tenant", "status"),
    [
        ("booking:*", True, 200),
        ("booking:*", False, 404),
        ("booking:update:own", True, 404),
        ("booking:update:all", False, 200),
        ("booking:update:assigned", True, 404),
        ("booking:read:tenant", True, 403),
    ],
)
async def test_who_may(shipper: Caller, permission: str, same_tenant: bool, status: int) -> None:
    booking_id = (await shipper.book())["booking_id"]
    caller = shipper.another(permission, tenant_id=shipper.tenant_id if same_tenant else None)
    assert (await caller.amend(booking_id, 1, instructions="x")).status_code == status


@pytest.fixture
async def committing(database: TestDatabase) -> AsyncGenerator[Database]:
    connected = Database.connect(database.url, name="booking")
    yield connected
    await connected.dispose()


async def test_amended_by_many_at_once(
    committing: Database, new_client: NewClient, issuer: Issuer
) -> None:
    async with new_client(committing) as client:
        shipper = Caller(client, issuer, *SHIPPER)
        booking = booking_row(**owned_by(shipper))
        async with committing.begin() as session:
            session.add(booking)
        responses = await asyncio.gather(
            *(shipper.amend(str(booking.id), 1, instructions=f"Gate {n}") for n in range(8))
        )
    assert sorted(r.status_code for r in responses) == [200] + [412] * 7
    async with committing.begin() as session:
        assert len(await events_of(session, str(booking.id))) == 1
