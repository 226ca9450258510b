import asyncio

import httpx

from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer

from .factories import PATH, Someone, transport
from .rows import counts_of


async def test_a_key_that_comes_again_gets_the_same_answer(
    client: httpx.AsyncClient, database: TestDatabase, shipper: Someone
) -> None:
    headers = shipper.headers(key="k-1")
    first = await client.post(PATH, json=transport(), headers=headers)
    again = await client.post(PATH, json=transport(), headers=headers)
    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert await counts_of(database.url) == [1, 1, 1]


async def test_a_key_that_comes_many_times_at_once_books_once(
    client: httpx.AsyncClient, database: TestDatabase, shipper: Someone
) -> None:
    headers = shipper.headers(key="k-1")
    asked = [client.post(PATH, json=transport(), headers=headers) for _ in range(8)]
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert await counts_of(database.url) == [1, 1, 1]


async def test_a_key_is_for_one_payload(
    client: httpx.AsyncClient, database: TestDatabase, shipper: Someone
) -> None:
    headers = shipper.headers(key="k-1")
    await client.post(PATH, json=transport(), headers=headers)
    response = await client.post(PATH, json=transport(quantity_mt=5), headers=headers)
    assert response.status_code == 422
    assert response.json()["type"].endswith("/idempotency-key-reused")
    assert await counts_of(database.url) == [1, 1, 1]


async def test_a_key_is_its_callers_own(
    client: httpx.AsyncClient, database: TestDatabase, issuer: Issuer
) -> None:
    for _ in range(2):
        headers = Someone(issuer).headers(key="k-1")
        response = await client.post(PATH, json=transport(), headers=headers)
        assert "idempotency-replayed" not in response.headers
    assert await counts_of(database.url) == [2, 2, 2]
