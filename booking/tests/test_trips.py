from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import pypdfium2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.trips.evidence import verify
from booking.trips.steps import MOVES
from chassis.testing.issuer import Issuer
from contracts import trips as told
from contracts.values import Material

from .factories import problem
from .rows import events_of
from .trips import DRIVER, LOADED, OWNER, SENDER, Journey, journey

NO_TRIP = f"/v1/trips/{uuid4()}"


@pytest.fixture
async def trip(session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer) -> Journey:
    return await journey(session, client, issuer)


async def state(session: AsyncSession) -> Sequence[Any]:
    """Everything that a step could have changed."""
    tables = (
        "trips",
        "trip_evidence",
        "trip_weights",
        "trip_codes",
        "lorry_receipt_series",
        "shortage_claims",
        "outbox",
        "audit_log",
    )
    return [(await session.execute(text(f"SELECT * FROM {t} ORDER BY 1"))).all() for t in tables]  # noqa: S608 -- names of this file


async def test_the_whole_way(trip: Journey, session: AsyncSession) -> None:
    await trip.reach("closed")
    exported = await trip.owner.get(f"{trip.path}/evidence")
    verdict = verify(exported.content)
    assert (verdict.fault, verdict.entries, verdict.trip_id) == (None, 7, str(trip.trip_id))
    assert [entry["kind"] for entry in exported.json()["entries"]] == [
        "accepted",
        "at_pickup",
        "loaded",
        "in_transit",
        "at_drop",
        "delivered",
        "closed",
    ]
    events = await events_of(session, str(trip.trip_id))
    assert [event["type"] for event in events] == [
        told.TRIP_ACCEPTED,
        told.TRIP_ARRIVED_AT_PICKUP,
        told.TRIP_LOADED,
        told.TRIP_DEPARTED,
        told.TRIP_ARRIVED_AT_DROP,
        told.TRIP_DELIVERED,
        told.TRIP_CLOSED,
    ]
    assert [event["aggregate_version"] for event in events] == [2, 3, 4, 5, 6, 7, 8]
    closed = told.TripClosed.model_validate(events[-1]["data"])
    assert closed.evidence_head == verdict.head
    assert (closed.loaded_mt, closed.shortage_mt) == (Decimal(25), Decimal(0))
    for event in events:
        assert not {"code", "driver", "consignor"} & event["data"].keys()


async def test_the_lorry_receipt_is_of_the_evidence(trip: Journey) -> None:
    problem(await trip.owner.get(f"{trip.path}/lorry-receipt"), 409, "nothing-loaded")
    await trip.reach("loaded")
    before = await trip.driver.get(f"{trip.path}/lorry-receipt")
    assert before.headers["content-type"] == "application/pdf"
    await trip.step("depart")
    after = await trip.owner.get(f"{trip.path}/lorry-receipt")
    assert after.content == before.content
    page: Any = pypdfium2.PdfDocument(after.content)[0]
    said: str = page.get_textpage().get_text_bounded()
    entries = (await trip.owner.get(f"{trip.path}/evidence")).json()["entries"]
    assert entries[2]["digest"] in said
    assert "25,000 kg" in said
    assert "Ramesh Kumar" in said


async def test_numbers_of_receipts_count_by_fleet(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    fleet = uuid4()
    numbers: list[str] = []
    for tenant in (fleet, fleet, uuid4()):
        one = await journey(session, client, issuer, tenant_id=tenant)
        await one.reach("at_pickup")
        problem(await one.load(gross_kg=9_000), 422, "weights-implausible")
        numbers.append((await one.load()).json()["lorry_receipt_number"])
    assert [number.rpartition("/")[2] for number in numbers] == ["000001", "000002", "000001"]


async def test_steps_out_of_order_change_nothing(trip: Journey, session: AsyncSession) -> None:
    delivery = {"tare_kg": 9_200, "gross_kg": 34_000, "code": "1", "proof_sha256": "0" * 64}
    bodies = {"arrive-at-pickup": {"code": "000000"}, "load": LOADED, "deliver": delivery}
    for _ in MOVES:
        status = (await trip.driver.get(trip.path)).json()["status"]
        before = await state(session)
        for step, (begins, _leads) in MOVES.items():
            if begins == status:
                continue
            response = await trip.step(step, bodies.get(step))
            assert problem(response, 409, "step-out-of-order")["status_now"] == status
        assert await state(session) == before
        [onward] = [leads for begins, leads in MOVES.values() if begins == status]
        await trip.advance(onward)


async def test_a_wrong_code_counts_and_then_waits(trip: Journey, session: AsyncSession) -> None:
    await trip.reach("accepted")
    problem(await trip.step("arrive-at-pickup", {"code": "123456"}), 409, "no-code")
    right = await trip.code("pickup")
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    for left in (4, 3, 2, 1, 0):
        refused = problem(await trip.step("arrive-at-pickup", {"code": wrong}), 422, "wrong-code")
        assert refused["triesLeft"] == left
    blocked = await trip.step("arrive-at-pickup", {"code": right})
    problem(blocked, 429, "too-many-wrong-codes")
    assert 0 < int(blocked.headers["retry-after"]) <= 900
    denied = await session.execute(
        text("SELECT count(*) FROM audit_log WHERE outcome = 'denied' AND action = :action"),
        {"action": "trip.arrive-at-pickup"},
    )
    assert denied.scalar_one() == 5
    await session.execute(text("UPDATE trip_codes SET blocked_until = now()"))
    response = await trip.step("arrive-at-pickup", {"code": right})
    assert response.status_code == 200


async def test_a_code_is_asked_for_by_whoever_booked(trip: Journey) -> None:
    path = f"{trip.path}/codes/pickup"
    problem(await trip.driver.post(path), 403, "permission-missing")
    problem(await trip.owner.post(path), 403, "permission-missing")
    problem(await trip.sender.another(*SENDER).post(path), 404, "trip-not-found")
    problem(await trip.sender.post(f"{trip.path}/codes/drop"), 409, "code-not-due")
    first, second = await trip.code("pickup"), await trip.code("pickup")
    await trip.reach("accepted")
    if first != second:
        problem(await trip.step("arrive-at-pickup", {"code": first}), 422, "wrong-code")
    assert (await trip.step("arrive-at-pickup", {"code": second})).status_code == 200


async def test_other_peoples_trips_are_not_there(trip: Journey, session: AsyncSession) -> None:
    others = (
        trip.driver.another(*DRIVER),
        trip.driver.another(*DRIVER, tenant_id=trip.owner.tenant_id),
        trip.owner.another(*OWNER),
    )
    before = await state(session)
    for other in others:
        for path in (trip.path, NO_TRIP):
            problem(await other.get(path), 404, "trip-not-found")
            problem(await other.get(f"{path}/evidence"), 404, "trip-not-found")
            problem(await other.get(f"{path}/lorry-receipt"), 404, "trip-not-found")
            problem(await other.post(f"{path}/accept"), 404, "trip-not-found")
        assert (await other.get("/v1/trips")).json()["items"] == []
    assert await state(session) == before
    problem(await trip.sender.post(f"{trip.path}/accept"), 403, "permission-missing")


async def test_driver_and_owner_see_the_trip(trip: Journey) -> None:
    for caller in (trip.driver, trip.owner):
        shown = await caller.get(trip.path)
        assert shown.headers["etag"] == '"1"'
        listed = await caller.get("/v1/trips", status="assigned")
        assert listed.json()["items"] == [shown.json()]
        assert (await caller.get("/v1/trips", status="closed")).json()["items"] == []
        assert (await caller.get("/v1/trips", booking_id=str(uuid4()))).json()["items"] == []


async def test_the_same_request_again_is_the_same_step(
    trip: Journey, session: AsyncSession
) -> None:
    first = await trip.step("accept", Idempotency_Key="k")
    again = await trip.step("accept", Idempotency_Key="k")
    assert (again.status_code, again.content) == (200, first.content)
    assert len(await events_of(session, str(trip.trip_id))) == 1
    problem(await trip.step("accept"), 409, "step-out-of-order")


async def test_a_version_that_was_not_seen_is_refused(trip: Journey) -> None:
    problem(await trip.step("accept", If_Match='"7"'), 412, "precondition-failed")
    assert (await trip.step("accept", If_Match='"1"')).status_code == 200


BAD_LOADS: list[tuple[dict[str, Any], int, str]] = [
    ({"gross_kg": 9_200}, 422, "weights-implausible"),
    ({"gross_kg": 60_000}, 422, "weights-implausible"),
    ({"tare_kg": 100}, 422, "weights-implausible"),
    ({"tare_kg": "9200"}, 422, "invalid"),
    ({"tare_kg": 9200.5}, 422, "invalid"),
    ({"gross_kg": 10**12}, 422, "invalid"),
    ({"transit_pass_number": None}, 422, "transit-pass-missing"),
    ({"transit_pass_number": "no pass!"}, 422, "bad-transit-pass-number"),
    ({"pickup_state": "XX"}, 422, "invalid"),
    ({"consignor": {"name": "A", "gstin": "27AAPFU0939F1ZX"}}, 422, "bad-gstin"),
    ({"consignor": {"name": "A\nB"}}, 422, "invalid"),
    (
        {"eway_bill": {"number": "1", "issued_at": "2026-01-01T00:00:00Z"}},
        422,
        "bad-eway-bill-number",
    ),
    (
        {"eway_bill": {"number": "331009876543", "issued_at": "2020-01-01T00:00:00Z"}},
        409,
        "eway-bill-expired",
    ),
    (
        {"eway_bill": {"number": "331009876543", "issued_at": "2090-01-01T00:00:00Z"}},
        422,
        "eway-bill-from-the-future",
    ),
    ({"extra": 1}, 422, "invalid"),
]


async def test_a_load_that_makes_no_sense_changes_nothing(
    trip: Journey, session: AsyncSession
) -> None:
    await trip.reach("at_pickup")
    before = await state(session)
    for changes, status, slug in BAD_LOADS:
        problem(await trip.load(**changes), status, slug)
    assert await state(session) == before


async def test_a_shortage_beyond_the_tolerance_is_claimed(
    trip: Journey, session: AsyncSession
) -> None:
    await trip.reach("at_drop")
    assert (await trip.deliver(net_kg=24_874)).status_code == 200
    await trip.step("close")
    events = {e["type"]: e["data"] for e in await events_of(session, str(trip.trip_id))}
    claim = told.TripShortageClaimed.model_validate(events[told.TRIP_SHORTAGE_CLAIMED])
    # 126 kg of coal at Rs 4500 a ton.
    assert (claim.shortage_mt, claim.claimed.amount) == (Decimal("0.126"), 56_700)
    rows = (await session.execute(text("SELECT * FROM shortage_claims"))).mappings().all()
    assert [(row["claimed_kg"], row["paise"]) for row in rows] == [(126, 56_700)]
    entries = (await trip.owner.get(f"{trip.path}/evidence")).json()["entries"]
    assert entries[-1]["data"]["claim_paise"] == 56_700


async def test_a_shortage_within_the_tolerance_is_not(trip: Journey, session: AsyncSession) -> None:
    await trip.reach("at_drop")
    assert (await trip.deliver(net_kg=24_875)).status_code == 200
    assert (await session.execute(text("SELECT * FROM shortage_claims"))).all() == []


async def test_more_than_was_loaded_cannot_arrive(trip: Journey, session: AsyncSession) -> None:
    await trip.reach("at_drop")
    code = await trip.code("drop")
    before = await state(session)
    refused = await trip.step(
        "deliver",
        {"tare_kg": 9_200, "gross_kg": 35_000, "code": code, "proof_sha256": "0" * 64},
    )
    problem(refused, 422, "weights-implausible")
    assert await state(session) == before


async def test_an_eway_bill_that_ends_on_the_way_is_told_of(
    trip: Journey, session: AsyncSession
) -> None:
    # 1492.5 km: good for 8 days and the day of issue; at 350 km a day it takes 4.3.
    issued = datetime.now(UTC) - timedelta(days=6)
    bill = {"number": "3310 0987 6543", "issued_at": issued.isoformat()}
    await trip.reach("in_transit", eway_bill=bill)
    events = {e["type"]: e["data"] for e in await events_of(session, str(trip.trip_id))}
    at_risk = told.TripEwayBillAtRisk.model_validate(events[told.TRIP_EWAY_BILL_AT_RISK])
    assert at_risk.eway_bill_number == "331009876543"
    assert at_risk.estimated_arrival > at_risk.expires_at
    assert at_risk.extension_until - at_risk.extension_from == timedelta(hours=16)


async def test_goods_that_are_no_mineral_need_no_pass(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    grain = await journey(session, client, issuer, material_type=Material.GRAIN)
    await grain.reach("at_pickup")
    problem(await grain.load(), 422, "transit-pass-unneeded")
    assert (await grain.load(transit_pass_number=None)).json()["transit_pass_number"] is None


async def test_evidence_is_only_added(session: AsyncSession, trip: Journey) -> None:
    await trip.reach("accepted")
    for deed in ("UPDATE trip_evidence SET seq = 9", "DELETE FROM trip_evidence"):
        with pytest.raises(Exception, match="permission denied"):
            async with session.begin_nested():
                await session.execute(text(deed))
