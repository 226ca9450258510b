from sqlalchemy import func, select

from auth_service.housekeeping import clearing
from auth_service.models import LoginChallenge, RefreshToken, Throttle, UserSession

from .world import WRONG, World


async def count(world: World) -> list[int | None]:
    async with world.realm.database.begin() as tx:
        tables = (LoginChallenge, UserSession, RefreshToken, Throttle)
        return [await tx.scalar(select(func.count()).select_from(table)) for table in tables]


async def test_what_is_over_goes_and_the_rest_stays(world: World) -> None:
    clear = clearing(world.realm.database, clock=world.clock)
    await world.challenge(await world.user("operator", second_factor=True))
    leaver, stayer = await world.user(), await world.user()
    left = await world.tokens(leaver)
    stayed = await world.tokens(stayer)
    await world.refresh(left["refresh_token"])
    await world.login(leaver, WRONG)
    await world.post("/auth/logout", {"refresh_token": left["refresh_token"]})
    assert await clear() is False
    assert await count(world) == [1, 2, 3, 2]
    world.clock.advance(days=8)
    assert await clear() is False
    assert await count(world) == [0, 1, 1, 0]
    assert (await world.refresh(stayed["refresh_token"])).status_code == 200
    world.clock.advance(days=30)
    assert await clear() is False
    assert await count(world) == [0, 0, 0, 0]
