from pathlib import Path

import httpx

from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer

from .factories import PATH, Someone, transport
from .processes import fill, serving
from .rows import counts_of


async def test_the_usual_way_serves(
    database: TestDatabase, issuer: Issuer, shipper: Someone, tmp_path: Path
) -> None:
    fill(tmp_path, issuer)
    served = serving("bench.subjects.usual", database_url=database.url, folder=tmp_path)
    async with served as url, httpx.AsyncClient(base_url=url) as client:
        response = await client.post(PATH, json=transport(), headers=shipper.headers(key="k-1"))
        assert response.status_code == 200, response.text
        assert response.json()["price"]["amount"] == 106_518_443
    assert await counts_of(database.url) == [1, 1, 1]


async def test_the_echo_serves(database: TestDatabase, tmp_path: Path) -> None:
    served = serving("bench.subjects.echo", database_url=database.url, folder=tmp_path)
    async with served as url, httpx.AsyncClient(base_url=url) as client:
        response = await client.post(PATH, json=transport())
        assert response.status_code == 200
        assert response.json() == transport()
    assert await counts_of(database.url) == [0, 0, 0]
