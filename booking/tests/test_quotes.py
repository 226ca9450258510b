from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from booking.models import Booking, Quote
from booking.pricing import PriceBasis, recompute
from chassis.ids import new_id

from .factories import Caller, FakeSource, configuration, problem, surge, transport
from .rows import owned_by, quote_row


async def test_a_quote_says_what_its_price_was_made_from(shipper: Caller) -> None:
    quote = await shipper.quote()
    assert quote["price"] == {"amount": 105_988_500, "currency": "INR"}
    assert quote["quantity_mt"] == 100
    assert quote["distance_m"] == quote["price_basis"]["distance_m"] == 1_492_500
    assert quote["price_basis"]["config_version"] == 1
    assert quote["price_basis"]["config_checksum"] == configuration().checksum
    assert quote["price_basis"]["rates"] == {"base": "250.5", "distance": "5.75", "material": "1.2"}
    lifetime = datetime.fromisoformat(quote["expires_at"]) - datetime.fromisoformat(
        quote["created_at"]
    )
    assert lifetime == timedelta(minutes=30)


async def test_what_is_kept_gives_the_price_again(
    shipper: Caller, session: AsyncSession, source: FakeSource
) -> None:
    source.now = configuration(surge_config=surge(("distance_km > 1000.0", 1.37)))
    quote = await shipper.quote(quantity_mt=77.777)
    kept = await session.get_one(Quote, UUID(quote["quote_id"]))
    basis = PriceBasis.read(kept.price_basis)
    assert basis.surge.condition == "distance_km > 1000.0"
    assert recompute(basis) == kept.price_paise == quote["price"]["amount"]


async def test_a_booking_takes_everything_from_its_quote(
    shipper: Caller, session: AsyncSession, source: FakeSource
) -> None:
    quote = await shipper.quote(quantity_mt=12.345)
    source.now = configuration(version=2, base_rate=9_999)
    response = await shipper.post("/v1/booking", {"quote_id": quote["quote_id"]})
    assert response.status_code == 200, response.text
    booking = response.json()
    for name in (
        "price",
        "pickup_location",
        "drop_location",
        "material_type",
        "quantity_mt",
        "distance_m",
        "quote_id",
    ):
        assert booking[name] == quote[name]
    kept = await session.get_one(Booking, UUID(booking["booking_id"]))
    assert kept.price_basis == quote["price_basis"]


async def test_a_quote_is_good_without_configuration(shipper: Caller, source: FakeSource) -> None:
    quote = await shipper.quote()
    source.now = None
    response = await shipper.post("/v1/booking", {"quote_id": quote["quote_id"]})
    assert response.status_code == 200


async def test_a_quote_gives_one_booking(shipper: Caller) -> None:
    body = {"quote_id": (await shipper.quote())["quote_id"]}
    assert (await shipper.post("/v1/booking", body)).status_code == 200
    problem(await shipper.post("/v1/booking", body), 409, "quote-used")


async def test_a_quote_runs_out(shipper: Caller, session: AsyncSession) -> None:
    made = datetime.now(UTC) - timedelta(minutes=31)
    quote = quote_row(**owned_by(shipper), created_at=made)
    session.add(quote)
    await session.flush()
    response = await shipper.post("/v1/booking", {"quote_id": str(quote.id)})
    problem(response, 409, "quote-expired")


async def test_an_unknown_quote(shipper: Caller) -> None:
    response = await shipper.post("/v1/booking", {"quote_id": str(new_id())})
    problem(response, 404, "quote-not-found")


@pytest.mark.parametrize("same_tenant", [True, False])
async def test_somebody_elses_quote(shipper: Caller, same_tenant: bool) -> None:
    other = shipper.another(tenant_id=shipper.tenant_id if same_tenant else None)
    quote = await other.quote()
    response = await shipper.post("/v1/booking", {"quote_id": quote["quote_id"]})
    problem(response, 404, "quote-not-found")


async def test_no_configuration_no_price(
    shipper: Caller, session: AsyncSession, source: FakeSource
) -> None:
    source.now = None
    for path in ("/v1/quotes", "/v1/booking"):
        response = await shipper.post(path, transport())
        problem(response, 503, "configuration-unavailable")
        assert response.headers["retry-after"]


async def test_the_same_place(shipper: Caller) -> None:
    there = transport()["pickup_location"]
    for path in ("/v1/quotes", "/v1/booking"):
        response = await shipper.post(path, transport(drop_location=there))
        problem(response, 422, "same-place")


async def test_a_material_without_a_price(shipper: Caller) -> None:
    response = await shipper.post("/v1/quotes", transport(material_type="iron_ore"))
    problem(response, 422, "material-not-priced")


async def test_a_repeated_request_with_a_key_gives_one_quote(shipper: Caller) -> None:
    first = await shipper.post("/v1/quotes", transport(), Idempotency_Key="q-1")
    again = await shipper.post("/v1/quotes", transport(), Idempotency_Key="q-1")
    assert first.content == again.content
