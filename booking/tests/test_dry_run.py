"""What a price change would have done to the last bookings, to the paisa, and without a trace."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.distance import Point
from booking.dry_run import MOST_BOOKINGS, MOST_LANES, Cell, Lane, Replay, replay
from booking.pricing import PriceBasis
from booking.statuses import Status
from booking.tariff import Freight, PricingConfig, Tariff
from chassis.canonical import checksum
from chassis.db import Database
from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer
from contracts.booking import Material
from contracts.pricing import DRY_RUN_PATH

from .conftest import NewClient
from .factories import SHIPPER, Caller, configuration, pricing, problem, surge, transport
from .rows import ROAD, booking_row

DHANBAD = Point(23.7957, 86.4304)
KOLKATA = Point(22.5726, 88.3639)
NOON = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)


def booked(by: dict[str, Any], at: datetime = NOON, **freight: Any) -> Any:
    """The columns of a booking that was made by this configuration."""
    values: dict[str, Any] = {
        "pickup": DHANBAD,
        "drop": KOLKATA,
        "material": Material.COAL,
        "quantity_mt": Decimal(100),
    }
    moved = Freight(**{**values, **freight})
    price = Tariff.of(configuration(**by)).price(moved, distance=ROAD, at=at)
    return SimpleNamespace(
        created_at=at,
        pickup_lat=moved.pickup.lat,
        pickup_lng=moved.pickup.lng,
        drop_lat=moved.drop.lat,
        drop_lng=moved.drop.lng,
        price_paise=price.paise,
        price_basis=orjson.loads(price.basis.to_json()),
    )


def config(**changes: Any) -> PricingConfig:
    return PricingConfig.model_validate(pricing(**changes))


rates = st.fixed_dictionaries(
    {
        "base_rate": st.integers(100, 10_000) | st.floats(100, 10_000),
        "distance_rate": st.floats(5, 100),
        "surge_config": st.sampled_from(
            [surge(), surge(("hour == 12", 1.25)), surge(("quantity_mt > 40.0", 1.1))]
        ),
    }
)
freights = st.fixed_dictionaries(
    {
        "quantity_mt": st.decimals(1, 1000, places=3),
        "material": st.sampled_from([Material.COAL, Material.SAND, Material.GRAIN]),
        "pickup": st.builds(Point, st.floats(8, 20), st.floats(70, 90)),
        "drop": st.builds(Point, st.floats(21, 35), st.floats(70, 90)),
    }
)


@pytest.mark.untraced
@given(st.lists(freights, min_size=1, max_size=5), rates, rates)
def test_it_is_what_booking_again_would_have_cost(
    moved: list[dict[str, Any]], old: dict[str, Any], new: dict[str, Any]
) -> None:
    rows = [booked(old, **freight) for freight in moved]
    again = [booked(new, **freight).price_paise for freight in moved]
    found = replay(rows, config(**new))
    assert found.total.booked_paise == sum(row.price_paise for row in rows)
    assert found.total.proposed_paise == sum(again)
    for parts in (found.by_material.values(), found.by_lane.values()):
        assert sum(part.bookings for part in parts) == found.total.bookings == len(rows)
        assert sum(part.difference_paise for part in parts) == found.total.difference_paise
    unchanged = replay(rows, config(**old))
    assert (unchanged.total.difference_paise, unchanged.dearer, unchanged.cheaper) == (0, 0, 0)


def test_the_hour_of_then_counts() -> None:
    night = NOON + timedelta(hours=12)
    rows = [booked({}, at=night), booked({}, at=NOON)]
    found = replay(rows, config(surge_config=surge(("hour == 0", 2))))
    assert found.total.difference_paise == rows[0].price_paise == rows[1].price_paise
    assert (found.dearer, found.cheaper) == (1, 0)
    assert (found.newest, found.oldest) == (night, NOON)


def test_a_lane_is_from_one_field_to_another() -> None:
    rows = [
        booked({}),
        booked({}, pickup=Point(23.01, 86.99)),
        booked({}, pickup=Point(-0.5, -0.5)),
    ]
    found = replay(rows, config())
    jharia, kolkata = Cell(23, 86), Cell(22, 88)
    assert {lane: part.bookings for lane, part in found.by_lane.items()} == {
        Lane(jharia, kolkata): 2,
        Lane(Cell(-1, -1), kolkata): 1,
    }


def test_the_lanes_with_the_greatest_differences_are_shown() -> None:
    found = Replay()
    for n in range(MOST_LANES + 20):
        lane = Lane(Cell(n, 0), Cell(0, 0))
        found.add("coal", lane, booked=1000, proposed=1000 + (n if n % 2 else -n))
    shown = [part.difference_paise for _, part in found.widest_lanes()]
    assert len(shown) == MOST_LANES
    assert [abs(difference) for difference in shown] == list(range(MOST_LANES + 19, 19, -1))


@pytest.fixture
def operator(client: httpx.AsyncClient, issuer: Issuer) -> Caller:
    return Caller(client, issuer, "config:approve:all")


async def tried(operator: Caller, **changes: Any) -> dict[str, Any]:
    body = {"data": pricing(**changes)}
    response = await operator.post(DRY_RUN_PATH, body)
    assert response.status_code == 200, response.text
    return response.json()


async def test_an_approver_sees_the_difference(operator: Caller, shipper: Caller) -> None:
    coal = await shipper.book()
    sand = await shipper.book(material_type="sand")
    answer = await tried(operator, material_rates={"coal": 2.4, "sand": 1, "grain": 1})
    coal_price, sand_price = coal["price"]["amount"], sand["price"]["amount"]
    assert answer["booked"] == {"amount": coal_price + sand_price, "currency": "INR"}
    assert answer["difference"]["amount"] == coal_price
    assert (answer["bookings"], answer["dearer"], answer["cheaper"]) == (2, 1, 0)
    assert [(m["material"], m["difference"]["amount"]) for m in answer["materials"]] == [
        ("coal", coal_price),
        ("sand", 0),
    ]
    [lane] = answer["lanes"]
    assert (lane["pickup"], lane["drop"]) == ({"lat": 28, "lng": 77}, {"lat": 19, "lng": 72})
    assert answer["lanes_left_out"] == 0


async def test_the_answer_names_the_content_by_the_checksum_of_a_proposal(
    operator: Caller,
) -> None:
    answer = await tried(operator, base_rate=300)
    assert answer["checksum"] == checksum(pricing(base_rate=300))
    assert (answer["bookings"], answer["oldest"], answer["materials"]) == (0, None, [])


async def test_only_the_last_that_somebody_pays(operator: Caller, session: AsyncSession) -> None:
    rows = [booking_row(created_at=NOON - timedelta(days=n)) for n in range(4)]
    void = (Status.REJECTED, Status.CANCELLED, Status.EXPIRED)
    gone = [booking_row(created_at=NOON + timedelta(days=1), status=status) for status in void]
    session.add_all([*rows, *gone])
    await session.flush()
    body = {"data": pricing(), "bookings": 3}
    answer = (await operator.post(DRY_RUN_PATH, body)).json()
    assert answer["bookings"] == 3
    assert answer["newest"] == "2026-11-24T06:30:00Z"
    assert answer["oldest"] == "2026-11-22T06:30:00Z"


async def test_what_has_no_rate_is_counted_apart(operator: Caller, shipper: Caller) -> None:
    await shipper.book()
    answer = await tried(operator, material_rates={"sand": 1})
    assert (answer["unpriced"], answer["bookings"]) == (1, 0)


async def test_nothing_is_written(
    new_client: NewClient, database: TestDatabase, issuer: Issuer
) -> None:
    connected = Database.connect(database.url, name="booking")

    async def written() -> list[Any]:
        counts = text(
            "SELECT (SELECT count(*) FROM bookings), (SELECT count(*) FROM outbox),"
            " (SELECT count(*) FROM idempotency_records), (SELECT count(*) FROM audit_log)"
        )
        async with connected.begin() as session:
            return list((await session.execute(counts)).one())

    async with new_client(connected) as client:
        await Caller(client, issuer, *SHIPPER).book()
        before = await written()
        operator = Caller(client, issuer, "config:approve:all")
        first, second = await asyncio.gather(*(tried(operator, base_rate=300) for _ in range(2)))
        assert first == second
        assert await written() == before


@pytest.mark.parametrize("permissions", [SHIPPER, ("config:read:all", "config:write:all")])
async def test_only_who_approves(shipper: Caller, permissions: tuple[str, ...]) -> None:
    other = shipper.another(*permissions)
    problem(await other.post(DRY_RUN_PATH, {"data": pricing()}), 403, "permission-missing")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/data"),
        ({"data": pricing(base_rate=99)}, "/data/base_rate"),
        ({"data": pricing(base_rate="150")}, "/data/base_rate"),
        ({"data": pricing(base_rate=True)}, "/data/base_rate"),
        ({"data": pricing(discount=1)}, "/data/discount"),
        ({"data": pricing(material_rates={"coal": 6})}, "/data/material_rates/coal"),
        ({"data": pricing(surge_config=surge(*[("hour == 1", 1)] * 51))}, None),
        ({"data": pricing(), "bookings": 0}, "/bookings"),
        ({"data": pricing(), "bookings": MOST_BOOKINGS + 1}, "/bookings"),
        ({"data": pricing(), "bookings": "5"}, "/bookings"),
        ({"data": pricing(), "since": 5}, "/since"),
    ],
)
async def test_nonsense(operator: Caller, body: dict[str, Any], pointer: str | None) -> None:
    refused = problem(await operator.post(DRY_RUN_PATH, body), 422, "invalid")
    assert pointer is None or pointer in [error["pointer"] for error in refused["errors"]]


@pytest.mark.parametrize("condition", ["hour ==", "size(material) > 1", "material > 5", "hour"])
async def test_a_condition_that_is_none(operator: Caller, shipper: Caller, condition: str) -> None:
    await shipper.book(**transport())
    body = {"data": pricing(surge_config=surge((condition, 2)))}
    problem(await operator.post(DRY_RUN_PATH, body), 422, "unusable-condition")


def test_what_was_booked_can_be_read_again() -> None:
    row = booked({})
    assert Tariff.of(configuration()).reprice(PriceBasis.read(row.price_basis)) == (row.price_paise)
