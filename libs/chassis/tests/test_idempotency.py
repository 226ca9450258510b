import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Response
from pydantic import BaseModel, SecretStr
from sqlalchemy import text

from chassis.access import Grant, requires
from chassis.app import create_app
from chassis.db import Database, Session
from chassis.errors import Conflict
from chassis.idempotency import IdempotentRoute, KeyedRoute
from chassis.settings import ServiceSettings
from chassis.testing.client import client_for
from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer

ISSUER = Issuer()
TENANT = UUID(int=7)


class Entry(BaseModel):
    name: str
    refuse: bool = False
    seconds: float = 0


Writer = Annotated[Grant, requires("entry", "create")]


def routers() -> list[APIRouter]:
    entries = APIRouter(route_class=IdempotentRoute)
    money = APIRouter(route_class=KeyedRoute)

    @entries.post("/entries/{shelf}")
    async def create(
        shelf: str, entry: Entry, grant: Writer, session: Session, response: Response
    ) -> dict[str, str]:
        statement = text(
            "INSERT INTO audit_log (id, actor, action, target, outcome)"
            " VALUES (:id, :actor, 'create', :target, 'allowed')"
        )
        row_id = uuid4()
        target = f"{shelf}/{entry.name}"
        values = {"id": row_id, "actor": grant.principal.subject, "target": target}
        await session.execute(statement, values)
        await asyncio.sleep(entry.seconds)
        if entry.refuse:
            raise Conflict("not now")
        response.headers["ETag"] = f'"{row_id}"'
        return {"id": str(row_id)}

    @entries.get("/entries/{shelf}")
    async def read(shelf: str) -> dict[str, str]:
        return {"shelf": shelf}

    @money.post("/payments")
    async def pay(_grant: Writer) -> dict[str, bool]:
        return {"paid": True}

    _used = (create, read, pay)
    return [entries, money]


def app(database: Database) -> FastAPI:
    return create_app(
        name="sample",
        title="Sample",
        description="",
        settings=ServiceSettings(database_url=SecretStr("postgresql+asyncpg://x/y")),
        database=database,
        routers=routers(),
        open_scopes={},
        keys=ISSUER,
    )


@asynccontextmanager
async def api(database: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with client_for(app(database)) as client:
        yield client


def headers(key: str | None, *, subject: str = "alice", tenant: UUID = TENANT) -> dict[str, str]:
    bearer = ISSUER.bearer(permissions=["entry:create:own"], subject=subject, tenant_id=tenant)
    return bearer if key is None else {**bearer, "Idempotency-Key": key}


async def post(
    client: httpx.AsyncClient, key: str | None = "k1", path: str = "/entries/a", **entry: Any
) -> httpx.Response:
    return await client.post(path, json={"name": "x", **entry}, headers=headers(key))


async def count(database: Database) -> int:
    async with database.begin() as session:
        return (await session.execute(text("SELECT count(*) FROM audit_log"))).scalar_one()


async def test_the_same_request_gets_the_same_answer(rollback_database: Database) -> None:
    async with api(rollback_database) as client:
        first = await post(client)
        again = await client.post(
            "/entries/a",
            content=b'{ "refuse":false,"seconds":0,"name":"x"}',
            headers={**headers("k2"), "Content-Type": "application/json"},
        )
        replay = await post(client)
        reordered = await client.post(
            "/entries/a",
            content=b'{"seconds": 0, "name": "x", "refuse": false}',
            headers={**headers("k2"), "Content-Type": "application/json"},
        )
    assert first.status_code == 200
    assert replay.content == first.content
    assert replay.headers["etag"] == first.headers["etag"]
    assert replay.headers["idempotency-replayed"] == "true"
    assert reordered.content == again.content
    assert await count(rollback_database) == 2


async def test_another_payload_is_422(rollback_database: Database) -> None:
    async with api(rollback_database) as client:
        await post(client)
        other = await post(client, name="y")
    assert other.status_code == 422
    assert other.json()["type"].endswith("/idempotency-key-reused")
    assert await count(rollback_database) == 1


async def test_a_key_is_its_principals_own(rollback_database: Database) -> None:
    async with api(rollback_database) as client:
        answers = [
            await client.post("/entries/a", json={"name": "x"}, headers=who)
            for who in (
                headers("k"),
                headers("k", subject="bob"),
                headers("k", tenant=UUID(int=8)),
            )
        ]
        answers.append(await post(client, "k", "/entries/b"))
    assert len({answer.json()["id"] for answer in answers}) == 4


async def test_a_refusal_leaves_the_key_free(rollback_database: Database) -> None:
    async with api(rollback_database) as client:
        refused = await post(client, refuse=True)
        accepted = await post(client)
    assert (refused.status_code, accepted.status_code) == (409, 200)
    assert await count(rollback_database) == 1


async def test_without_a_key_every_request_counts(rollback_database: Database) -> None:
    async with api(rollback_database) as client:
        await post(client, None)
        await post(client, None)
    assert await count(rollback_database) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "caf\u00e9", "\x7f"])
async def test_a_malformed_key_is_400(rollback_database: Database, key: str) -> None:
    sent = [(n.encode(), v.encode("latin-1")) for n, v in headers(key).items()]
    async with api(rollback_database) as client:
        answer = await client.post("/entries/a", json={"name": "x"}, headers=sent)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/idempotency-key-malformed")


async def test_money_needs_a_key(rollback_database: Database) -> None:
    async with api(rollback_database) as client:
        without = await client.post("/payments", headers=headers(None))
        keyed = await client.post("/payments", headers=headers("k"))
    assert without.status_code == 400
    assert keyed.status_code == 200


async def test_a_key_needs_a_token(rollback_database: Database) -> None:
    async with api(rollback_database) as client:
        answer = await client.post(
            "/entries/a", json={"name": "x"}, headers={"Idempotency-Key": "k"}
        )
        read = await client.get("/entries/a", headers={"Idempotency-Key": "k"})
    assert answer.status_code == 401
    assert read.status_code == 200


async def test_the_same_key_at_once_has_one_effect(database: TestDatabase) -> None:
    real = Database.connect(database.url, name="test")
    async with api(real) as client:
        answers = await asyncio.gather(*(post(client, seconds=0.3) for _ in range(4)))
        kept = {answer.content for answer in answers if answer.status_code == 200}
        replay = await post(client, seconds=0.3)
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 409}
    assert kept == {replay.content}
    after = Database.connect(database.url, name="test")
    assert await count(after) == 1
    await after.dispose()


def test_openapi_names_the_key(rollback_database: Database) -> None:
    paths = app(rollback_database).openapi()["paths"]
    optional = paths["/entries/{shelf}"]["post"]["parameters"][-1]
    required = paths["/payments"]["post"]["parameters"][-1]
    assert (optional["name"], optional["required"]) == ("Idempotency-Key", False)
    assert (required["name"], required["required"]) == ("Idempotency-Key", True)
    assert "Idempotency-Key" not in str(paths["/entries/{shelf}"]["get"])
