from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.models import Booking
from booking.statuses import TRANSITIONS, Status
from chassis.ids import new_id
from contracts.booking import BOOKING_CANCELLED, BookingCancelled

from .factories import Caller, problem
from .rows import booking_row, events_of, owned_by


async def test_calls_off(shipper: Caller, session: AsyncSession) -> None:
    booking_id = (await shipper.book())["booking_id"]
    response = await shipper.cancel(booking_id, reason="  The mine is flooded ")
    assert response.status_code == 200, response.text
    assert response.headers["etag"] == '"2"'
    assert response.json()["status"] == "cancelled"
    detail = (await shipper.get(f"/v1/booking/{booking_id}")).json()
    [step] = detail["history"]
    assert (step["from_status"], step["to_status"]) == ("requested", "cancelled")
    assert (step["version"], detail["version"]) == (2, 2)
    assert step["reason"] == "The mine is flooded"
    assert step["changed_by"] == str(shipper.subject)
    assert step["changed_at"] == detail["updated_at"] > detail["created_at"]


async def test_tells_of_it_and_is_audited(shipper: Caller, session: AsyncSession) -> None:
    booking_id = (await shipper.book())["booking_id"]
    path = f"/v1/booking/{booking_id}/cancel"
    await shipper.post(path, {"reason": "Rain"}, X_Forwarded_For="192.0.2.1, 203.0.113.7")
    [_, event] = await events_of(session, booking_id)
    assert event["type"] == BOOKING_CANCELLED
    assert event["aggregate_version"] == 2
    told = BookingCancelled.model_validate(event["data"])
    assert (told.previous_status, told.reason) == ("requested", "Rain")
    assert told.cancelled_by == str(shipper.subject)
    audit = await session.execute(text("SELECT * FROM audit_log"))
    [row] = audit.mappings()
    assert (row["action"], row["target"]) == ("booking.cancel", f"booking/{booking_id}")
    assert (row["actor"], row["tenant_id"]) == (str(shipper.subject), shipper.tenant_id)
    assert str(row["source_ip"]) == "203.0.113.7"


async def test_needs_no_reason(shipper: Caller) -> None:
    first, second = [(await shipper.book())["booking_id"] for _ in range(2)]
    assert (await shipper.cancel(first)).status_code == 200
    response = await shipper.post(f"/v1/booking/{second}/cancel", {"reason": None})
    assert response.status_code == 200


async def test_a_second_time_is_illegal(shipper: Caller, session: AsyncSession) -> None:
    booking_id = (await shipper.book())["booking_id"]
    await shipper.cancel(booking_id)
    document = problem(await shipper.cancel(booking_id), 409, "illegal-transition")
    assert document["status_now"] == "cancelled"
    assert len(await events_of(session, booking_id)) == 2


async def test_a_second_time_with_its_key_is_the_same_time(
    shipper: Caller, session: AsyncSession
) -> None:
    booking_id = (await shipper.book())["booking_id"]
    path = f"/v1/booking/{booking_id}/cancel"
    first = await shipper.post(path, {"reason": "Rain"}, Idempotency_Key="c-1")
    again = await shipper.post(path, {"reason": "Rain"}, Idempotency_Key="c-1")
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert len(await events_of(session, booking_id)) == 2


@pytest.mark.parametrize("status", list(Status))
async def test_from_every_status(shipper: Caller, session: AsyncSession, status: Status) -> None:
    booking = booking_row(**owned_by(shipper), status=status, version=4)
    session.add(booking)
    await session.flush()
    response = await shipper.cancel(str(booking.id))
    if Status.CANCELLED in TRANSITIONS[status]:
        assert response.json()["version"] == 5
    else:
        problem(response, 409, "illegal-transition")
        await session.refresh(booking)
        assert (booking.status, booking.version) == (status, 4)


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('"1"', 200),
        ("*", 200),
        (' "7" , "1"', 200),
        ('"2"', 412),
        ('W/"1"', 412),
        ("1", 412),
        ('"01x"', 412),
        ("nonsense", 412),
        ('"99999999999999999999"', 412),
    ],
)
async def test_if_match(shipper: Caller, if_match: str, status: int) -> None:
    booking_id = (await shipper.book())["booking_id"]
    response = await shipper.post(f"/v1/booking/{booking_id}/cancel", If_Match=if_match)
    assert response.status_code == status, response.text
    if status == 412:
        problem(response, 412, "precondition-failed")


@pytest.mark.parametrize(
    "body", [{"reason": ""}, {"reason": 5}, {"why": "Rain"}, {"status": "completed"}, []]
)
async def test_nonsense_changes_nothing(
    shipper: Caller, session: AsyncSession, body: object
) -> None:
    booking_id = (await shipper.book())["booking_id"]
    problem(await shipper.post(f"/v1/booking/{booking_id}/cancel", body), 422, "invalid")
    kept = await session.get_one(Booking, UUID(booking_id))
    assert kept.status == Status.REQUESTED


async def test_unknown(shipper: Caller) -> None:
    problem(await shipper.cancel(str(new_id())), 404, "not-found")


@pytest.mark.parametrize(
    ("permission", "same_tenant", "status"),
    [
        ("booking:*", True, 200),
        ("booking:*", False, 404),
        ("booking:cancel:own", True, 404),
        ("booking:cancel:all", False, 200),
        ("booking:cancel:assigned", True, 404),
    ],
)
async def test_who_may(shipper: Caller, permission: str, same_tenant: bool, status: int) -> None:
    booking_id = (await shipper.book())["booking_id"]
    caller = shipper.another(permission, tenant_id=shipper.tenant_id if same_tenant else None)
    assert (await caller.cancel(booking_id)).status_code == status
