import asyncio
from collections import Counter
from functools import partial

from sqlalchemy import select

from auth_service.models import LoginChallenge, User
from chassis.testing.client import served

from .world import ELSEWHERE, PHONE, Somebody, World, problem


async def operator_of(world: World) -> Somebody:
    return await world.user("operator", second_factor=True)


async def test_the_password_alone_gives_a_challenge_and_no_token(world: World) -> None:
    answer = await world.login(await operator_of(world))
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("challenge")
    assert body == {
        "mfa_required": True,
        "expires_in": 300,
        "enrolment_required": False,
        "methods": ["totp", "recovery_code"],
    }
    assert await world.sessions(await operator_of(world)) == []


async def test_the_code_gives_tokens(world: World) -> None:
    operator = await operator_of(world)
    challenge = await world.challenge(operator)
    answer = await world.answer(challenge, world.code(operator.totp_secret))
    assert answer.status_code == 200
    assert answer.json()["access_token"]
    assert answer.headers["cache-control"] == "no-store"
    assert await world.audited(operator) == [
        ("session.challenge", "allowed"),
        ("session.second-factor", "allowed"),
    ]


async def test_a_challenge_is_good_once(world: World) -> None:
    operator = await operator_of(world)
    challenge = await world.challenge(operator)
    assert (await world.answer(challenge, world.code(operator.totp_secret))).status_code == 200
    again = await world.answer(challenge, world.code(operator.totp_secret, steps=1))
    assert (again.status_code, problem(again)) == (401, "invalid-challenge")


async def test_a_code_is_good_once(world: World) -> None:
    operator = await operator_of(world)
    code = world.code(operator.totp_secret)
    assert (await world.answer(await world.challenge(operator), code)).status_code == 200
    again = await world.answer(await world.challenge(operator), code)
    assert (again.status_code, problem(again)) == (401, "invalid-code")


async def test_an_older_code_than_the_last_one_is_refused(world: World) -> None:
    operator = await operator_of(world)
    newer, older = (world.code(operator.totp_secret, steps=n) for n in (1, 0))
    assert (await world.answer(await world.challenge(operator), newer)).status_code == 200
    assert problem(await world.answer(await world.challenge(operator), older)) == "invalid-code"


async def test_a_clock_may_be_one_step_off(world: World) -> None:
    operator = await operator_of(world)
    for steps, expected in ((-2, 401), (2, 401), (-1, 200), (1, 200)):
        code = world.code(operator.totp_secret, steps=steps)
        answer = await world.answer(await world.challenge(operator), code)
        assert answer.status_code == expected, steps


async def test_of_64_with_the_same_code_one_gets_in(committed: World) -> None:
    operator = await operator_of(committed)
    challenges = [await committed.challenge(operator) for _ in range(8)]
    code = committed.code(operator.totp_secret)
    answers = await asyncio.gather(
        *(served(partial(committed.answer, c, code)) for c in challenges * 8)
    )
    assert Counter(a.status_code for a in answers)[200] == 1
    assert {a.status_code for a in answers} <= {200, 401, 429}
    assert len(await committed.sessions(operator)) == 1


async def test_the_same_challenge_answered_twice_at_once_opens_one_session(
    committed: World,
) -> None:
    operator = await operator_of(committed)
    challenge = await committed.challenge(operator)
    code = committed.code(operator.totp_secret)
    answers = await asyncio.gather(*(committed.answer(challenge, code) for _ in range(4)))
    assert sorted(a.status_code for a in answers) == [200, 401, 401, 401]


async def test_five_tries_a_challenge(world: World) -> None:
    operator = await operator_of(world)
    challenge = await world.challenge(operator)
    for left in (4, 3, 2, 1, 0):
        wrong = await world.answer(challenge, "000000")
        assert (wrong.status_code, wrong.json()["attempts_left"]) == (401, left)
    right = await world.answer(challenge, world.code(operator.totp_secret))
    assert problem(right) == "invalid-challenge"


async def test_tries_survive_the_refusals_that_raised_them(committed: World) -> None:
    operator = await operator_of(committed)
    challenge = await committed.challenge(operator)
    await committed.answer(challenge, "000000")
    async with committed.realm.database.begin() as tx:
        assert (await tx.scalars(select(LoginChallenge.attempts))).all() == [1]


async def test_new_challenges_dont_give_new_budgets(world: World) -> None:
    operator = await operator_of(world)
    outcomes = Counter[str]()
    for _ in range(3):
        challenge = await world.challenge(operator)
        for _ in range(3):
            outcomes[problem(await world.answer(challenge, "000000", source=ELSEWHERE))] += 1
    assert outcomes == {"invalid-code": 6, "too-many-attempts": 3}
    right = await world.answer(await world.challenge(operator), world.code(operator.totp_secret))
    assert problem(right) == "too-many-attempts"


async def test_a_known_device_has_a_budget_of_its_own(world: World) -> None:
    operator = await operator_of(world)
    await world.tokens(operator, device=PHONE)
    challenges = [await world.challenge(operator) for _ in range(2)]
    for challenge in challenges * 3:
        assert problem(await world.answer(challenge, "000000")) == "invalid-code"
    assert problem(await world.answer(challenges[0], "000000")) == "too-many-attempts"
    world.clock.advance(seconds=30)
    code = world.code(operator.totp_secret)
    answer = await world.answer(challenges[0], code, device=PHONE)
    assert answer.status_code == 200


async def test_a_challenge_lives_five_minutes(world: World) -> None:
    operator = await operator_of(world)
    challenge = await world.challenge(operator)
    world.clock.advance(seconds=300)
    late = await world.answer(challenge, world.code(operator.totp_secret))
    assert problem(late) == "invalid-challenge"


async def test_guessing_challenges_slows_the_source_down(world: World) -> None:
    for n in range(13):
        assert problem(await world.answer(f"guess-{n}", "123456")) == "invalid-challenge"
    assert problem(await world.answer("guess", "123456")) == "too-many-attempts"


async def test_a_recovery_code_is_good_once(world: World) -> None:
    operator = await operator_of(world)
    code = str(operator.recovery_code)
    typed = code.upper().replace("-", " ")
    assert (await world.answer(await world.challenge(operator), typed)).status_code == 200
    again = await world.answer(await world.challenge(operator), code)
    assert problem(again) == "invalid-code"


async def test_a_recovery_code_used_at_once_opens_one_session(committed: World) -> None:
    operator = await operator_of(committed)
    challenges = [await committed.challenge(operator) for _ in range(6)]
    code = str(operator.recovery_code)
    answers = await asyncio.gather(*(committed.answer(c, code) for c in challenges))
    assert [a.status_code for a in answers].count(200) == 1


async def test_somebody_elses_code_is_wrong(world: World) -> None:
    mine, other = await operator_of(world), await operator_of(world)
    challenge = await world.challenge(mine)
    assert problem(await world.answer(challenge, world.code(other.totp_secret))) == "invalid-code"
    assert problem(await world.answer(challenge, str(other.recovery_code))) == "invalid-code"


async def test_suspended_between_password_and_code(world: World) -> None:
    operator = await operator_of(world)
    challenge = await world.challenge(operator)
    async with world.realm.database.begin() as tx:
        (await tx.get_one(User, operator.id)).status = "suspended"
    answer = await world.answer(challenge, world.code(operator.totp_secret))
    assert (answer.status_code, problem(answer)) == (403, "account-suspended")


async def test_who_has_a_second_factor_must_show_it_whatever_the_role(world: World) -> None:
    shipper = await world.user("shipper", second_factor=True)
    assert (await world.login(shipper)).json()["mfa_required"] is True


async def test_nonsense_codes(world: World) -> None:
    operator = await operator_of(world)
    challenge = await world.challenge(operator)
    assert (await world.answer(challenge, "123")).status_code == 422
    assert (await world.answer(challenge, "1" * 41)).status_code == 422
    for code in ("١٢٣٤٥٦", "12345a", "1234567890"):
        assert problem(await world.answer(challenge, code)) == "invalid-code"
    assert (await world.answer("", "123456")).status_code == 422
