import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.ids import new_id
from chassis.testing.client import served

from .world import PASSWORD, PHONE, World, problem

GOOD = "nine copper kettles hum"


async def create(world: World, token: str, **body: Any) -> httpx.Response:
    wanted = {"username": "meera", "password": GOOD, "roles": ["shipper"], **body}
    return await world.post("/auth/users", wanted, token=token)


async def test_an_admin_creates_a_user_of_the_own_tenant(world: World) -> None:
    tenant = await world.tenant()
    token = await world.token("admin", tenant=tenant)
    answer = await create(world, token, username="Meera.K")
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["username"] == "meera.k"
    assert body["tenant_id"] == str(tenant.id)
    assert body["roles"] == ["shipper"]
    assert "password" not in answer.text
    assert answer.headers["etag"] == '"1"'
    assert (await world.get(f"/auth/users/{body['id']}", token)).json() == body
    assert (await world.login("meera.k", GOOD)).status_code == 200
    assert ("user.create", "allowed") in await world.audited()


async def test_super_admin_creates_users_anywhere(world: World) -> None:
    token = await world.token("super_admin")
    fleet = await world.tenant("fleet")
    made = await create(world, token, tenant_id=str(fleet.id), roles=["driver", "fleet_owner"])
    assert made.json()["roles"] == ["driver", "fleet_owner"]
    colleague = await create(world, token, username="op-1", roles=["operator"])
    assert colleague.json()["tenant_id"] == str((await world.platform()).id)


@pytest.mark.parametrize("roles", [["super_admin"], ["admin", "operator"], ["finance"], ["driver"]])
async def test_an_admin_gives_no_role_of_other_kinds_of_tenant(
    world: World, roles: list[str]
) -> None:
    token = await world.token("admin", tenant=await world.tenant("shipper"))
    answer = await create(world, token, roles=roles)
    assert (answer.status_code, problem(answer)) == (422, "roles-not-allowed")


async def test_not_even_super_admin_gives_a_shipper_the_platform(world: World) -> None:
    token = await world.token("super_admin")
    tenant = await world.tenant("shipper")
    answer = await create(world, token, tenant_id=str(tenant.id), roles=["super_admin"])
    assert problem(answer) == "roles-not-allowed"


async def test_another_tenant_is_as_good_as_none(world: World) -> None:
    token = await world.token("admin", tenant=await world.tenant())
    other = await world.tenant()
    stranger = await world.user(tenant=other)
    for tenant_id in (other.id, new_id()):
        answer = await create(world, token, tenant_id=str(tenant_id))
        assert (answer.status_code, problem(answer)) == (404, "not-found")
    for user_id in (stranger.id, new_id()):
        assert (await world.get(f"/auth/users/{user_id}", token)).status_code == 404
        changed = await world.patch(
            f"/auth/users/{user_id}", {"status": "suspended", "password": GOOD}, token=token
        )
        assert changed.status_code == 404
    listed = (await world.get("/auth/users", token, tenant_id=str(other.id))).json()
    assert listed["items"] == []
    assert (await world.stored(stranger)).status == "active"


@pytest.mark.parametrize("role", ["shipper", "fleet_owner", "operator", "finance"])
async def test_nobody_else_administers_users(world: World, role: str) -> None:
    token = await world.token(role)
    assert problem(await create(world, token)) == "permission-missing"
    assert (await world.get("/auth/users", token)).status_code == 403


async def test_a_username_is_taken_once(world: World) -> None:
    await world.user(username="meera")
    token = await world.token("admin")
    answer = await create(world, token, username="MEERA")
    assert (answer.status_code, problem(answer)) == (409, "username-taken")


async def test_of_many_at_once_one_gets_the_username(committed: World) -> None:
    token = await committed.token("admin")
    answers = await asyncio.gather(*(served(lambda: create(committed, token)) for _ in range(6)))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 5


NONSENSE: list[dict[str, Any]] = [
    {"username": "ab"},
    {"username": "with space"},
    {"username": "-dash"},
    {"username": "ünïcode"},
    {"username": "x" * 129},
    {"roles": []},
    {"roles": ["shipper"] * 11},
    {"roles": "shipper"},
    {"tenant_id": "none"},
    {"status": "active"},
    {"version": 7},
    {"password": None},
]


async def test_nonsense(world: World) -> None:
    token = await world.token("admin")
    for body in NONSENSE:
        answer = await create(world, token, **body)
        assert (answer.status_code, problem(answer)) == (422, "invalid"), body


async def test_an_unknown_role_is_refused(world: World) -> None:
    answer = await create(world, await world.token("admin"), roles=["service"])
    assert problem(answer) == "roles-not-allowed"


async def test_a_weak_password_is_refused(world: World) -> None:
    tenant = await world.tenant(name="Singrauli Coal")
    token = await world.token("admin", tenant=tenant)
    for weak in ("short", "Singrauli Coal 2026", "meera meera meera"):
        assert problem(await create(world, token, password=weak)) == "weak-password"


async def test_roles_are_kept_once_each(world: World) -> None:
    answer = await create(world, await world.token("admin"), roles=["shipper", "shipper"])
    assert answer.json()["roles"] == ["shipper"]


async def test_suspending_ends_sessions_at_once(world: World) -> None:
    tenant = await world.tenant()
    somebody = await world.user(tenant=tenant)
    tokens = await world.tokens(somebody)
    token = await world.token("admin", tenant=tenant)
    path = f"/auth/users/{somebody.id}"
    answer = await world.patch(path, {"status": "suspended"}, token=token)
    assert (answer.json()["status"], answer.headers["etag"]) == ("suspended", '"2"')
    assert problem(await world.refresh(tokens["refresh_token"])) == "invalid-refresh-token"
    assert problem(await world.get("/auth/me", tokens["access_token"])) == "session-ended"
    assert problem(await world.login(somebody)) == "account-suspended"
    await world.patch(path, {"status": "active"}, token=token, version=2)
    assert (await world.login(somebody)).status_code == 200


async def test_a_suspended_admin_administers_no_more(world: World) -> None:
    tenant = await world.tenant()
    admin = await world.user("admin", tenant=tenant, second_factor=True)
    token = (await world.tokens(admin))["access_token"]
    other = await world.token("admin", tenant=tenant)
    await world.patch(f"/auth/users/{admin.id}", {"status": "suspended"}, token=other)
    assert problem(await create(world, token)) == "session-ended"


async def test_changed_roles_end_sessions_and_hold_at_once(world: World) -> None:
    tenant = await world.tenant("fleet")
    owner = await world.user("fleet_owner", tenant=tenant)
    tokens = await world.tokens(owner)
    token = await world.token("admin", tenant=tenant)
    path = f"/auth/users/{owner.id}"
    answer = await world.patch(path, {"roles": ["driver"]}, token=token)
    assert answer.json()["roles"] == ["driver"]
    assert (await world.refresh(tokens["refresh_token"])).status_code == 401
    assert (await world.sessions(owner))[0].end_reason == "roles-changed"
    wrong = await world.patch(path, {"roles": ["super_admin"]}, token=token, version=2)
    assert problem(wrong) == "roles-not-allowed"


async def test_a_password_set_by_an_admin(world: World) -> None:
    tenant = await world.tenant()
    somebody = await world.user(tenant=tenant)
    tokens = await world.tokens(somebody)
    token = await world.token("admin", tenant=tenant)
    path = f"/auth/users/{somebody.id}"
    weak = await world.patch(path, {"password": "password password"}, token=token)
    assert problem(weak) == "weak-password"
    await world.patch(path, {"password": GOOD}, token=token)
    assert problem(await world.login(somebody)) == "invalid-credentials"
    assert (await world.login(somebody, GOOD)).status_code == 200
    assert (await world.refresh(tokens["refresh_token"])).status_code == 401


async def test_a_lost_second_factor_is_reset(world: World) -> None:
    tenant = await world.tenant()
    somebody = await world.user("shipper", tenant=tenant, second_factor=True)
    token = await world.token("admin", tenant=tenant)
    path = f"/auth/users/{somebody.id}"
    assert (await world.get(path, token)).json()["second_factor"] is True
    answer = await world.patch(path, {"reset_second_factor": True}, token=token)
    assert answer.json()["second_factor"] is False
    assert "access_token" in (await world.login(somebody)).json()


async def test_a_lost_device_is_reset(world: World) -> None:
    tenant = await world.tenant("fleet")
    driver = await world.user("driver", tenant=tenant)
    await world.tokens(driver, device=PHONE)
    token = await world.token("admin", tenant=tenant)
    path = f"/auth/users/{driver.id}"
    assert (await world.get(path, token)).json()["device_bound"] is True
    assert (await world.login(driver, device="phone-new-123")).status_code == 403
    await world.patch(path, {"reset_device": True}, token=token)
    assert (await world.sessions(driver))[0].end_reason == "device-reset"
    assert (await world.login(driver, device="phone-new-123")).status_code == 200
    assert (await world.login(driver, device=PHONE)).status_code == 403


async def test_nobody_changes_the_own_rights(world: World) -> None:
    admin = await world.user("admin", second_factor=True)
    token = (await world.tokens(admin))["access_token"]
    path = f"/auth/users/{admin.id}"
    changes = ({"status": "suspended"}, {"roles": ["shipper"]}, {"reset_second_factor": True})
    for change in changes:
        answer = await world.patch(path, change, token=token)
        assert (answer.status_code, problem(answer)) == (409, "own-account")


async def test_changes_name_the_version_they_were_made_from(world: World) -> None:
    tenant = await world.tenant()
    somebody = await world.user(tenant=tenant)
    token = await world.token("admin", tenant=tenant)
    path = f"/auth/users/{somebody.id}"
    headers = {"Authorization": f"Bearer {token}"}
    bare = await world.http.patch(path, json={"status": "suspended"}, headers=headers)
    assert bare.status_code == 428
    assert (await world.patch(path, {}, token=token)).json()["version"] == 2
    stale = await world.patch(path, {"status": "suspended"}, token=token)
    assert stale.status_code == 412
    assert (await world.stored(somebody)).status == "active"


async def test_of_two_changes_at_once_one_wins(committed: World) -> None:
    tenant = await committed.tenant()
    somebody = await committed.user(tenant=tenant)
    token = await committed.token("admin", tenant=tenant)
    path = f"/auth/users/{somebody.id}"
    change = {"status": "suspended"}
    answers = await asyncio.gather(*(committed.patch(path, change, token=token) for _ in range(4)))
    assert sorted(a.status_code for a in answers) == [200, 412, 412, 412]


async def test_pages_by_tenant(world: World) -> None:
    tenant = await world.tenant()
    made = [str((await world.user(tenant=tenant)).id) for _ in range(3)]
    await world.user()
    token = await world.token("super_admin")
    first = (await world.get("/auth/users", token, tenant_id=str(tenant.id), limit=2)).json()
    rest = (
        await world.get(
            "/auth/users", token, tenant_id=str(tenant.id), limit=2, cursor=first["next_cursor"]
        )
    ).json()
    assert [u["id"] for u in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None


async def test_no_answer_and_no_audit_holds_a_password(world: World) -> None:
    token = await world.token("admin")
    made = await create(world, token)
    await world.patch(f"/auth/users/{made.json()['id']}", {"password": PASSWORD}, token=token)
    async with world.realm.database.begin() as tx:
        connection = await tx.connection()
        rows = await connection.exec_driver_sql(
            "SELECT t::text FROM audit_log AS t UNION ALL SELECT t::text FROM users AS t"
            " UNION ALL SELECT t::text FROM idempotency_records AS t"
        )
        text = str(rows.all())
    assert GOOD not in text
    assert PASSWORD not in text


async def test_the_audit_says_who_did_it_to_whom(world: World) -> None:
    tenant = await world.tenant()
    admin = await world.user("admin", tenant=tenant, second_factor=True)
    token = (await world.tokens(admin))["access_token"]
    made = UUID((await create(world, token)).json()["id"])
    async with world.realm.database.begin() as tx:
        connection = await tx.connection()
        rows = await connection.exec_driver_sql(
            "SELECT actor, target, tenant_id, host(source_ip) FROM audit_log"
            " WHERE action = 'user.create'"
        )
        [row] = rows.all()
    assert tuple(row) == (f"user/{admin.id}", f"user/{made}", tenant.id, "203.0.113.7")
