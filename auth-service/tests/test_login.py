import asyncio

import pytest

from auth_service.hashing import Hasher, Verdict
from auth_service.models import Tenant, User

from .world import ELSEWHERE, HOME, PASSWORD, PHONE, WRONG, World, cheap_hash, problem


async def test_right_password_gives_tokens(world: World) -> None:
    shipper = await world.user("shipper")
    answer = await world.login(shipper)
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "refresh_expires_in",
    }
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 600
    assert answer.headers["cache-control"] == "no-store"
    assert await world.audited(shipper) == [("session.login", "allowed")]


async def test_username_is_case_insensitive(world: World) -> None:
    await world.user(username="asha.rao@coal.example")
    assert (await world.login("  Asha.RAO@coal.example")).status_code == 200


async def test_composed_and_decomposed_passwords_are_the_same(world: World) -> None:
    shipper = await world.user()
    async with world.realm.database.begin() as tx:
        (await tx.get_one(User, shipper.id)).password_hash = cheap_hash("caf\u00e9 " * 5)
    assert (await world.login(shipper, "cafe\u0301 " * 5)).status_code == 200


async def test_wrong_password_and_unknown_user_look_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[bool] = []
    verify = Hasher.verify

    async def counting(self: Hasher, kept: str | None, password: str) -> Verdict:
        verified.append(kept is not None)
        return await verify(self, kept, password)

    monkeypatch.setattr(Hasher, "verify", counting)
    shipper = await world.user()
    wrong = await world.login(shipper, WRONG)
    unknown = await world.login("nobody-at-all", WRONG)
    assert problem(wrong) == "invalid-credentials"
    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content)
    assert wrong.headers.items() == unknown.headers.items()
    assert verified == [True, False]
    assert await world.audited() == [("session.login", "denied")] * 2


async def test_a_password_typed_as_username_is_not_kept(world: World) -> None:
    await world.login("my-secret-password-123", "oops")
    async with world.realm.database.begin() as tx:
        connection = await tx.connection()
        rows = await connection.exec_driver_sql("SELECT audit_log::text FROM audit_log")
        assert "my-secret" not in str(rows.all())


async def test_old_hash_parameters_are_brought_up_to_date(world: World) -> None:
    shipper = await world.user()
    dearer = Hasher(memory_kib=16, rounds=2, at_once=1)
    async with world.realm.database.begin() as tx:
        (await tx.get_one(User, shipper.id)).password_hash = await dearer.hash(PASSWORD)
    assert (await world.login(shipper)).status_code == 200
    kept = (await world.stored(shipper)).password_hash
    assert kept.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert (await world.login(shipper)).status_code == 200


async def test_suspended_user_gets_nothing(world: World) -> None:
    shipper = await world.user()
    async with world.realm.database.begin() as tx:
        (await tx.get_one(User, shipper.id)).status = "suspended"
    assert problem(await world.login(shipper, WRONG)) == "invalid-credentials"
    refused = await world.login(shipper)
    assert (refused.status_code, problem(refused)) == (403, "account-suspended")
    assert (await world.audited(shipper))[-1] == ("session.login", "denied")


async def test_users_of_a_suspended_tenant_get_nothing(world: World) -> None:
    shipper = await world.user()
    async with world.realm.database.begin() as tx:
        (await tx.get_one(Tenant, shipper.tenant_id)).status = "suspended"
    assert problem(await world.login(shipper)) == "account-suspended"


async def test_super_admin_logs_in_from_listed_networks_only(world: World) -> None:
    root = await world.user("super_admin", second_factor=True)
    refused = await world.login(root, source=ELSEWHERE)
    assert (refused.status_code, problem(refused)) == (403, "address-not-allowed")
    challenge = await world.challenge(root)
    elsewhere = await world.answer(challenge, world.code(root.totp_secret), source=ELSEWHERE)
    assert problem(elsewhere) == "address-not-allowed"
    assert (await world.answer(challenge, world.code(root.totp_secret))).status_code == 200


async def test_driver_is_bound_to_the_first_device(world: World) -> None:
    driver = await world.user("driver")
    without = await world.login(driver)
    assert (without.status_code, problem(without)) == (403, "device-not-bound")
    assert (await world.login(driver, device=PHONE)).status_code == 200
    other = await world.login(driver, device="phone-9876543210")
    assert problem(other) == "device-not-bound"
    assert (await world.login(driver, device=PHONE)).status_code == 200


async def test_two_devices_at_once_bind_one(committed: World) -> None:
    driver = await committed.user("driver")
    devices = [f"phone-000000000{n}" for n in range(8)]
    answers = await asyncio.gather(*(committed.login(driver, device=d) for d in devices))
    assert sorted(a.status_code for a in answers) == [200] + [403] * 7


async def test_fleet_owner_has_three_sessions_at_most(world: World) -> None:
    owner = await world.user("fleet_owner")
    tokens = [await world.tokens(owner) for _ in range(5)]
    sessions = await world.sessions(owner)
    assert [s.end_reason for s in sessions] == ["session-limit"] * 2 + [None] * 3
    assert problem(await world.refresh(tokens[1]["refresh_token"])) == "invalid-refresh-token"
    assert (await world.refresh(tokens[2]["refresh_token"])).status_code == 200


async def test_the_limit_of_sessions_holds_when_all_come_at_once(committed: World) -> None:
    owner = await committed.user("fleet_owner")
    answers = await asyncio.gather(*(committed.login(owner) for _ in range(10)))
    assert {a.status_code for a in answers} == {200}
    live = [s for s in await committed.sessions(owner) if s.ended_at is None]
    assert len(live) == 3


async def test_a_session_behind_a_second_factor_lives_for_hours(world: World) -> None:
    owner = await world.tokens(await world.user("fleet_owner"))
    operator = await world.tokens(await world.user("operator", second_factor=True))
    assert 29 * 86400 < owner["refresh_expires_in"] <= 30 * 86400
    assert 11 * 3600 < operator["refresh_expires_in"] <= 12 * 3600


NONSENSE: list[tuple[object, int]] = [
    ({"username": "a", "password": "b", "role": "super_admin"}, 422),
    ({"username": "a"}, 422),
    ({"username": "a", "password": 7}, 422),
    ({"username": "a", "password": ["b"]}, 422),
    ({"username": "", "password": "b"}, 422),
    ({"username": "a" * 257, "password": "b"}, 422),
    ({"username": "a", "password": "b" * 1025}, 422),
    ({"username": "a\0b", "password": "b"}, 400),
    ([], 422),
    (None, 422),
    ({"username": "' OR 1=1 --", "password": "b"}, 401),
    ({"username": "\u202eadmin", "password": "\U0001f512"}, 401),
]


async def test_nonsense(world: World) -> None:
    for body, status in NONSENSE:
        answer = await world.post("/auth/login", body)
        assert answer.status_code == status, body
        assert problem(answer)


async def test_other_content_types_are_refused(world: World) -> None:
    form = {"username": "a", "password": "b"}
    assert problem(await world.http.post("/auth/login", data=form)) == "unsupported-media-type"


async def test_malformed_device_ids(world: World) -> None:
    shipper = await world.user()
    for device in ("short", "x" * 129, "with space"):
        assert (await world.login(shipper, device=device)).status_code == 422


async def test_two_logins_are_two_sessions(world: World) -> None:
    shipper = await world.user()
    first, second = await world.tokens(shipper), await world.tokens(shipper)
    assert first["refresh_token"] != second["refresh_token"]
    assert len(await world.sessions(shipper)) == 2


async def test_secrets_are_kept_as_hashes_only(world: World) -> None:
    tokens = await world.tokens(await world.user("operator", second_factor=True))
    async with world.realm.database.begin() as tx:
        connection = await tx.connection()
        rows = await connection.exec_driver_sql(
            "SELECT t::text FROM refresh_tokens AS t UNION ALL SELECT t::text FROM sessions AS t"
            " UNION ALL SELECT t::text FROM audit_log AS t"
        )
        assert tokens["refresh_token"] not in str(rows.all())


async def test_address_of_the_edge_is_believed_and_of_nobody_else(world: World) -> None:
    root = await world.user("super_admin", second_factor=True)
    spoofed = await world.login(root, source=f"{HOME}, {ELSEWHERE}")
    assert problem(spoofed) == "address-not-allowed"
