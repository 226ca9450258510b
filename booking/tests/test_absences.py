"""When trucks and drivers can't be had."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from .factories import Caller, problem
from .fleets import absence, registered, send

SOON = datetime.now(UTC) + timedelta(days=10)


@pytest.mark.parametrize("what", ["truck", "driver"])
async def test_are_noted_listed_and_taken_back(
    fleet: Caller, session: AsyncSession, what: str
) -> None:
    member = await registered(fleet, what)
    path = f"/v1/{what}s/{member[f'{what}_id']}/absences"
    later = await fleet.post(path, absence(SOON + timedelta(days=1)))
    sooner = await fleet.post(path, absence(SOON, reason="off_duty"))
    assert (later.status_code, sooner.status_code) == (201, 201), later.text
    assert (await fleet.get(path)).json() == [sooner.json(), later.json()]
    gone = f"{path}/{sooner.json()['absence_id']}"
    assert (await send(fleet, "DELETE", gone)).status_code == 204
    problem(await send(fleet, "DELETE", gone), 404, "not-found")
    assert (await fleet.get(path)).json() == [later.json()]
    actions = await session.scalars(text("SELECT action FROM audit_log ORDER BY id"))
    assert list(actions)[-3:] == [f"{what}.absence.{v}" for v in ("note", "note", "end")]


async def test_one_that_is_on_keeps_a_truck_from_trips(fleet: Caller) -> None:
    driver = await registered(fleet, "driver")
    path = f"/v1/drivers/{driver['driver_id']}"
    now = datetime.now(UTC)
    await fleet.post(f"{path}/absences", absence(now - timedelta(hours=1), reason="off_duty"))
    [obstacle] = (await fleet.get(path)).json()["obstacles"]
    assert obstacle.startswith("off duty until ")
    [listed] = (await fleet.get("/v1/drivers")).json()["items"]
    assert listed["obstacles"] == [obstacle]


async def test_two_at_one_time_are_refused_and_those_that_meet_are_not(fleet: Caller) -> None:
    truck, other = await registered(fleet), await registered(fleet)
    path = f"/v1/trucks/{truck['truck_id']}/absences"
    first = await fleet.post(path, absence(SOON))
    problem(await fleet.post(path, absence(SOON + timedelta(hours=7))), 409, "absences-overlap")
    assert (await fleet.post(path, absence(SOON + timedelta(hours=8)))).status_code == 201
    others = f"/v1/trucks/{other['truck_id']}/absences"
    assert (await fleet.post(others, absence(SOON))).status_code == 201
    # By another truck's address it isn't reached either.
    stray = await send(fleet, "DELETE", f"{others}/{first.json()['absence_id']}")
    problem(stray, 404, "not-found")


@pytest.mark.parametrize(
    "change",
    [
        {"until": SOON.isoformat()},
        {"until": (SOON + timedelta(days=400)).isoformat()},
        {"until": "tomorrow"},
        {"begin": "2026-11-24"},
        {"reason": "tired"},
    ],
)
async def test_nonsense(fleet: Caller, session: AsyncSession, change: dict[str, Any]) -> None:
    truck = await registered(fleet)
    path = f"/v1/trucks/{truck['truck_id']}/absences"
    problem(await fleet.post(path, {**absence(SOON), **change}), 422, "invalid")
    assert await session.scalar(text("SELECT count(*) FROM absences")) == 0


async def test_of_what_left_the_fleet_there_are_none(fleet: Caller) -> None:
    truck = await registered(fleet)
    path = f"/v1/trucks/{truck['truck_id']}"
    await send(fleet, "POST", f"{path}/retire", If_Match='"1"')
    problem(await fleet.post(f"{path}/absences", absence(SOON)), 409, "retired")
    unknown = f"/v1/trucks/{UUID(int=0)}/absences"
    problem(await fleet.get(unknown), 404, "not-found")
