from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.testing.issuer import Issuer
from config_service.models import ConfigurationVersion

from .factories import (
    DEV,
    OTHER_TICKET,
    PRICING,
    TICKET,
    Person,
    a_put,
    error_type,
    pricing,
    url_of,
)

CREATE = {"If-None-Match": "*"}


async def count_versions(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(ConfigurationVersion)) or 0


async def test_what_was_put_is_got(author: Person) -> None:
    written = await author.put(DEV, {"tons": 20})
    assert written.status_code == 200
    found = await author.get(DEV)
    assert found.json() == written.json()
    assert found.headers["etag"] == written.headers["etag"]


async def test_numbers_come_back_as_they_were_meant(author: Person) -> None:
    data: dict[str, Any] = {
        "int": 1,
        "float": 1.5,
        "whole": 2.0,
        "small": 1e-7,
        "text": 'ट्रक "\\\n',
        "nested": {},
    }
    written = await author.put(DEV, data)
    found = (await author.get(DEV)).json()
    assert found["data"] == data
    assert found["checksum"] == written.json()["checksum"]


async def test_versions_count_up(author: Person) -> None:
    versions = [(await author.put(DEV, {"n": n})).json()["version"] for n in range(3)]
    assert versions == ["1", "2", "3"]


async def test_creating_twice(author: Person) -> None:
    assert (await author.put(DEV, {"n": 1}, headers=CREATE)).status_code == 200
    again = await author.put(DEV, {"n": 2}, headers=CREATE)
    assert (again.status_code, error_type(again)) == (412, "configuration-changed")
    assert (await author.get(DEV)).json()["data"] == {"n": 1}


async def test_writing_from_an_old_version(author: Person) -> None:
    old = await author.seen(DEV)
    first = await author.put(DEV, {"n": 1}, headers=old)
    second = await author.put(DEV, {"n": 2}, headers={"If-Match": first.headers["etag"]})
    assert second.status_code == 200
    stale = await author.put(DEV, {"n": 3}, headers={"If-Match": first.headers["etag"]})
    assert (stale.status_code, error_type(stale)) == (412, "configuration-changed")
    assert (await author.get(DEV)).json()["version"] == "2"


@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}, {"If-None-Match": '"1-x"'}])
async def test_writing_from_no_version(author: Person, headers: dict[str, str]) -> None:
    await author.put(DEV, {"n": 1})
    for answer in (
        await author.put(DEV, {"n": 2}, headers=headers),
        await author.delete(DEV, headers=headers),
        await author.roll_back(DEV, 1, headers=headers),
        await author.propose(DEV, {"action": "put", **a_put({})}, headers=headers),
    ):
        assert (answer.status_code, error_type(answer)) == (428, "version-unnamed")


async def test_deleting(author: Person) -> None:
    await author.put(DEV, {"n": 1})
    deleted = await author.delete(DEV, ticket=OTHER_TICKET)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await author.get(DEV)).status_code == 404
    assert (await author.get(DEV, "versions", "1")).json()["data"] == {"n": 1}
    (entry,) = (await author.get(DEV, "history")).json()["items"]
    assert entry["is_active"] is False
    assert entry["deletion"]["change_ticket"] == OTHER_TICKET
    assert entry["deletion"]["deleted_by"] == author.user_id


async def test_deleting_twice(author: Person) -> None:
    etag = (await author.put(DEV, {"n": 1})).headers["etag"]
    await author.delete(DEV)
    again = await author.delete(DEV, headers={"If-Match": etag})
    assert (again.status_code, error_type(again)) == (412, "configuration-changed")
    nothing = await author.delete(DEV, headers=CREATE)
    assert (nothing.status_code, error_type(nothing)) == (404, "configuration-not-found")


async def test_writing_after_a_deletion_counts_on(author: Person) -> None:
    await author.put(DEV, {"n": 1})
    await author.delete(DEV)
    written = await author.put(DEV, {"n": 2}, headers=CREATE)
    assert written.json()["version"] == "2"


async def test_rolling_back(author: Person) -> None:
    for n in (1, 2):
        await author.put(DEV, {"n": n})
    restored = await author.roll_back(DEV, 1, ticket=OTHER_TICKET)
    assert restored.status_code == 200
    assert (restored.json()["data"], restored.json()["version"]) == ({"n": 1}, "3")
    assert (await author.get(DEV)).json() == restored.json()
    newest = (await author.get(DEV, "history")).json()["items"][0]
    assert (newest["restored_from"], newest["change_ticket"]) == ("1", OTHER_TICKET)


async def test_rolling_back_brings_back_what_was_deleted(author: Person) -> None:
    await author.put(DEV, {"n": 1})
    await author.delete(DEV)
    restored = await author.roll_back(DEV, 1, headers=CREATE)
    assert restored.json()["version"] == "2"
    assert (await author.get(DEV)).json()["data"] == {"n": 1}


async def test_rolling_back_to_what_never_was(author: Person) -> None:
    await author.put(DEV, {"n": 1})
    refused = await author.roll_back(DEV, 2)
    assert (refused.status_code, error_type(refused)) == (404, "version-not-found")
    other = DEV._replace(path="other")
    await author.put(other, {"n": 1})
    await author.put(other, {"n": 2})
    assert (await author.roll_back(DEV, 2)).status_code == 404


async def test_rolling_back_from_an_old_version(author: Person) -> None:
    first = await author.put(DEV, {"n": 1})
    await author.put(DEV, {"n": 2})
    stale = await author.roll_back(DEV, 1, headers={"If-Match": first.headers["etag"]})
    assert stale.status_code == 412


async def test_rolling_back_again_with_the_same_key_is_one_version(author: Person) -> None:
    await author.put(DEV, {"n": 1})
    headers = {**await author.seen(DEV), "Idempotency-Key": "k1"}
    first = await author.roll_back(DEV, 1, headers=headers)
    again = await author.roll_back(DEV, 1, headers=headers)
    assert first.status_code == 200
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    assert (await author.get(DEV)).json()["version"] == "2"


async def test_pricing_is_checked(author: Person) -> None:
    assert (await author.put(PRICING, pricing())).status_code == 200
    refused = await author.put(PRICING, pricing(base_rate=1, extra=0))
    assert (refused.status_code, error_type(refused)) == (422, "invalid-configuration")
    assert {error["pointer"] for error in refused.json()["errors"]} == {
        "/data/base_rate",
        "/data/extra",
    }
    assert (await author.get(PRICING)).json()["version"] == "1"


async def test_old_content_must_satisfy_the_schema_of_today(
    author: Person, session: AsyncSession
) -> None:
    session.add(
        ConfigurationVersion(
            version_id="01936f3e-0000-7000-8000-000000000000",
            **PRICING.columns(),
            version_number=1,
            config_data={"base_rate": 1},
            checksum="0" * 64,
            created_by="somebody",
            is_active=False,
            change_ticket=TICKET,
        )
    )
    await session.flush()
    refused = await author.roll_back(PRICING, 1, headers=CREATE)
    assert (refused.status_code, error_type(refused)) == (422, "invalid-configuration")


GOOD = a_put({"n": 1})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"data": {}}, 422),
        ({"change_ticket": TICKET}, 422),
        ({**GOOD, "reason": "x"}, 422),
        ({**GOOD, "approval_token": 7}, 422),
        ({**GOOD, "approval_token": "x" * 101}, 422),
        ({**GOOD, "data": []}, 422),
        ({**GOOD, "data": None}, 422),
        ({**GOOD, "data": "{}"}, 422),
        ({**GOOD, "data": {"n": 2**53}}, 422),
        ({**GOOD, "data": {"n": 1e300}}, 422),
        ({**GOOD, "data": {"n": "x" * 70_000}}, 422),
        ({**GOOD, "change_ticket": "CHG-1234567"}, 422),
        ({**GOOD, "change_ticket": "CHG-123456789"}, 422),
        ({**GOOD, "change_ticket": "chg-12345678"}, 422),
        ({**GOOD, "change_ticket": "CHG-12345678\n"}, 422),
        ({**GOOD, "change_ticket": "CHG-१२३४५६७८"}, 422),
        ({**GOOD, "change_ticket": 12345678}, 422),
        ([], 422),
        ("x", 422),
        ({**GOOD, "data": {"n": "\x00"}}, 400),
    ],
)
async def test_body_that_is_none(
    author: Person, session: AsyncSession, body: Any, status: int
) -> None:
    refused = await author.send("PUT", url_of(DEV), body, CREATE)
    assert refused.status_code == status, refused.text
    error_type(refused)
    assert await count_versions(session) == 0


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"", "application/json", 422),
        (b"{", "application/json", 400),
        (b'{"data": {"n": NaN}, "change_ticket": "CHG-12345678"}', "application/json", 400),
        (b'{"data": {"n": "\\ud800"}, "change_ticket": "CHG-12345678"}', "application/json", 400),
        (b'{"data": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}", "application/json", 422),
        (b'{"data": ' + b"[" * 100_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"data": {}, "change_ticket": "CHG-12345678"}', "text/plain", 415),
        (b'{"data": {"a": "' + b"x" * 300_000 + b'"}}', "application/json", 413),
    ],
)
async def test_content_that_is_no_body(
    author: Person, session: AsyncSession, content: bytes, media_type: str, status: int
) -> None:
    refused = await author.client.put(
        url_of(DEV),
        content=content,
        headers={**author.headers, **CREATE, "Content-Type": media_type},
    )
    assert refused.status_code == status, refused.text
    error_type(refused)
    assert await count_versions(session) == 0


async def test_depth_is_bounded(author: Person) -> None:
    deep: Any = 1
    for _ in range(32):
        deep = {"a": deep}
    assert (await author.put(DEV, deep)).status_code == 200
    refused = await author.put(DEV, {"a": deep})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["code"] == "depth"


@pytest.mark.parametrize(
    ("method", "more"),
    [("PUT", ()), ("DELETE", ()), ("POST", ("rollback",)), ("POST", ("proposals",))],
)
async def test_writing_needs_a_permission(
    client: httpx.AsyncClient, issuer: Issuer, method: str, more: tuple[str, ...]
) -> None:
    url = url_of(DEV, *more)
    assert (await client.request(method, url, json=GOOD)).status_code == 401
    for permissions in (["config:read:all"], ["config:approve:all"], ["config:write"]):
        bearer = issuer.bearer(permissions=permissions)
        refused = await client.request(method, url, json=GOOD, headers=bearer)
        assert (refused.status_code, error_type(refused)) == (403, "permission-missing")
