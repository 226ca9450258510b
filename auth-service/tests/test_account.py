import asyncio

import pytest

from .world import ELSEWHERE, PASSWORD, PHONE, WRONG, Somebody, World, problem

NEW = "quiet harbour under seven lamps"


async def change(
    world: World, token: str, current: str = PASSWORD, new: str = NEW, **where: str
) -> tuple[int, str]:
    body = {"current_password": current, "new_password": new}
    answer = await world.post("/auth/password", body, token=token, **where)
    return answer.status_code, "" if answer.status_code == 204 else problem(answer)


async def test_me(world: World) -> None:
    shipper = await world.user("shipper")
    tokens = await world.tokens(shipper)
    [session] = await world.sessions(shipper)
    answer = await world.get("/auth/me", tokens["access_token"])
    body = answer.json()
    assert body["tenant"].pop("name").startswith("shipper ")
    assert body.pop("session_expires_at")
    assert body == {
        "id": str(shipper.id),
        "username": shipper.username,
        "tenant": {"id": str(shipper.tenant_id), "kind": "shipper"},
        "roles": ["shipper"],
        "permissions": ["booking:*", "payment:read:own", "tracking:read:own"],
        "second_factor": False,
        "session_id": str(session.id),
    }


async def test_me_without_a_token(world: World) -> None:
    assert (await world.http.get("/auth/me")).status_code == 401


async def test_a_changed_password_replaces_the_old_one(world: World) -> None:
    shipper = await world.user()
    tokens = await world.tokens(shipper)
    assert await change(world, tokens["access_token"]) == (204, "")
    assert problem(await world.login(shipper)) == "invalid-credentials"
    assert (await world.login(shipper, NEW)).status_code == 200
    assert ("password.change", "allowed") in await world.audited(shipper)


async def test_other_sessions_end_and_this_one_goes_on(world: World) -> None:
    shipper = await world.user()
    other, mine = await world.tokens(shipper), await world.tokens(shipper)
    await change(world, mine["access_token"])
    assert (await world.refresh(mine["refresh_token"])).status_code == 200
    assert problem(await world.refresh(other["refresh_token"])) == "invalid-refresh-token"
    assert (await world.sessions(shipper))[0].end_reason == "password-changed"


async def test_the_present_password_is_asked_for_and_counted(world: World) -> None:
    shipper = await world.user()
    token = (await world.tokens(shipper))["access_token"]
    for _ in range(6):
        assert await change(world, token, current=WRONG) == (401, "invalid-credentials")
    assert await change(world, token) == (429, "too-many-attempts")
    assert problem(await world.login(shipper)) == "too-many-attempts"
    world.clock.advance(seconds=1)
    assert await change(world, token) == (204, "")


@pytest.mark.parametrize("new", ["too short", "password password 2024", "x" * 129])
async def test_a_weak_password_is_refused(world: World, new: str) -> None:
    token = (await world.tokens(await world.user()))["access_token"]
    assert await change(world, token, new=new) == (422, "weak-password")


async def test_twelve_characters_are_enough_with_a_second_factor(world: World) -> None:
    twelve = "vx9 kettle q"
    alone = (await world.tokens(await world.user()))["access_token"]
    assert await change(world, alone, new=twelve) == (422, "weak-password")
    with_factor = await world.user("shipper", second_factor=True)
    token = (await world.tokens(with_factor))["access_token"]
    assert await change(world, token, new=twelve) == (204, "")


async def test_of_two_changes_at_once_one_wins(committed: World) -> None:
    shipper = await committed.user()
    token = (await committed.tokens(shipper))["access_token"]
    answers = await asyncio.gather(*(change(committed, token, new=f"{NEW} {n}") for n in range(4)))
    assert sorted(status for status, _ in answers) == [204, 401, 401, 401]


async def test_a_token_of_an_ended_session_changes_nothing(world: World) -> None:
    shipper = await world.user()
    tokens = await world.tokens(shipper)
    await world.post("/auth/logout", {"refresh_token": tokens["refresh_token"]})
    assert await change(world, tokens["access_token"]) == (401, "session-ended")


class TestEnrolment:
    async def enrol_at_login(self, world: World, somebody: Somebody) -> tuple[str, str]:
        answer = (await world.login(somebody)).json()
        assert answer["enrolment_required"] is True
        assert answer["methods"] == ["totp"]
        enrolled = await world.post("/auth/mfa/enrol", {"challenge": answer["challenge"]})
        assert enrolled.status_code == 200, enrolled.text
        return answer["challenge"], enrolled.json()["secret"]

    async def test_at_the_first_login_of_a_role_that_demands_it(self, world: World) -> None:
        operator = await world.user("operator")
        challenge, secret = await self.enrol_at_login(world, operator)
        body = {"challenge": challenge, "code": world.code(secret)}
        confirmed = await world.post("/auth/mfa/confirm", body)
        assert confirmed.status_code == 200
        assert len(set(confirmed.json()["recovery_codes"])) == 10
        token = confirmed.json()["tokens"]["access_token"]
        assert (await world.get("/auth/me", token)).json()["second_factor"] is True
        assert await world.audited(operator) == [
            ("session.challenge", "allowed"),
            ("second-factor.confirm", "allowed"),
        ]

    async def test_the_code_that_confirmed_is_used_up(self, world: World) -> None:
        operator = await world.user("operator")
        challenge, secret = await self.enrol_at_login(world, operator)
        code = world.code(secret)
        await world.post("/auth/mfa/confirm", {"challenge": challenge, "code": code})
        assert problem(await world.answer(await world.challenge(operator), code)) == "invalid-code"

    async def test_the_recovery_codes_work(self, world: World) -> None:
        operator = await world.user("operator")
        challenge, secret = await self.enrol_at_login(world, operator)
        body = {"challenge": challenge, "code": world.code(secret)}
        codes = (await world.post("/auth/mfa/confirm", body)).json()["recovery_codes"]
        for code in codes[:2]:
            challenge = await world.challenge(operator)
            assert (await world.answer(challenge, code)).status_code == 200

    async def test_the_uri_is_for_an_app(self, world: World) -> None:
        operator = await world.user("operator", username="op@ubertruck.example")
        challenge = (await world.login(operator)).json()["challenge"]
        uri = (await world.post("/auth/mfa/enrol", {"challenge": challenge})).json()["otpauth_uri"]
        assert uri.startswith("otpauth://totp/Ubertruck:op%40ubertruck.example?secret=")

    async def test_the_challenge_is_not_for_showing_codes(self, world: World) -> None:
        challenge = (await world.login(await world.user("operator"))).json()["challenge"]
        refused = await world.answer(challenge, "123456")
        assert (refused.status_code, problem(refused)) == (409, "enrolment-required")

    async def test_a_challenge_for_codes_doesnt_enrol(self, world: World) -> None:
        operator = await world.user("operator", second_factor=True)
        challenge = await world.challenge(operator)
        refused = await world.post("/auth/mfa/enrol", {"challenge": challenge})
        assert (refused.status_code, problem(refused)) == (401, "invalid-challenge")

    async def test_asked_twice_the_second_secret_counts(self, world: World) -> None:
        operator = await world.user("operator")
        challenge, first = await self.enrol_at_login(world, operator)
        again = await world.post("/auth/mfa/enrol", {"challenge": challenge})
        second = again.json()["secret"]
        assert second != first
        body = {"challenge": challenge, "code": world.code(second)}
        assert (await world.post("/auth/mfa/confirm", body)).status_code == 200

    async def test_five_tries_to_confirm(self, world: World) -> None:
        challenge, secret = await self.enrol_at_login(world, await world.user("operator"))
        for _ in range(5):
            wrong = await world.post("/auth/mfa/confirm", {"challenge": challenge, "code": "0" * 6})
            assert problem(wrong) == "invalid-code"
        body = {"challenge": challenge, "code": world.code(secret)}
        assert problem(await world.post("/auth/mfa/confirm", body)) == "invalid-challenge"

    async def test_nothing_to_confirm(self, world: World) -> None:
        challenge = (await world.login(await world.user("operator"))).json()["challenge"]
        body = {"challenge": challenge, "code": "123456"}
        early = await world.post("/auth/mfa/confirm", body)
        assert (early.status_code, problem(early)) == (409, "no-enrolment")
        token = (await world.tokens(await world.user()))["access_token"]
        early = await world.post("/auth/mfa/confirm", {"code": "123456"}, token=token)
        assert problem(early) == "no-enrolment"

    async def test_of_two_logins_that_enrol_one_wins(self, committed: World) -> None:
        operator = await committed.user("operator")
        first = (await committed.login(operator)).json()["challenge"]
        second = (await committed.login(operator)).json()["challenge"]
        enrolled = await committed.post("/auth/mfa/enrol", {"challenge": first})
        code = committed.code(enrolled.json()["secret"])
        answers = await asyncio.gather(
            *(
                committed.post("/auth/mfa/confirm", {"challenge": c, "code": code})
                for c in (first, second)
            )
        )
        assert sorted(a.status_code for a in answers) == [200, 401]
        late = await committed.post("/auth/mfa/enrol", {"challenge": second})
        assert problem(late) == "invalid-challenge"

    async def test_with_a_token_and_the_password(self, world: World) -> None:
        shipper = await world.user()
        other, mine = await world.tokens(shipper), await world.tokens(shipper)
        token = mine["access_token"]
        enrolled = await world.post("/auth/mfa/enrol", {"password": PASSWORD}, token=token)
        code = world.code(enrolled.json()["secret"])
        confirmed = await world.post("/auth/mfa/confirm", {"code": code}, token=token)
        assert confirmed.status_code == 200
        assert confirmed.json()["tokens"] is None
        assert (await world.refresh(mine["refresh_token"])).status_code == 200
        assert problem(await world.refresh(other["refresh_token"])) == "invalid-refresh-token"
        assert (await world.login(shipper)).json()["mfa_required"] is True

    async def test_a_stolen_token_alone_doesnt_enrol(self, world: World) -> None:
        token = (await world.tokens(await world.user()))["access_token"]
        bare = await world.post("/auth/mfa/enrol", {}, token=token)
        assert (bare.status_code, problem(bare)) == (400, "password-needed")
        wrong = await world.post("/auth/mfa/enrol", {"password": WRONG}, token=token)
        assert problem(wrong) == "invalid-credentials"
        assert (await world.post("/auth/mfa/enrol", {"password": PASSWORD})).status_code == 401

    async def test_replacing_takes_a_code_of_the_present_one(self, world: World) -> None:
        shipper = await world.user("shipper", second_factor=True)
        token = (await world.tokens(shipper))["access_token"]
        bare = await world.post("/auth/mfa/enrol", {"password": PASSWORD}, token=token)
        assert problem(bare) == "invalid-code"
        body = {"password": PASSWORD, "code": shipper.recovery_code}
        enrolled = await world.post("/auth/mfa/enrol", body, token=token)
        secret = enrolled.json()["secret"]
        challenge = await world.challenge(shipper)
        assert problem(await world.answer(challenge, world.code(secret))) == "invalid-code"
        body = {"code": world.code(secret)}
        assert (await world.post("/auth/mfa/confirm", body, token=token)).status_code == 200
        world.clock.advance(seconds=30)
        challenge = await world.challenge(shipper)
        old = world.code(shipper.totp_secret)
        assert problem(await world.answer(challenge, old)) == "invalid-code"
        assert (await world.answer(challenge, world.code(secret))).status_code == 200

    async def test_wrong_codes_count(self, world: World) -> None:
        token = (await world.tokens(await world.user()))["access_token"]
        await world.post("/auth/mfa/enrol", {"password": PASSWORD}, token=token)
        for _ in range(6):
            wrong = await world.post("/auth/mfa/confirm", {"code": "000000"}, token=token)
            assert problem(wrong) == "invalid-code"
        blocked = await world.post("/auth/mfa/confirm", {"code": "000000"}, token=token)
        assert problem(blocked) == "too-many-attempts"

    async def test_wrong_codes_for_a_replacement_count(self, world: World) -> None:
        shipper = await world.user("shipper", second_factor=True)
        token = (await world.tokens(shipper, device=PHONE))["access_token"]
        body = {"password": PASSWORD, "code": "000000"}
        for _ in range(6):
            wrong = await world.post("/auth/mfa/enrol", body, token=token, source=ELSEWHERE)
            assert problem(wrong) == "invalid-code"
        blocked = await world.post("/auth/mfa/enrol", body, token=token, source=ELSEWHERE)
        assert problem(blocked) == "too-many-attempts"

    async def test_secrets_are_sealed(self, world: World) -> None:
        _, secret = await self.enrol_at_login(world, await world.user("operator"))
        async with world.realm.database.begin() as tx:
            connection = await tx.connection()
            statement = "SELECT sealed_secret FROM totp_credentials"
            rows = (await connection.exec_driver_sql(statement)).scalars().all()
        assert rows
        assert all(secret.encode() not in row for row in rows)
