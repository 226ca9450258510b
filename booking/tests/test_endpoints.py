"""One way through, as a shipper goes it."""

from .factories import Shipper, transport


async def test_books_at_the_price_of_now(shipper: Shipper) -> None:
    response = await shipper.post("/v1/booking", transport())
    assert response.status_code == 200, response.text
    assert response.headers["etag"] == '"1"'
    print(response.text)
    booking = response.json()
    assert booking["status"] == "requested"
