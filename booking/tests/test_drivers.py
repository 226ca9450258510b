"""What a fleet keeps of its drivers."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.fleet import DRIVER_CHANGED, DRIVER_REGISTERED, DriverChanged, DriverRegistered

from .factories import Caller, problem
from .fleets import FLEET, licence, new_driver, registered, send
from .rows import events_of


def path_of(driver: dict[str, Any], *more: str) -> str:
    return "/".join(("/v1/drivers", driver["driver_id"], *more))


async def test_a_driver_is_registered_and_told_of_without_name_and_number(
    fleet: Caller, session: AsyncSession
) -> None:
    user = uuid4()
    driver = await registered(fleet, "driver", user_id=str(user))
    assert (driver["version"], driver["obstacles"]) == (1, [])
    [event] = await events_of(session, driver["driver_id"])
    assert event["type"] == DRIVER_REGISTERED
    told = DriverRegistered.model_validate(event["data"])
    assert (told.user_id, told.tenant_id) == (str(user), fleet.tenant_id)
    for secret in (driver["name"], driver["phone"], driver["licence_number"]):
        assert secret not in str(event["data"])
    audit = await session.execute(text("SELECT action, details::text FROM audit_log"))
    assert [tuple(row) for row in audit] == [("driver.register", "{}")]


async def test_change(fleet: Caller, session: AsyncSession) -> None:
    driver = await registered(fleet, "driver", user_id=str(uuid4()))
    change = {"licence_expires_on": "2026-10-01", "user_id": None}
    response = await send(fleet, "PATCH", path_of(driver), change, If_Match='"1"')
    assert response.status_code == 200, response.text
    changed = response.json()
    assert changed["user_id"] is None
    assert changed["obstacles"] == ["licence expired on 2026-10-01"]
    assert changed["name"] == driver["name"]
    [_, event] = await events_of(session, driver["driver_id"])
    assert (event["type"], event["aggregate_version"]) == (DRIVER_CHANGED, 2)
    told = DriverChanged.model_validate(event["data"])
    assert told.changed == ("licence_expires_on", "subject")


@pytest.mark.parametrize(
    "change",
    [
        {"phone": "9876543210"},
        {"phone": "+911234567890"},
        {"phone": "+9198765432101"},
        {"licence_classes": []},
        {"licence_classes": ["HMV", "HMV"]},
        {"licence_classes": ["PLANE"]},
        {"licence_expires_on": "2026-13-01"},
        {"licence_expires_on": 1},
        {"licence_expires_on": "2026-11-24T00:00:00Z"},
        {"name": "  "},
        {"name": "Ramesh\nKumar"},
        {"name": None},
        {"user_id": "me"},
        {"licence_number": "JH10"},
        {"told_expired_on": "2026-01-01"},
    ],
)
async def test_nonsense(fleet: Caller, session: AsyncSession, change: dict[str, Any]) -> None:
    problem(await fleet.post("/v1/drivers", new_driver(**change)), 422, "invalid")
    assert await session.scalar(text("SELECT count(*) FROM drivers")) == 0
    driver = await registered(fleet, "driver")
    refused = await send(fleet, "PATCH", path_of(driver), change, If_Match='"1"')
    problem(refused, 422, "invalid")
    assert (await fleet.get(path_of(driver))).json() == driver


async def test_a_licence_and_a_user_are_of_one_driver(fleet: Caller) -> None:
    number, user = licence(), str(uuid4())
    driver = await registered(fleet, "driver", licence_number=number, user_id=user)
    other = fleet.another(*FLEET)
    for same in ({"licence_number": number}, {"user_id": user}):
        problem(await other.post("/v1/drivers", new_driver(**same)), 409, "driver-known")
    second = await registered(other, "driver")
    taken = await send(other, "PATCH", path_of(second), {"user_id": user}, If_Match='"1"')
    problem(taken, 409, "driver-known")
    await send(fleet, "POST", path_of(driver, "retire"), If_Match='"1"')
    await registered(other, "driver", licence_number=number, user_id=user)


async def test_another_fleets_drivers_are_not_there(fleet: Caller) -> None:
    driver = await registered(fleet, "driver")
    other = fleet.another(*FLEET)
    for method, path, body in (
        ("GET", path_of(driver), None),
        ("PATCH", path_of(driver), {"name": "Somebody"}),
        ("POST", path_of(driver, "retire"), None),
    ):
        problem(await send(other, method, path, body, If_Match='"1"'), 404, "not-found")
    assert (await other.get("/v1/drivers")).json()["items"] == []
    assert (await fleet.get(path_of(driver))).json() == driver
