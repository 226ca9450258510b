import httpx

from bench.subjects.usual.app import create_app
from booking.app import create_app as create_booking_app
from chassis.testing.databases import TestDatabase, TestServer

from .conftest import NewClient
from .factories import PATH, Someone, transport
from .rows import counts_of, lasting, rows_of


async def test_writes_the_rows_that_booking_writes(
    new_client: NewClient,
    database: TestDatabase,
    test_server: TestServer,
    template: str,
    shipper: Someone,
) -> None:
    headers, body = shipper.headers(key="k-1"), transport()
    with test_server.cloned(template, "booking") as theirs:
        async with new_client(create_booking_app, theirs) as client:
            expected = await client.post(PATH, json=body, headers=headers)
        async with new_client(create_app, database) as client:
            response = await client.post(PATH, json=body, headers=headers)
        assert (response.status_code, expected.status_code) == (200, 200)
        assert response.json().keys() == expected.json().keys()
        for name in ("content-type", "etag"):
            assert response.headers[name] == expected.headers[name]
        assert lasting(await rows_of(database.url)) == lasting(await rows_of(theirs.url))


async def test_the_rows_belong_together(
    client: httpx.AsyncClient, database: TestDatabase, shipper: Someone
) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = {**shipper.headers(key="k-1"), "traceparent": traceparent}
    response = await client.post(PATH, json=transport(), headers=headers)
    rows = await rows_of(database.url)
    [booking], [event], [record] = rows.values()
    assert response.json()["booking_id"] == str(booking["id"]) == event["subject"]
    assert event["data"]["booking_id"] == event["subject"]
    assert event["traceparent"] == traceparent
    assert record["body"] == response.content
    assert len(record["fingerprint"]) == 32


async def test_without_a_key_each_is_a_booking(
    client: httpx.AsyncClient, database: TestDatabase, shipper: Someone
) -> None:
    for _ in range(2):
        response = await client.post(PATH, json=transport(), headers=shipper.headers())
        assert response.status_code == 200
        assert response.headers["etag"] == '"1"'
    assert await counts_of(database.url) == [2, 2, 0]
