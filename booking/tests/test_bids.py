"""Bids: placed and taken back by fleets, answered by whoever booked."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.statuses import Status
from contracts.bids import (
    BID_ACCEPTED,
    BID_DECLINED,
    BID_PLACED,
    BID_WITHDRAWN,
    BidAccepted,
    BidPlaced,
)
from contracts.trips import TripAssigned

from .bids import answer, bid, offer, owner_of, placed, seen, withdraw
from .factories import SHIPPER, Caller, problem
from .fleets import FLEET, send
from .loads import SOON, Pair, accept, open_load, pair
from .rows import events_of


async def kinds_of(session: AsyncSession, told: dict[str, Any]) -> list[str]:
    return [event["type"] for event in await events_of(session, told["bid_id"])]


async def test_a_bid_becomes_a_trip_at_its_price(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session)
    mine = await pair(session, fleet.tenant_id)
    open_bid = await placed(fleet, booking, mine)
    assert (open_bid["status"], open_bid["price"]["amount"]) == ("open", 1_000_000)
    [told] = await events_of(session, open_bid["bid_id"])
    assert BidPlaced.model_validate(told["data"]).shipper_id == booking.shipper_id
    # Nothing is held by it.
    assert await session.scalar(text("SELECT count(*) FROM trips")) == 0

    shipper = owner_of(fleet, booking)
    response = await answer(shipper, open_bid, "accept")
    assert response.status_code == 200, response.text
    trip_id = response.json()["trip_id"]
    [assigned] = await events_of(session, trip_id)
    agreed = TripAssigned.model_validate(assigned["data"]).agreed
    assert agreed is not None
    assert agreed.amount == 1_000_000
    kept = await session.scalar(text("SELECT agreed_paise FROM trips"))
    assert kept == 1_000_000
    assert await kinds_of(session, open_bid) == [BID_PLACED, BID_ACCEPTED]
    [_, accepted] = await events_of(session, open_bid["bid_id"])
    assert str(BidAccepted.model_validate(accepted["data"]).trip_id) == trip_id
    assert (await seen(fleet, open_bid))["trip_id"] == trip_id
    assert (await shipper.get(f"/v1/booking/{booking.id}")).json()["status"] == "assigned"
    audit = await session.scalars(text("SELECT action FROM audit_log ORDER BY action"))
    assert list(audit) == ["bid.accept", "bid.place", "trip.assign"]


async def test_whoever_booked_sees_what_it_is_offered_and_not_by_whom(
    fleet: Caller, session: AsyncSession
) -> None:
    booking = await open_load(session)
    mine = await pair(session, fleet.tenant_id)
    await placed(fleet, booking, mine)
    path = f"/v1/booking/{booking.id}/bids"
    response = await owner_of(fleet, booking).get(path)
    [shown] = response.json()["items"]
    assert shown["truck_type"] == "tipper"
    assert shown["share"]["amount"] == booking.price_paise // 4
    hidden = (mine.truck.id, mine.driver.id, mine.truck.registration_number, fleet.tenant_id)
    assert not [value for value in (*hidden, fleet.subject) if str(value) in response.text]
    assert (await owner_of(fleet, booking).get(path, status="accepted")).json()["items"] == []


@pytest.mark.parametrize("verb", ["accept", "decline", "withdraw"])
async def test_a_bid_ends_once(fleet: Caller, session: AsyncSession, verb: str) -> None:
    booking = await open_load(session)
    mine = await pair(session, fleet.tenant_id)
    shipper = owner_of(fleet, booking)
    told = await placed(fleet, booking, mine)

    async def end(how: str) -> Any:
        return await (withdraw(fleet, told) if how == "withdraw" else answer(shipper, told, how))

    assert (await end(verb)).status_code == 200
    for again in ("accept", "decline", "withdraw"):
        ended = problem(await end(again), 409, "bid-ended")
        assert ended["status_now"] == (await seen(fleet, told))["status"]
    kinds = {"accept": BID_ACCEPTED, "decline": BID_DECLINED, "withdraw": BID_WITHDRAWN}
    assert await kinds_of(session, told) == [BID_PLACED, kinds[verb]]
    if verb != "accept":
        # And the truck may bid anew.
        await placed(fleet, booking, mine)


async def test_the_fleet_reads_why_it_was_declined(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session)
    told = await placed(fleet, booking, await pair(session, fleet.tenant_id))
    await answer(owner_of(fleet, booking), told, "decline", {"reason": "Too late in the day"})
    [mine] = (await fleet.get("/v1/bids", status="declined")).json()["items"]
    assert mine["reason"] == "Too late in the day"


async def test_a_truck_has_one_open_bid_on_a_booking(fleet: Caller, session: AsyncSession) -> None:
    booking, another = [await open_load(session) for _ in range(2)]
    mine = await pair(session, fleet.tenant_id)
    await placed(fleet, booking, mine)
    problem(await bid(fleet, booking, mine, price_paise=5), 409, "bid-open")
    await placed(fleet, another, mine)
    await placed(fleet, booking, await pair(session, fleet.tenant_id))


async def test_above_its_share_only_operators_agree(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session)
    share = booking.price_paise // 4
    dear = await placed(fleet, booking, await pair(session, fleet.tenant_id), price_paise=share + 1)
    refused = await answer(owner_of(fleet, booking), dear, "accept")
    assert problem(refused, 409, "bid-above-share")["share_paise"] == share
    assert (await seen(fleet, dear))["status"] == "open"
    operator = fleet.another("trip:assign:all")
    assert len((await operator.get(f"/v1/booking/{booking.id}/bids")).json()["items"]) == 1
    assert (await answer(operator, dear, "accept")).status_code == 200


async def test_a_truck_that_is_busy_meanwhile_ends_its_bid(
    fleet: Caller, session: AsyncSession
) -> None:
    booking, another = [await open_load(session) for _ in range(2)]
    mine = await pair(session, fleet.tenant_id)
    told = await placed(fleet, booking, mine)
    assert (await accept(fleet, another, mine)).status_code == 201
    gone = problem(await answer(owner_of(fleet, booking), told, "accept"), 409, "bid-gone")
    assert gone["reason"] == "The truck has another trip."
    now = await seen(fleet, told)
    assert (now["status"], now["reason"]) == ("lapsed", gone["reason"])
    assert booking.status is Status.CONFIRMED


async def test_papers_that_ran_out_meanwhile_end_it(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session)
    mine = await pair(session, fleet.tenant_id)
    told = await placed(fleet, booking, mine)
    for paper in mine.truck.documents:
        paper.expires_on = SOON.date() - timedelta(days=1)
    await session.flush()
    gone = problem(await answer(owner_of(fleet, booking), told, "accept"), 409, "bid-gone")
    assert "insurance expired on" in gone["reason"]


async def test_what_fits_nobody_can_bid_for(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session, quantity_mt=Decimal(20))
    mine, others = await pair(session, fleet.tenant_id), await pair(session, uuid4())
    problem(await bid(fleet, booking, mine, 26), 409, "load-covered")
    sand_only = await pair(session, fleet.tenant_id, materials=["sand"])
    problem(await bid(fleet, booking, sand_only, 10), 409, "not-fit")
    for mixed in (
        Pair(truck=others.truck, driver=mine.driver),
        Pair(truck=mine.truck, driver=others.driver),
    ):
        problem(await bid(fleet, booking, mixed, 10), 404, "not-found")
    requested = await open_load(session, status=Status.REQUESTED)
    problem(await bid(fleet, requested, mine, 10), 404, "not-found")
    late = {"valid_until": (SOON + timedelta(hours=1)).isoformat()}
    problem(await bid(fleet, booking, mine, 10, **late), 422, "bad-validity")


async def test_nonsense(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session)
    body = offer(await pair(session, fleet.tenant_id))
    path = f"/v1/board/{booking.id}/bids"
    for change in (
        {"price_paise": 0},
        {"price_paise": 1.5},
        {"price_paise": "1"},
        {"price_paise": 10**11},
        {"load_mt": -1},
        {"valid_until": "soon"},
        {"trip_id": str(uuid4())},
    ):
        problem(await send(fleet, "POST", path, {**body, **change}), 422, "invalid")
    problem(await fleet.get("/v1/bids", cursor="x"), 400, "bad-cursor")
    problem(await fleet.get(f"/v1/bids/{uuid4()}"), 404, "bid-not-found")
    shipper = owner_of(fleet, booking)
    unknown = {"booking_id": str(booking.id), "bid_id": str(uuid4())}
    problem(await answer(shipper, unknown, "accept"), 404, "bid-not-found")


async def test_other_tenants_see_and_reach_nothing(fleet: Caller, session: AsyncSession) -> None:
    booking, another = [await open_load(session) for _ in range(2)]
    told = await placed(fleet, booking, await pair(session, fleet.tenant_id))
    other_fleet = fleet.another(*FLEET)
    assert (await other_fleet.get("/v1/bids")).json()["items"] == []
    problem(await other_fleet.get(f"/v1/bids/{told['bid_id']}"), 404, "bid-not-found")
    problem(await withdraw(other_fleet, told), 404, "bid-not-found")
    stranger = fleet.another(*SHIPPER)
    problem(await stranger.get(f"/v1/booking/{booking.id}/bids"), 404, "not-found")
    elsewhere = owner_of(fleet, another)
    for verb in ("accept", "decline"):
        problem(await answer(stranger, told, verb), 404, "not-found")
        # By way of a booking of one's own.
        by_mine = {**told, "booking_id": str(another.id)}
        problem(await answer(elsewhere, by_mine, verb), 404, "bid-not-found")
        # Who bids doesn't answer, also not with a trip of the booking.
        problem(await answer(fleet, told, verb), 403, "permission-missing")
    problem(await fleet.get(f"/v1/booking/{booking.id}/bids"), 403, "permission-missing")
    problem(
        await bid(stranger, booking, await pair(session, stranger.tenant_id)),
        403,
        "permission-missing",
    )
    assert (await seen(fleet, told))["status"] == "open"


async def test_twice_with_its_key_is_once(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session)
    path, body = f"/v1/board/{booking.id}/bids", offer(await pair(session, fleet.tenant_id))
    first, second = [await fleet.post(path, body, Idempotency_Key="k") for _ in range(2)]
    assert first.content == second.content
    shipper = owner_of(fleet, booking)
    answers = [await answer(shipper, first.json(), "accept", Idempotency_Key="k") for _ in range(2)]
    assert answers[0].status_code == 200
    assert answers[0].content == answers[1].content
    assert await session.scalar(text("SELECT count(*) FROM trips")) == 1


async def test_pages(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session)
    made = [
        (await placed(fleet, booking, await pair(session, fleet.tenant_id)))["bid_id"]
        for _ in range(3)
    ]
    for caller, path in (
        (fleet, "/v1/bids"),
        (owner_of(fleet, booking), f"/v1/booking/{booking.id}/bids"),
    ):
        page = (await caller.get(path, limit=2)).json()
        rest = (await caller.get(path, limit=2, cursor=page["next_cursor"])).json()
        assert [one["bid_id"] for one in page["items"] + rest["items"]] == made[::-1]
        assert rest["next_cursor"] is None
