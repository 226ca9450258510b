from typing import Any

import httpx
import pytest

from chassis.ids import new_id

from .world import World, problem


async def create(world: World, token: str, **body: Any) -> httpx.Response:
    wanted = {"name": "Singrauli Coal", "kind": "shipper", **body}
    return await world.post("/auth/tenants", wanted, token=token)


async def test_super_admin_creates_a_tenant(world: World) -> None:
    token = await world.token("super_admin")
    answer = await create(world, token)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["name"], body["kind"], body["status"]) == ("Singrauli Coal", "shipper", "active")
    assert answer.headers["etag"] == '"1"'
    read = await world.get(f"/auth/tenants/{body['id']}", token)
    assert read.json() == body
    assert ("tenant.create", "allowed") in await world.audited()


async def test_a_name_is_taken_once_however_it_is_written(world: World) -> None:
    token = await world.token("super_admin")
    await create(world, token)
    again = await create(world, token, name=" SINGRAULI coal ")
    assert (again.status_code, problem(again)) == (409, "tenant-name-taken")


async def test_a_repeated_request_gets_the_same_answer(world: World) -> None:
    token = await world.token("super_admin")
    body = {"name": "Singrauli Coal", "kind": "shipper"}
    key = {"Idempotency-Key": "once"}
    first = await world.post("/auth/tenants", body, token=token, **key)
    again = await world.post("/auth/tenants", body, token=token, **key)
    assert (first.status_code, first.content) == (again.status_code, again.content)


@pytest.mark.parametrize("role", ["operator", "finance", "admin", "shipper", "fleet_owner"])
async def test_nobody_else_creates_tenants(world: World, role: str) -> None:
    answer = await create(world, await world.token(role))
    assert (answer.status_code, problem(answer)) == (403, "permission-missing")


NONSENSE: list[dict[str, Any]] = [
    {"kind": "platform"},
    {"kind": "other"},
    {"name": ""},
    {"name": "   "},
    {"name": "x" * 201},
    {"name": 7},
    {"status": "suspended"},
    {"id": str(new_id())},
]


async def test_nonsense(world: World) -> None:
    token = await world.token("super_admin")
    for body in NONSENSE:
        answer = await create(world, token, **body)
        assert (answer.status_code, problem(answer)) == (422, "invalid"), body


async def test_there_is_one_platform(world: World) -> None:
    await world.platform()
    with pytest.raises(Exception, match="uq_tenants_platform"):
        await world.tenant("platform")


async def test_an_admin_sees_the_own_tenant_only(world: World) -> None:
    mine, other = await world.tenant(), await world.tenant()
    token = await world.token("admin", tenant=mine)
    listed = (await world.get("/auth/tenants", token)).json()
    assert [t["id"] for t in listed["items"]] == [str(mine.id)]
    assert (await world.get(f"/auth/tenants/{mine.id}", token)).status_code == 200
    hidden = await world.get(f"/auth/tenants/{other.id}", token)
    missing = await world.get(f"/auth/tenants/{new_id()}", token)
    assert (hidden.status_code, hidden.content) == (404, missing.content)


async def test_an_admin_changes_no_tenant(world: World) -> None:
    mine = await world.tenant()
    token = await world.token("admin", tenant=mine)
    answer = await world.patch(f"/auth/tenants/{mine.id}", {"name": "Better"}, token=token)
    assert answer.status_code == 403


async def test_pages(world: World) -> None:
    token = await world.token("super_admin")
    made = [str((await world.tenant()).id) for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await world.get("/auth/tenants", token, **params)).json()
        assert len(page["items"]) <= 2
        seen += [t["id"] for t in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert [tenant_id for tenant_id in seen if tenant_id in made] == made[::-1]
    assert problem(await world.get("/auth/tenants", token, cursor="nonsense")) == "bad-cursor"


async def test_suspending_ends_the_sessions_of_all_users(world: World) -> None:
    tenant = await world.tenant()
    first, second = [await world.user(tenant=tenant) for _ in range(2)]
    bystander = await world.user()
    tokens = [await world.tokens(s) for s in (first, second, bystander)]
    root = await world.token("super_admin")
    answer = await world.patch(f"/auth/tenants/{tenant.id}", {"status": "suspended"}, token=root)
    assert answer.json()["status"] == "suspended"
    outcomes = [(await world.refresh(t["refresh_token"])).status_code for t in tokens]
    assert outcomes == [401, 401, 200]
    assert problem(await world.get("/auth/me", tokens[0]["access_token"])) == "session-ended"
    assert problem(await world.login(first)) == "account-suspended"
    active = {"status": "active"}
    await world.patch(f"/auth/tenants/{tenant.id}", active, token=root, version=2)
    assert (await world.login(first)).status_code == 200


async def test_nobody_suspends_the_own_tenant(world: World) -> None:
    platform = await world.platform()
    token = await world.token("super_admin")
    path = f"/auth/tenants/{platform.id}"
    answer = await world.patch(path, {"status": "suspended"}, token=token)
    assert (answer.status_code, problem(answer)) == (409, "own-tenant")
    renamed = await world.patch(path, {"name": "Head office"}, token=token)
    assert renamed.json()["name"] == "Head office"


async def test_changes_name_the_version_they_were_made_from(world: World) -> None:
    tenant = await world.tenant()
    token = await world.token("super_admin")
    path = f"/auth/tenants/{tenant.id}"
    bare = await world.http.patch(
        path, json={"name": "A"}, headers={"Authorization": f"Bearer {token}"}
    )
    assert bare.status_code == 428
    changed = await world.patch(path, {"name": "A"}, token=token)
    assert changed.headers["etag"] == '"2"'
    assert (await world.patch(path, {"name": "B"}, token=token)).status_code == 412


async def test_renaming_to_a_name_that_is_taken(world: World) -> None:
    await world.tenant(name="Taken")
    tenant = await world.tenant()
    token = await world.token("super_admin")
    answer = await world.patch(f"/auth/tenants/{tenant.id}", {"name": "taken"}, token=token)
    assert problem(answer) == "tenant-name-taken"


async def test_nothing_of_it_without_a_live_session(world: World) -> None:
    root = await world.user("super_admin", second_factor=True)
    tokens = await world.tokens(root)
    await world.post("/auth/logout", {"refresh_token": tokens["refresh_token"]})
    assert problem(await create(world, tokens["access_token"])) == "session-ended"
    assert (await world.http.get("/auth/tenants")).status_code == 401
