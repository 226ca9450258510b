"""Signing keys: made once, sealed, replaced without a refused token."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from auth_service import keys as auth_keys
from auth_service import rotation
from auth_service.app import create_app, open_realm
from auth_service.keys import NoSigningKey, SigningKeys
from auth_service.models import SigningKey
from auth_service.realm import Realm
from auth_service.rotation import CannotRetire, forget_retired, fresh_keys, retire, rotate
from auth_service.settings import AuthSettings
from chassis import keys as chassis_keys
from chassis.db import Database, DatabaseUnavailable
from chassis.keys import RemoteKeys
from chassis.testing.client import client_for
from chassis.testing.databases import TestDatabase
from chassis.tokens import TokenVerifier

from .world import Clock, World, add_signing_key, problem

LATER = timedelta(seconds=150)


@pytest.fixture
def realm(rollback_database: Database, settings: AuthSettings, clock: Clock) -> Realm:
    return open_realm(settings, rollback_database, clock=clock)


async def signs(realm: Realm) -> str:
    await realm.keys.look()
    return (await realm.keys.signer(realm.vault)).kid


async def published(realm: Realm) -> set[str]:
    await realm.keys.look()
    return {jwk["kid"] for jwk in realm.keys.published()}


async def test_the_first_key_is_made_when_somebody_asks(realm: Realm) -> None:
    keys = await fresh_keys(realm)
    [jwk] = keys.published()
    assert (await keys.signer(realm.vault)).kid == jwk["kid"]
    assert (await fresh_keys(realm)).published() == [jwk]


async def test_two_processes_at_once_make_one_first_key(
    database: TestDatabase, settings: AuthSettings
) -> None:
    realms = [open_realm(settings, Database.connect(database.url, name="t")) for _ in range(3)]
    found = await asyncio.gather(*(fresh_keys(realm) for realm in realms))
    assert len({keys.published()[0]["kid"] for keys in found}) == 1
    async with realms[0].database.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(SigningKey)) == 1
    for realm in realms:
        await realm.database.dispose()


async def test_a_key_id_is_the_thumbprint_of_the_key(realm: Realm) -> None:
    [jwk] = (await fresh_keys(realm)).published()
    assert len(jwk["kid"]) == 43


async def test_a_key_id_can_be_typed_as_an_argument(
    realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = iter(["-option", "argument"])
    monkeypatch.setattr(rotation, "_thumbprint", lambda _jwk: next(ids))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType] - takes any key
    [jwk] = (await fresh_keys(realm)).published()
    assert jwk["kid"] == "argument"


async def test_a_new_key_is_published_before_it_signs(realm: Realm, clock: Clock) -> None:
    old = await add_signing_key(realm)
    new = (await rotate(realm=realm, activate_in=LATER)).kid
    assert await published(realm) == {old, new}
    assert await signs(realm) == old
    clock.advance(seconds=149)
    assert await signs(realm) == old
    clock.advance(seconds=1)
    assert await signs(realm) == new


async def test_the_old_key_is_believed_until_its_last_token_has_expired(
    realm: Realm, clock: Clock
) -> None:
    old = await add_signing_key(realm)
    new = (await rotate(realm=realm, activate_in=LATER)).kid
    clock.advance(seconds=150 + 600 + 119)
    assert await published(realm) == {old, new}
    generation = realm.keys.generation
    clock.advance(seconds=1)
    assert await published(realm) == {new}
    assert realm.keys.get(old) is None
    assert realm.keys.generation == generation + 1


async def test_the_private_half_of_a_retired_key_is_forgotten(realm: Realm, clock: Clock) -> None:
    old = await add_signing_key(realm)
    new = (await rotate(realm=realm, activate_in=LATER)).kid
    for passed, kept in ((0, {old, new}), (870, {new})):
        clock.advance(seconds=passed)
        async with realm.database.begin() as tx:
            await forget_retired(tx, now=clock())
            sealed = select(SigningKey.kid).where(SigningKey.sealed_private.is_not(None))
            assert set((await tx.scalars(sealed)).all()) == kept


async def test_rotations_take_turns(realm: Realm, clock: Clock) -> None:
    await add_signing_key(realm)
    first = await rotate(realm=realm, activate_in=LATER)
    clock.advance(seconds=1)
    second = await rotate(realm=realm, activate_in=timedelta(0))
    assert second.activates_at == first.activates_at
    clock.advance(seconds=149)
    assert await signs(realm) == second.kid
    clock.advance(days=1)
    assert await published(realm) == {second.kid}


async def test_rotating_before_there_was_any_key(realm: Realm) -> None:
    key = await rotate(realm=realm, activate_in=timedelta(0))
    assert await signs(realm) == key.kid


async def test_nothing_signs_before_its_time(realm: Realm) -> None:
    await rotate(realm=realm, activate_in=LATER)
    with pytest.raises(NoSigningKey):
        await signs(realm)


async def test_private_keys_are_sealed(realm: Realm) -> None:
    await fresh_keys(realm)
    async with realm.database.begin() as tx:
        sealed = (await tx.scalars(select(SigningKey.sealed_private))).one()
    assert sealed is not None
    assert b"PRIVATE KEY" not in sealed


class TestRetire:
    async def test_tokens_of_a_retired_key_are_refused(self, world: World) -> None:
        tokens = await world.tokens(await world.user())
        await rotate(realm=world.realm, activate_in=timedelta(0))
        await retire(realm=world.realm, kid="test")
        await world.realm.keys.look()
        assert problem(await world.get("/auth/me", tokens["access_token"])) == "bad-token"
        fresh = (await world.refresh(tokens["refresh_token"])).json()
        assert (await world.get("/auth/me", fresh["access_token"])).status_code == 200

    async def test_the_key_that_waits_takes_over_at_once(self, realm: Realm) -> None:
        old = await add_signing_key(realm)
        waiting = await rotate(realm=realm, activate_in=LATER)
        await retire(realm=realm, kid=old)
        assert await signs(realm) == waiting.kid

    async def test_not_the_only_one(self, realm: Realm) -> None:
        old = await add_signing_key(realm)
        with pytest.raises(CannotRetire, match="only key"):
            await retire(realm=realm, kid=old)

    async def test_not_an_unknown_one(self, realm: Realm) -> None:
        with pytest.raises(CannotRetire, match="no published key"):
            await retire(realm=realm, kid="unknown")

    async def test_not_twice(self, realm: Realm) -> None:
        old = await add_signing_key(realm)
        await rotate(realm=realm, activate_in=timedelta(0))
        await retire(realm=realm, kid=old)
        with pytest.raises(CannotRetire):
            await retire(realm=realm, kid=old)


class Away:
    """A transaction with a database that is away."""

    async def __aenter__(self) -> None:
        raise DatabaseUnavailable

    async def __aexit__(self, *_raised: object) -> None:
        return


def away(_database: Database) -> Away:
    return Away()


async def test_keys_outlive_the_database(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    kid = await add_signing_key(realm)
    assert await published(realm) == {kid}
    monkeypatch.setattr(Database, "begin", away)
    assert await published(realm) == {kid}
    assert await signs(realm) == kid


async def test_unknown_key_ids_dont_ask_the_database_each(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    look = SigningKeys._look  # pyright: ignore[reportPrivateUsage] - counted here

    async def counting(self: SigningKeys, least_pause: float) -> None:
        before = self._looked_at  # pyright: ignore[reportPrivateUsage] - counted here
        await look(self, least_pause)
        if self._looked_at != before:  # pyright: ignore[reportPrivateUsage] - counted here
            looks.append(least_pause)

    monkeypatch.setattr(SigningKeys, "_look", counting)
    monkeypatch.setattr(auth_keys, "FORCED_LOOK_SECONDS", 3600.0)
    for n in range(50):
        await world.realm.keys.refresh()
        assert world.realm.keys.get(f"random-{n}") is None
    assert len(looks) <= 1


@pytest.mark.parametrize("rotations", [4, pytest.param(100, marks=pytest.mark.nightly)])
async def test_no_valid_token_is_refused_while_keys_rotate(
    rotations: int,
    database: TestDatabase,
    settings: AuthSettings,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Time runs a thousand times faster: verifiers ask for keys every 60 ms, not every 60 s."""
    monkeypatch.setattr(chassis_keys, "REFRESH_SECONDS", 0.06)
    monkeypatch.setattr(chassis_keys, "FORCED_REFRESH_SECONDS", 0.03)
    monkeypatch.setattr(auth_keys, "LOOK_SECONDS", 0.005)
    own = Database.connect(database.url, name="test")
    app = create_app(settings, own)
    async with client_for(app) as http:
        world = World(http=http, realm=app.state.realm, clock=Clock())
        token = (await world.tokens(await world.user()))["refresh_token"]
        remote = RemoteKeys(
            "http://test/auth/jwks.json",
            copy=tmp_path / "jwks.json",
            transport=httpx.ASGITransport(app),
        )
        await remote.start()
        verifier = TokenVerifier(
            remote, issuer=settings.token_issuer, audience=settings.token_audience
        )
        issued: list[str] = []
        signed_by = [await signs(world.realm)]
        for _ in range(rotations):
            await rotate(realm=world.realm, activate_in=timedelta(seconds=0.15))
            while True:
                answer = (await world.refresh(token)).json()
                token = answer["refresh_token"]
                issued.append(answer["access_token"])
                for old in issued[-5:] + issued[:5]:
                    await verifier.verify(old)
                if await signs(world.realm) != signed_by[-1]:
                    break
            signed_by.append(await signs(world.realm))
        fresh = TokenVerifier(
            remote, issuer=settings.token_issuer, audience=settings.token_audience
        )
        for old in issued:
            await fresh.verify(old)
        await remote.stop()
    assert len(set(signed_by)) == rotations + 1
