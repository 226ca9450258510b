"""The growing delay: who is slowed down, and who isn't."""

import asyncio
from collections import Counter

from .world import ELSEWHERE, PASSWORD, PHONE, WRONG, Somebody, World, problem


async def fail(world: World, somebody: Somebody | str, times: int, **where: str) -> None:
    for _ in range(times):
        answer = await world.login(somebody, WRONG, **where)
        assert problem(answer) == "invalid-credentials"


async def test_the_sixth_failure_blocks_and_says_for_how_long(world: World) -> None:
    shipper = await world.user()
    await fail(world, shipper, 6)
    refused = await world.login(shipper)
    assert (refused.status_code, problem(refused)) == (429, "too-many-attempts")
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["retryAfter"] == 1


async def test_the_delay_doubles_up_to_a_quarter_of_an_hour(world: World) -> None:
    shipper = await world.user()
    await fail(world, shipper, 5)
    waits: list[int] = []
    for n in range(12):
        await fail(world, shipper, 1, source=f"192.0.2.{n}")
        wait = int((await world.login(shipper, WRONG)).headers["retry-after"])
        waits.append(wait)
        world.clock.advance(seconds=wait)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


async def test_the_right_password_after_the_wait_clears_the_count(world: World) -> None:
    shipper = await world.user()
    await fail(world, shipper, 6)
    world.clock.advance(seconds=1)
    assert (await world.login(shipper)).status_code == 200
    await fail(world, shipper, 5)
    assert (await world.login(shipper)).status_code == 200


async def test_a_name_that_nobody_has_is_slowed_down_alike(world: World) -> None:
    await fail(world, "nobody-at-all", 6)
    assert problem(await world.login("NOBODY-at-all", WRONG)) == "too-many-attempts"


async def test_failures_are_forgotten_after_a_day(world: World) -> None:
    shipper = await world.user()
    await fail(world, shipper, 5)
    world.clock.advance(hours=25)
    await fail(world, shipper, 5)
    assert (await world.login(shipper)).status_code == 200


async def test_one_source_guessing_at_many_accounts_is_slowed_down(world: World) -> None:
    for n in range(13):
        await fail(world, f"victim-{n}", 1, source=ELSEWHERE)
    shipper = await world.user()
    assert problem(await world.login(shipper, source=ELSEWHERE)) == "too-many-attempts"
    assert (await world.login(shipper)).status_code == 200


async def test_a_success_doesnt_clear_the_sources_count(world: World) -> None:
    mine = await world.user()
    for n in range(12):
        await fail(world, f"victim-{n}", 1, source=ELSEWHERE)
    assert (await world.login(mine, source=ELSEWHERE)).status_code == 200
    await fail(world, "victim-12", 1, source=ELSEWHERE)
    assert problem(await world.login("victim-13", source=ELSEWHERE)) == "too-many-attempts"


async def test_made_up_forwarding_headers_dont_make_new_sources(world: World) -> None:
    answers = Counter[str]()
    for n in range(20):
        spoofed = f"10.0.{n}.1, {ELSEWHERE}"
        answers[problem(await world.login(f"victim-{n}", WRONG, source=spoofed))] += 1
    assert answers == {"invalid-credentials": 13, "too-many-attempts": 7}


async def test_addresses_of_one_ipv6_site_are_one_source(world: World) -> None:
    for n in range(13):
        await fail(world, f"victim-{n}", 1, source=f"2001:db8:1:2::{n}")
    blocked = await world.login("victim-x", source="2001:db8:1:2:ffff::1")
    assert problem(blocked) == "too-many-attempts"
    await fail(world, "victim-x", 1, source="2001:db8:1:3::1")


async def test_the_owners_device_is_not_locked_out_by_failures_elsewhere(world: World) -> None:
    shipper = await world.user()
    await world.tokens(shipper, device=PHONE)
    await fail(world, shipper, 6, source=ELSEWHERE)
    assert problem(await world.login(shipper, source=ELSEWHERE)) == "too-many-attempts"
    assert (await world.login(shipper, device=PHONE)).status_code == 200


async def test_neither_is_the_owners_address(world: World) -> None:
    shipper = await world.user()
    await world.tokens(shipper)
    await fail(world, shipper, 6, source=ELSEWHERE)
    assert (await world.login(shipper)).status_code == 200


async def test_a_known_device_that_guesses_slows_itself_down(world: World) -> None:
    shipper = await world.user()
    await world.tokens(shipper, device=PHONE)
    await fail(world, shipper, 6, device=PHONE)
    assert problem(await world.login(shipper, device=PHONE)) == "too-many-attempts"
    assert (await world.login(shipper, source=ELSEWHERE)).status_code == 200


async def test_a_device_of_one_account_is_not_known_to_another(world: World) -> None:
    mine, victim = await world.user(), await world.user()
    await world.tokens(mine, device=PHONE)
    await fail(world, victim, 6, device=PHONE)
    assert problem(await world.login(victim, source=ELSEWHERE)) == "too-many-attempts"


async def test_guessing_at_once_tells_no_more_than_guessing_in_turn(committed: World) -> None:
    shipper = await committed.user()
    guesses = [WRONG] * 20 + [PASSWORD] + [WRONG] * 5
    answers = await asyncio.gather(
        *(committed.login(shipper, guess, source=f"192.0.2.{n}") for n, guess in enumerate(guesses))
    )
    told = Counter(a.status_code for a in answers)
    # Where the right one falls among the others is up to chance; it clears the count at most once.
    assert told[401] <= 12
    assert told[401] + told[429] + told[200] == len(guesses)
    assert told[429] >= len(guesses) - 13


async def test_counting_at_once_loses_nothing(committed: World) -> None:
    victims = [f"victim-{n}" for n in range(12)]
    answers = await asyncio.gather(*(committed.login(v, WRONG, source=ELSEWHERE) for v in victims))
    assert {a.status_code for a in answers} == {401}
    async with committed.realm.database.begin() as tx:
        connection = await tx.connection()
        counts = await connection.exec_driver_sql(
            "SELECT scope, sum(failures) FROM throttles GROUP BY scope ORDER BY scope"
        )
        assert [tuple(row) for row in counts] == [("account", 12), ("source", 12)]


async def test_refreshing_is_blocked_with_the_account(world: World) -> None:
    shipper = await world.user()
    tokens = await world.tokens(shipper)
    await fail(world, shipper, 6, source=ELSEWHERE)
    stolen = await world.refresh(tokens["refresh_token"], source=ELSEWHERE)
    assert problem(stolen) == "too-many-attempts"
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


async def test_guessing_refresh_tokens_slows_the_source_down(world: World) -> None:
    for n in range(13):
        assert problem(await world.refresh(f"guess-{n}")) == "invalid-refresh-token"
    assert problem(await world.refresh("guess-13")) == "too-many-attempts"
    assert (await world.audited()).count(("session.refresh", "denied")) == 13


async def test_the_table_names_nobody(world: World) -> None:
    await fail(world, "somebody@coal.example", 1)
    async with world.realm.database.begin() as tx:
        connection = await tx.connection()
        rows = await connection.exec_driver_sql("SELECT t::text FROM throttles AS t")
        assert "somebody" not in str(rows.all())
