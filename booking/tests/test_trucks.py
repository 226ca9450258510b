"""What a fleet keeps of its trucks."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.ids import new_id
from contracts.fleet import TRUCK_CHANGED, TRUCK_REGISTERED, TruckChanged, TruckRegistered

from .factories import SHIPPER, Caller, problem
from .fleets import FLEET, new_truck, registered, send
from .rows import events_of

PAPERS = ("registration", "fitness", "insurance", "permit", "pollution")


def path_of(truck: dict[str, Any], *more: str) -> str:
    return "/".join(("/v1/trucks", truck["truck_id"], *more))


async def with_papers(fleet: Caller, **changes: Any) -> dict[str, Any]:
    truck = await registered(fleet, **changes)
    for kind in PAPERS:
        body = {"number": f"{kind}-1", "expires_on": "2090-01-01"}
        tag = f'"{truck["version"]}"'
        response = await send(fleet, "PUT", path_of(truck, "documents", kind), body, If_Match=tag)
        assert response.status_code == 200, response.text
        truck = response.json()
    return truck


async def audited(session: AsyncSession) -> list[str]:
    found = await session.scalars(text("SELECT action FROM audit_log ORDER BY id"))
    return list(found)


async def test_a_truck_is_registered_told_of_and_audited(
    fleet: Caller, session: AsyncSession
) -> None:
    response = await fleet.post("/v1/trucks", new_truck(registration_number="jh 10-ab 9999"))
    assert response.status_code == 201, response.text
    assert response.headers["etag"] == '"1"'
    truck = response.json()
    assert truck["registration_number"] == "JH10AB9999"
    assert truck["capacity_mt"] == 25.5
    assert truck["tenant_id"] == str(fleet.tenant_id)
    assert truck["obstacles"] == [f"{kind} is missing" for kind in PAPERS]
    [event] = await events_of(session, truck["truck_id"])
    assert (event["type"], event["aggregate_version"]) == (TRUCK_REGISTERED, 1)
    told = TruckRegistered.model_validate(event["data"])
    assert (told.registration_number, told.tenant_id) == ("JH10AB9999", fleet.tenant_id)
    assert await audited(session) == ["truck.register"]


async def test_with_its_papers_nothing_is_against_it(fleet: Caller) -> None:
    truck = await with_papers(fleet)
    assert truck["obstacles"] == []
    assert [paper["kind"] for paper in truck["documents"]] == sorted(PAPERS)
    assert truck["version"] == 6


async def test_an_expired_document_takes_it_out_and_says_so(fleet: Caller) -> None:
    truck = await with_papers(fleet)
    body = {"number": "P-2", "expires_on": "2026-10-01"}
    response = await send(
        fleet, "PUT", path_of(truck, "documents", "insurance"), body, If_Match='"6"'
    )
    assert response.json()["obstacles"] == ["insurance expired on 2026-10-01"]


async def test_the_same_document_again_changes_nothing(
    fleet: Caller, session: AsyncSession
) -> None:
    truck = await with_papers(fleet)
    body = {"number": "permit-1", "expires_on": "2090-01-01"}
    response = await send(fleet, "PUT", path_of(truck, "documents", "permit"), body, If_Match='"6"')
    assert response.json() == truck
    assert len(await events_of(session, truck["truck_id"])) == 6


async def test_change(fleet: Caller, session: AsyncSession) -> None:
    truck = await registered(fleet)
    change = {"capacity_mt": 30, "states": ["WB", "JH"], "truck_type": "tipper"}
    response = await send(fleet, "PATCH", path_of(truck), change, If_Match='"1"')
    assert response.status_code == 200, response.text
    assert response.headers["etag"] == '"2"'
    assert (response.json()["capacity_mt"], response.json()["states"]) == (30, ["JH", "WB"])
    [_, event] = await events_of(session, truck["truck_id"])
    assert (event["type"], event["aggregate_version"]) == (TRUCK_CHANGED, 2)
    told = TruckChanged.model_validate(event["data"])
    assert (told.changed, told.retired) == (("capacity_mt", "states"), False)
    again = await send(fleet, "PATCH", path_of(truck), change, If_Match='"2"')
    assert (again.status_code, again.json()["version"]) == (200, 2)
    assert await audited(session) == ["truck.register", "truck.change"]


@pytest.mark.parametrize(
    ("tag", "status", "slug"),
    [(None, 428, "precondition-required"), ('"2"', 412, "precondition-failed")],
)
async def test_changes_say_what_they_were_made_from(
    fleet: Caller, tag: str | None, status: int, slug: str
) -> None:
    truck = await registered(fleet)
    headers = {} if tag is None else {"If_Match": tag}
    paper = {"number": "P-1", "expires_on": "2090-01-01"}
    for method, path, body in (
        ("PATCH", path_of(truck), {"capacity_mt": 30}),
        ("PUT", path_of(truck, "documents", "permit"), paper),
        ("POST", path_of(truck, "retire"), None),
    ):
        problem(await send(fleet, method, path, body, **headers), status, slug)
    assert (await fleet.get(path_of(truck))).json() == truck


@pytest.mark.parametrize(
    "change",
    [
        {"registration_number": "XX10AB1234"},
        {"registration_number": 5},
        {"capacity_mt": 0.5},
        {"capacity_mt": 100.5},
        {"capacity_mt": "25"},
        {"capacity_mt": 25.0001},
        {"materials": []},
        {"materials": ["coal", "coal"]},
        {"materials": ["gold"]},
        {"states": ["XX"]},
        {"states": ["UA"]},
        {"truck_type": "boat"},
        {"tenant_id": str(new_id())},
    ],
)
async def test_nonsense_is_no_truck(
    fleet: Caller, session: AsyncSession, change: dict[str, Any]
) -> None:
    problem(await fleet.post("/v1/trucks", new_truck(**change)), 422, "invalid")
    assert await session.scalar(text("SELECT count(*) FROM trucks")) == 0
    truck = await registered(fleet)
    problem(await send(fleet, "PATCH", path_of(truck), change, If_Match='"1"'), 422, "invalid")


@pytest.mark.parametrize("change", [{}, {"capacity_mt": None}, {"retired_at": None}])
async def test_nonsense_changes_nothing(fleet: Caller, change: dict[str, Any]) -> None:
    truck = await registered(fleet)
    problem(await send(fleet, "PATCH", path_of(truck), change, If_Match='"1"'), 422, "invalid")
    assert (await fleet.get(path_of(truck))).json() == truck


async def test_a_registration_number_is_of_one_truck_whosever(fleet: Caller) -> None:
    truck = await registered(fleet)
    number = truck["registration_number"]
    for caller in (fleet, fleet.another(*FLEET)):
        again = await caller.post("/v1/trucks", new_truck(registration_number=number))
        problem(again, 409, "truck-known")
    response = await send(fleet, "POST", path_of(truck, "retire"), If_Match='"1"')
    assert response.json()["retired_at"] is not None
    await registered(fleet.another(*FLEET), registration_number=number)


async def test_what_left_the_fleet_changes_no_more(fleet: Caller, session: AsyncSession) -> None:
    truck = await registered(fleet)
    kept = await registered(fleet)
    await send(fleet, "POST", path_of(truck, "retire"), If_Match='"1"')
    [_, event] = await events_of(session, truck["truck_id"])
    assert TruckChanged.model_validate(event["data"]).retired
    problem(await send(fleet, "POST", path_of(truck, "retire"), If_Match='"2"'), 409, "retired")
    change = await send(fleet, "PATCH", path_of(truck), {"capacity_mt": 30}, If_Match='"2"')
    problem(change, 409, "retired")
    shown = (await fleet.get("/v1/trucks")).json()["items"]
    gone = (await fleet.get("/v1/trucks", retired=True)).json()["items"]
    assert [row["truck_id"] for row in shown] == [kept["truck_id"]]
    assert [row["truck_id"] for row in gone] == [truck["truck_id"]]


async def test_twice_with_its_key_is_once(fleet: Caller, session: AsyncSession) -> None:
    body = new_truck()
    answers = [await fleet.post("/v1/trucks", body, Idempotency_Key="k") for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert len(await events_of(session, answers[0].json()["truck_id"])) == 1


async def test_pages(fleet: Caller) -> None:
    made = [(await registered(fleet))["truck_id"] for _ in range(5)]
    await registered(fleet.another(*FLEET))
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = (await fleet.get("/v1/trucks", **query)).json()
        seen += [row["truck_id"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == made[::-1]


async def test_another_fleets_trucks_are_not_there(fleet: Caller) -> None:
    truck = await registered(fleet)
    other = fleet.another(*FLEET)
    paper = {"number": "P-1", "expires_on": "2090-01-01"}
    window = {
        "reason": "off_duty",
        "begin": "2090-01-01T00:00:00Z",
        "until": "2090-01-02T00:00:00Z",
    }
    for method, path, body in (
        ("GET", path_of(truck), None),
        ("PATCH", path_of(truck), {"capacity_mt": 30}),
        ("PUT", path_of(truck, "documents", "permit"), paper),
        ("POST", path_of(truck, "retire"), None),
        ("GET", path_of(truck, "absences"), None),
        ("POST", path_of(truck, "absences"), window),
        ("DELETE", path_of(truck, "absences", str(new_id())), None),
    ):
        refused = await send(other, method, path, body, If_Match='"1"')
        problem(refused, 404, "not-found")
    assert (await other.get("/v1/trucks")).json()["items"] == []
    assert (await fleet.get(path_of(truck))).json() == truck


@pytest.mark.parametrize(
    ("permission", "status"),
    [("fleet:read:tenant", 200), ("fleet:read:all", 200), ("fleet:read:own", 404)],
)
async def test_who_may_read(fleet: Caller, permission: str, status: int) -> None:
    truck = await registered(fleet)
    caller = fleet.another(permission, tenant_id=fleet.tenant_id)
    assert (await caller.get(path_of(truck))).status_code == status
    problem(await caller.post("/v1/trucks", new_truck()), 403, "permission-missing")


async def test_shippers_have_no_trucks(fleet: Caller) -> None:
    refused = await fleet.another(*SHIPPER).get("/v1/trucks")
    problem(refused, 403, "permission-missing")


async def test_unknown(fleet: Caller) -> None:
    problem(await fleet.get(f"/v1/trucks/{UUID(int=0)}"), 404, "not-found")
