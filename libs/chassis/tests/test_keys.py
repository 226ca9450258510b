import asyncio
import time
from pathlib import Path

import httpx
import orjson
import pytest
from prometheus_client import REGISTRY

from chassis import keys
from chassis.keys import KeysUnavailable, RemoteKeys, parse_jwks
from chassis.testing.issuer import Issuer

URL = "http://auth.test/auth/jwks.json"


class Published:
    """auth-service's key address: `issuers` is what it publishes; None means that it is down."""

    def __init__(self, *issuers: Issuer) -> None:
        self.issuers: tuple[Issuer, ...] | None = issuers
        self.asked = 0

    def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.issuers is None:
            raise httpx.ConnectError("down")
        return httpx.Response(200, json={"keys": [i.jwks["keys"][0] for i in self.issuers]})


def remote(published: Published, copy: Path) -> RemoteKeys:
    return RemoteKeys(URL, copy=copy, transport=httpx.MockTransport(published))


async def test_keys_are_read_and_kept_on_disk(tmp_path: Path) -> None:
    published = Published(Issuer("a"))
    source = remote(published, tmp_path / "state" / "jwks.json")
    await source.start()
    await source.stop()
    assert source.get("a") is not None
    published.issuers = None
    restarted = remote(published, tmp_path / "state" / "jwks.json")
    await restarted.start()
    await restarted.stop()
    assert restarted.get("a") is not None


async def test_when_keys_were_confirmed_is_told_and_a_copy_on_disk_confirms_nothing(
    tmp_path: Path,
) -> None:
    def confirmed() -> float | None:
        return REGISTRY.get_sample_value(
            "keys_confirmed_timestamp_seconds", {"issuer": keys.ISSUER}
        )

    began = time.time()
    published = Published(Issuer("a"))
    for is_up in (True, False):
        if not is_up:
            published.issuers = None
        source = remote(published, tmp_path / "jwks.json")
        await source.start()
        await source.stop()
        found = confirmed()
        assert found is not None
        assert (found >= began) is is_up


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"keys": 1}', b'{"keys": [{"kid": 1}]}'])
async def test_an_unusable_copy_is_no_harm(tmp_path: Path, content: bytes) -> None:
    copy = tmp_path / "jwks.json"
    copy.write_bytes(content)
    source = remote(Published(Issuer("a")), copy)
    await source.start()
    await source.stop()
    assert source.get("a") is not None


async def test_an_empty_answer_does_not_wipe_the_keys(tmp_path: Path) -> None:
    published = Published(Issuer("a"))
    source = remote(published, tmp_path / "jwks.json")
    await source.start()
    published.issuers = ()
    vars(source)["_looked_at"] = float("-inf")
    await source.refresh()
    await source.stop()
    assert source.get("a") is not None


async def test_unknown_keys_cost_one_request_in_half_a_minute(tmp_path: Path) -> None:
    published = Published(Issuer("a"))
    source = remote(published, tmp_path / "jwks.json")
    await asyncio.gather(*(source.refresh() for _ in range(100)))
    assert published.asked == 1


async def test_a_retired_key_changes_the_generation(tmp_path: Path) -> None:
    published = Published(Issuer("a"), Issuer("b"))
    source = remote(published, tmp_path / "jwks.json")
    await source.refresh()
    before = source.generation
    published.issuers = (Issuer("b"),)
    vars(source)["_looked_at"] = float("-inf")
    await source.refresh()
    assert source.generation == before + 1
    assert source.get("a") is None


async def test_the_background_refresh_finds_keys_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "FIRST_RETRY_SECONDS", 0.001)
    published = Published()
    published.issuers = None
    source = remote(published, tmp_path / "jwks.json")
    await source.start()
    published.issuers = (Issuer("a"),)
    async with asyncio.timeout(10):
        while source.get("a") is None:
            await asyncio.sleep(0.001)
    await source.stop()


async def test_a_folder_that_cannot_be_written_is_no_harm(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    source = remote(Published(Issuer("a")), blocked / "jwks.json")
    await source.start()
    await source.stop()
    assert source.get("a") is not None


def test_keys_of_other_kinds_are_passed_over() -> None:
    mine = Issuer("a").jwks["keys"][0]
    document = {"keys": [{**mine, "kid": "hs", "kty": "oct"}, {"kty": "RSA"}, mine]}
    assert list(parse_jwks(orjson.dumps(document))) == ["a"]


async def test_before_any_key_is_known_nothing_is_said_of_tokens(tmp_path: Path) -> None:
    published = Published()
    published.issuers = None
    source = remote(published, tmp_path / "jwks.json")
    with pytest.raises(KeysUnavailable):
        await source.refresh()
