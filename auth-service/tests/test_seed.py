import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from auth_service import totp
from auth_service.models import ServiceClient, Tenant, TotpCredential, User
from auth_service.seed import CannotSeed, Seed, read_seed, seed

from .world import PASSWORD, World

SECRET = totp.new_secret()


def content(**changes: Any) -> dict[str, Any]:
    return {
        "tenants": [
            {"name": "Ubertruck", "kind": "platform"},
            {"name": "Singrauli Coal", "kind": "shipper"},
        ],
        "users": [
            {
                "tenant": "Singrauli Coal",
                "username": "asha",
                "password": PASSWORD,
                "roles": ["shipper"],
            },
            {
                "tenant": "Ubertruck",
                "username": "root",
                "password": PASSWORD,
                "roles": ["super_admin"],
                "totp_secret": SECRET,
            },
        ],
        "clients": [{"client_id": "booking", "secret": secrets.token_urlsafe(32)}],
        **changes,
    }


async def apply(world: World, wanted: dict[str, Any]) -> None:
    await seed(realm=world.realm, content=Seed.model_validate(wanted))


async def count(world: World) -> list[int | None]:
    async with world.realm.database.begin() as tx:
        tables = (Tenant, User, ServiceClient, TotpCredential)
        return [await tx.scalar(select(func.count()).select_from(table)) for table in tables]


async def test_seeded_people_and_services_get_in(world: World) -> None:
    wanted = content()
    await apply(world, wanted)
    assert (await world.login("asha")).status_code == 200
    challenge = (await world.login("root")).json()["challenge"]
    assert (await world.answer(challenge, world.code(SECRET))).status_code == 200
    client = wanted["clients"][0]
    answer = await world.http.post(
        "/auth/token",
        data={"grant_type": "client_credentials"},
        auth=(client["client_id"], client["secret"]),
    )
    assert answer.status_code == 200


async def test_twice_is_once(world: World) -> None:
    wanted = content()
    await apply(world, wanted)
    before = (await count(world), await world.audited())
    wanted["users"][0]["password"] = "another one of seventeen"
    await apply(world, wanted)
    assert (await count(world), await world.audited()) == before
    assert (await world.login("asha")).status_code == 200


async def test_two_at_once_are_one(committed: World) -> None:
    wanted = content()
    await asyncio.gather(*(apply(committed, wanted) for _ in range(3)))
    assert await count(committed) == [2, 2, 1, 1]


async def test_secrets_of_services_follow_the_file(world: World) -> None:
    await apply(world, content())
    wanted = content()
    await apply(world, wanted)
    answer = await world.http.post(
        "/auth/token",
        data={"grant_type": "client_credentials"},
        auth=("booking", wanted["clients"][0]["secret"]),
    )
    assert answer.status_code == 200
    assert await count(world) == [2, 2, 1, 1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tenants": []}, "There is none|which there isn't|there is none"),
        (
            {
                "users": [
                    {"tenant": "X", "username": "asha", "password": PASSWORD, "roles": ["shipper"]}
                ]
            },
            "asha belongs to X, which there isn't",
        ),
        (
            {
                "users": [
                    {
                        "tenant": "Ubertruck",
                        "username": "asha",
                        "password": PASSWORD,
                        "roles": ["shipper"],
                    }
                ]
            },
            "has a role that a platform has not",
        ),
        (
            {
                "users": [
                    {
                        "tenant": "Singrauli Coal",
                        "username": "asha",
                        "password": "short",
                        "roles": ["shipper"],
                    }
                ]
            },
            "The password of asha won't do",
        ),
    ],
)
async def test_what_cannot_be_seeded(world: World, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CannotSeed, match=sentence):
        await apply(world, content(**changes))


def test_a_file_that_is_no_seed(tmp_path: Path) -> None:
    path = tmp_path / "seed.json"
    with pytest.raises(CannotSeed, match="can't be read"):
        read_seed(path)
    path.write_text(json.dumps(content(clients=[{"client_id": "booking", "secret": "short!"}])))
    with pytest.raises(CannotSeed, match=r"clients\.0\.secret") as raised:
        read_seed(path)
    assert "short!" not in str(raised.value)
    path.write_text(json.dumps(content()))
    assert len(read_seed(path).users) == 2
