import asyncio

from sqlalchemy import func, select

from auth_service.models import RefreshToken, Tenant, User, UserSession
from chassis.testing.client import served

from .world import ELSEWHERE, HOME, PHONE, Somebody, World, problem

TABLET = "tablet-0123456789"


async def refresh_token_of(world: World, somebody: Somebody, *, device: str | None = None) -> str:
    return str((await world.tokens(somebody, device=device))["refresh_token"])


async def reason(world: World, somebody: Somebody) -> str | None:
    [session] = await world.sessions(somebody)
    return session.end_reason


async def test_a_refresh_token_is_exchanged_for_its_successor(world: World) -> None:
    shipper = await world.user()
    first = await refresh_token_of(world, shipper)
    answer = await world.refresh(first)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    second = answer.json()["refresh_token"]
    assert second != first
    assert (await world.get("/auth/me", answer.json()["access_token"])).status_code == 200
    assert (await world.refresh(second)).status_code == 200
    assert len(await world.sessions(shipper)) == 1


async def test_a_lost_answer_is_given_again(world: World) -> None:
    shipper = await world.user()
    first = await refresh_token_of(world, shipper)
    lost = (await world.refresh(first)).json()
    world.clock.advance(seconds=10)
    again = (await world.refresh(first)).json()
    assert again["refresh_token"] == lost["refresh_token"]
    assert again["access_token"] != lost["access_token"]
    assert (await world.refresh(again["refresh_token"])).status_code == 200


async def test_reuse_after_ten_seconds_ends_the_session(world: World) -> None:
    shipper = await world.user()
    first = await refresh_token_of(world, shipper)
    second = (await world.refresh(first)).json()["refresh_token"]
    world.clock.advance(seconds=10, milliseconds=1)
    reused = await world.refresh(first)
    assert (reused.status_code, problem(reused)) == (401, "refresh-token-reused")
    assert problem(await world.refresh(second)) == "invalid-refresh-token"
    assert await reason(world, shipper) == "token-reuse"
    assert await world.audited(shipper) == [
        ("session.login", "allowed"),
        ("session.refresh", "allowed"),
        ("session.refresh", "denied"),
        ("session.refresh", "denied"),
    ]


async def test_reuse_by_another_address_ends_the_session(world: World) -> None:
    shipper = await world.user()
    first = await refresh_token_of(world, shipper)
    await world.refresh(first)
    assert problem(await world.refresh(first, source=ELSEWHERE)) == "refresh-token-reused"
    assert await reason(world, shipper) == "token-reuse"


async def test_a_device_may_ask_again_from_another_address(world: World) -> None:
    shipper = await world.user()
    first = await refresh_token_of(world, shipper, device=PHONE)
    lost = (await world.refresh(first, device=PHONE)).json()
    again = (await world.refresh(first, device=PHONE, source=ELSEWHERE)).json()
    assert again["refresh_token"] == lost["refresh_token"]


async def test_reuse_by_another_device_at_the_same_address_ends_the_session(world: World) -> None:
    shipper = await world.user()
    first = await refresh_token_of(world, shipper, device=PHONE)
    await world.refresh(first, device=PHONE)
    assert problem(await world.refresh(first, device=TABLET)) == "refresh-token-reused"
    assert await reason(world, shipper) == "token-reuse"


async def test_the_end_of_a_session_survives_the_refusal_that_made_it(committed: World) -> None:
    shipper = await committed.user()
    first = await refresh_token_of(committed, shipper)
    await committed.refresh(first)
    assert (await committed.refresh(first, source=ELSEWHERE)).status_code == 401
    assert await reason(committed, shipper) == "token-reuse"


async def test_fifty_at_once_get_the_same_successor(committed: World) -> None:
    shipper = await committed.user()
    first = await refresh_token_of(committed, shipper)
    answers = await asyncio.gather(*(served(lambda: committed.refresh(first)) for _ in range(50)))
    assert {a.status_code for a in answers} == {200}
    assert len({a.json()["refresh_token"] for a in answers}) == 1
    assert await reason(committed, shipper) is None
    async with committed.realm.database.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(RefreshToken)) == 2


async def test_old_and_new_token_at_once_never_fork_the_chain(committed: World) -> None:
    shipper = await committed.user()
    chain = [await refresh_token_of(committed, shipper)]
    for _ in range(5):
        chain.append((await committed.refresh(chain[-1])).json()["refresh_token"])
    answers = await asyncio.gather(*(committed.refresh(t) for t in chain for _ in range(3)))
    assert {a.status_code for a in answers} == {200}
    async with committed.realm.database.begin() as tx:
        ends = select(func.count()).where(RefreshToken.used_at.is_(None))
        assert await tx.scalar(ends) == 1


async def test_thief_and_owner_at_once_end_the_session(committed: World) -> None:
    shipper = await committed.user()
    first = await refresh_token_of(committed, shipper)
    both = (committed.refresh(first, source=where) for where in (HOME, ELSEWHERE))
    answers = await asyncio.gather(*both)
    assert sorted(a.status_code for a in answers) == [200, 401]
    assert await reason(committed, shipper) == "token-reuse"


async def test_a_session_ends_after_its_longest_life(world: World) -> None:
    shipper = await world.user()
    token = await refresh_token_of(world, shipper)
    for _ in range(29):
        world.clock.advance(days=1)
        token = (await world.refresh(token)).json()["refresh_token"]
    world.clock.advance(days=1)
    assert problem(await world.refresh(token)) == "invalid-refresh-token"


async def test_a_suspended_user_is_out(world: World) -> None:
    shipper = await world.user()
    token = await refresh_token_of(world, shipper)
    async with world.realm.database.begin() as tx:
        (await tx.get_one(User, shipper.id)).status = "suspended"
    refused = await world.refresh(token)
    assert (refused.status_code, problem(refused)) == (403, "account-suspended")
    assert await reason(world, shipper) == "suspended"
    assert problem(await world.refresh(token)) == "invalid-refresh-token"


async def test_users_of_a_suspended_tenant_are_out(world: World) -> None:
    shipper = await world.user()
    token = await refresh_token_of(world, shipper)
    async with world.realm.database.begin() as tx:
        (await tx.get_one(Tenant, shipper.tenant_id)).status = "suspended"
    assert problem(await world.refresh(token)) == "account-suspended"
    assert await reason(world, shipper) == "suspended"


async def test_super_admin_refreshes_from_listed_networks_only(world: World) -> None:
    root = await world.user("super_admin", second_factor=True)
    token = await refresh_token_of(world, root)
    assert problem(await world.refresh(token, source=ELSEWHERE)) == "address-not-allowed"
    assert (await world.refresh(token)).status_code == 200


async def test_a_driver_refreshes_on_the_bound_device_only(world: World) -> None:
    driver = await world.user("driver")
    token = await refresh_token_of(world, driver, device=PHONE)
    assert problem(await world.refresh(token, device=TABLET)) == "device-not-bound"
    assert problem(await world.refresh(token)) == "device-not-bound"
    assert (await world.refresh(token, device=PHONE)).status_code == 200


async def test_roles_that_came_to_demand_a_second_factor(world: World) -> None:
    shipper = await world.user()
    token = await refresh_token_of(world, shipper)
    async with world.realm.database.begin() as tx:
        (await tx.get_one(User, shipper.id)).roles = ["admin", "shipper"]
    refused = await world.refresh(token)
    assert (refused.status_code, problem(refused)) == (401, "second-factor-missing")
    assert await reason(world, shipper) == "second-factor-missing"


async def test_a_changed_role_shows_in_the_next_token(world: World) -> None:
    owner = await world.user("fleet_owner")
    token = await refresh_token_of(world, owner, device=PHONE)
    async with world.realm.database.begin() as tx:
        (await tx.get_one(User, owner.id)).roles = ["driver"]
        (await tx.get_one(User, owner.id)).bound_device = PHONE
    tokens = (await world.refresh(token, device=PHONE)).json()
    me = await world.get("/auth/me", tokens["access_token"])
    assert me.json()["roles"] == ["driver"]


async def test_logout_ends_the_session(world: World) -> None:
    shipper = await world.user()
    tokens = await world.tokens(shipper)
    body = {"refresh_token": tokens["refresh_token"]}
    assert (await world.post("/auth/logout", body)).status_code == 204
    assert await reason(world, shipper) == "logout"
    assert problem(await world.refresh(tokens["refresh_token"])) == "invalid-refresh-token"
    assert problem(await world.get("/auth/me", tokens["access_token"])) == "session-ended"
    assert (await world.post("/auth/logout", body)).status_code == 204
    assert (await world.audited(shipper)).count(("session.logout", "allowed")) == 1


async def test_logout_with_a_used_or_unknown_token(world: World) -> None:
    shipper = await world.user()
    first = await refresh_token_of(world, shipper)
    await world.refresh(first)
    assert (await world.post("/auth/logout", {"refresh_token": "unknown"})).status_code == 204
    assert await reason(world, shipper) is None
    assert (await world.post("/auth/logout", {"refresh_token": first})).status_code == 204
    assert await reason(world, shipper) == "logout"


async def test_logout_ends_one_session_only(world: World) -> None:
    shipper = await world.user()
    mine, other = [await world.tokens(shipper) for _ in range(2)]
    await world.post("/auth/logout", {"refresh_token": mine["refresh_token"]})
    assert (await world.refresh(other["refresh_token"])).status_code == 200


async def test_an_access_token_is_no_refresh_token(world: World) -> None:
    tokens = await world.tokens(await world.user())
    answer = await world.refresh(tokens["access_token"])
    assert answer.status_code == 422


async def test_the_first_end_of_a_session_stays(world: World) -> None:
    shipper = await world.user()
    await world.tokens(shipper)
    async with world.realm.database.begin() as tx:
        session = (await tx.scalars(select(UserSession))).one()
        session.end("logout", now=world.clock())
        session.end("token-reuse", now=world.clock())
    assert await reason(world, shipper) == "logout"
