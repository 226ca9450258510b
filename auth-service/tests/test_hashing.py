import asyncio

import pytest

from auth_service import hashing
from auth_service.hashing import Hasher, TooBusy
from auth_service.settings import AuthSettings

from .world import PASSWORD, WRONG, cheap_settings


@pytest.fixture
def hasher() -> Hasher:
    return Hasher(memory_kib=8, rounds=1, at_once=1)


async def test_right_and_wrong(hasher: Hasher) -> None:
    kept = await hasher.hash(PASSWORD)
    assert kept.startswith("$argon2id$")
    assert (await hasher.verify(kept, PASSWORD)).right
    assert not (await hasher.verify(kept, WRONG)).right
    assert not (await hasher.verify(None, PASSWORD)).right
    assert not (await hasher.verify("not a hash", PASSWORD)).right


async def test_every_hash_has_a_salt_of_its_own(hasher: Hasher) -> None:
    assert await hasher.hash(PASSWORD) != await hasher.hash(PASSWORD)


async def test_too_many_at_once_are_turned_away(
    hasher: Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "MAX_WAITING", 3)
    outcomes = await asyncio.gather(
        *(hasher.verify(None, PASSWORD) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(outcome, TooBusy) for outcome in outcomes) == 2
    assert not (await hasher.verify(None, PASSWORD)).right


def test_weak_parameters_are_for_dev_only(settings: AuthSettings) -> None:
    with pytest.raises(ValueError, match="Argon2 needs"):
        cheap_settings(settings.master_key_file, environment="production")
    strong = cheap_settings(
        settings.master_key_file,
        environment="production",
        argon2_memory_kib=19456,
        argon2_rounds=2,
    )
    assert strong.base_url == "https://auth.ubertruck.com"
