import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer
from chassis.tokens import sign

from .factories import PATH, Someone, transport
from .rows import counts_of


@pytest.mark.parametrize(
    "body",
    [
        transport(quantity_mt="100"),
        transport(quantity_mt=0),
        transport(material_type="gold"),
        transport(status="confirmed"),
        transport(drop_location=transport()["pickup_location"]),
        transport(material_type="grain"),
        {},
        [],
    ],
)
async def test_refuses_a_bad_body(
    client: httpx.AsyncClient, database: TestDatabase, shipper: Someone, body: Any
) -> None:
    response = await client.post(PATH, json=body, headers=shipper.headers(key="k-1"))
    assert response.status_code == 422, response.text
    assert await counts_of(database.url) == [0, 0, 0]


async def test_refuses_what_is_no_json_and_no_key(
    client: httpx.AsyncClient, database: TestDatabase, shipper: Someone
) -> None:
    json = {**shipper.headers(), "content-type": "application/json"}
    assert (await client.post(PATH, content=b"{", headers=json)).status_code == 422
    spaced = shipper.headers(key="a b")
    assert (await client.post(PATH, json=transport(), headers=spaced)).status_code == 422
    assert await counts_of(database.url) == [0, 0, 0]


def encode(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def signed(issuer: Issuer, *, by: Issuer | None = None, **claims: Any) -> str:
    everything = {**issuer.claims(permissions=["booking:*"]), **claims}
    wanted = {name: value for name, value in everything.items() if value is not None}
    return sign(wanted, private_key_pem=(by or issuer).private_pem, kid=issuer.kid)


def unsigned(issuer: Issuer) -> str:
    return f"{encode({'alg': 'none', 'typ': 'JWT', 'kid': issuer.kid})}.{encode(issuer.claims())}."


def retold(issuer: Issuer) -> str:
    header, _, signature = signed(issuer).split(".")
    return f"{header}.{encode(issuer.claims(permissions=['*:*']))}.{signature}"


FORGERIES: dict[str, Callable[[Issuer], str]] = {
    "signed by another": lambda issuer: signed(issuer, by=Issuer("other")),
    "payload changed": retold,
    "alg none": unsigned,
    "unknown key": lambda _: signed(Issuer("other")),
    "expired": lambda issuer: signed(issuer, exp=1),
    "another issuer": lambda issuer: signed(issuer, iss="https://evil.example"),
    "another audience": lambda issuer: signed(issuer, aud=["elsewhere"]),
    "no jti": lambda issuer: signed(issuer, jti=None),
    "no tenant": lambda issuer: signed(issuer, tenant_id=None),
    "tenant is no UUID": lambda issuer: signed(issuer, tenant_id="1 OR 1=1"),
    "not a token": lambda _: "a.b",
}


@pytest.mark.parametrize("kind", FORGERIES)
async def test_refuses_a_forged_token(
    client: httpx.AsyncClient, database: TestDatabase, issuer: Issuer, kind: str
) -> None:
    headers = {"Authorization": f"Bearer {FORGERIES[kind](issuer)}"}
    response = await client.post(PATH, json=transport(), headers=headers)
    assert response.status_code == 401, response.text
    assert response.headers["www-authenticate"] == "Bearer"
    assert await counts_of(database.url) == [0, 0, 0]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}])
async def test_needs_a_token(
    client: httpx.AsyncClient, database: TestDatabase, headers: dict[str, str]
) -> None:
    response = await client.post(PATH, json=transport(), headers=headers)
    assert response.status_code == 401
    assert await counts_of(database.url) == [0, 0, 0]


async def test_needs_the_permission(
    client: httpx.AsyncClient, database: TestDatabase, shipper: Someone
) -> None:
    headers = shipper.headers("booking:read:all")
    assert (await client.post(PATH, json=transport(), headers=headers)).status_code == 403
    assert await counts_of(database.url) == [0, 0, 0]
