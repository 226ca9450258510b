from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.canonical import checksum
from chassis.testing.issuer import Issuer
from config_service.models import ConfigurationAudit
from config_service.registry import REGISTRATIONS

from .factories import DEV, PRODUCTION, Person, error_type, in_production, url_of


async def count_audit(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(ConfigurationAudit)) or 0


async def test_configuration(author: Person) -> None:
    await author.put(DEV, {"tons": 20, "list": [1, None]})
    found = await author.get(DEV)
    assert found.status_code == 200
    document = found.json()
    assert document.keys() == {"data", "version", "last_modified", "checksum"}
    assert document["data"] == {"tons": 20, "list": [1, None]}
    assert document["version"] == "1"
    assert document["checksum"] == checksum(document["data"])
    age = datetime.now(UTC) - datetime.fromisoformat(document["last_modified"])
    assert abs(age) < timedelta(minutes=5)
    assert found.headers["etag"] == f'"1-{document["checksum"]}"'
    assert found.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
async def test_not_modified(author: Person, session: AsyncSession, form: str) -> None:
    etag = (await author.put(DEV, {"tons": 20})).headers["etag"]
    before = await count_audit(session)
    found = await author.get(DEV, headers={"If-None-Match": form.format(etag)})
    assert found.status_code == 304
    assert found.content == b""
    assert found.headers["etag"] == etag
    assert await count_audit(session) == before


@pytest.mark.parametrize("tag", ['"0-x"', "rubbish", "", '"1-'])
async def test_modified(author: Person, tag: str) -> None:
    await author.put(DEV, {"tons": 20})
    assert (await author.get(DEV, headers={"If-None-Match": tag})).status_code == 200


async def test_same_content_again_is_another_version(author: Person) -> None:
    first = await author.put(DEV, {"tons": 20})
    second = await author.put(DEV, {"tons": 20})
    assert first.json()["checksum"] == second.json()["checksum"]
    assert first.headers["etag"] != second.headers["etag"]


async def test_nothing_there(author: Person) -> None:
    found = await author.get(DEV)
    assert (found.status_code, error_type(found)) == (404, "configuration-not-found")
    condition = await author.get(DEV, headers={"If-None-Match": "*"})
    assert condition.status_code == 404


async def test_addresses_are_apart(author: Person, approver: Person) -> None:
    await author.put(DEV, {"in": "dev"})
    await in_production(author, approver, {"in": "production"})
    await author.put(DEV._replace(service="payment"), {"in": "payment"})
    assert (await author.get(DEV)).json()["data"] == {"in": "dev"}
    assert (await author.get(PRODUCTION)).json()["data"] == {"in": "production"}
    assert (await author.get(DEV._replace(path="limits"))).status_code == 404


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/v1/config/billing/dev/pricing", 422),
        ("/v1/config/booking/test/pricing", 422),
        ("/v1/config/booking/dev/Pricing", 422),
        ("/v1/config/booking/dev/a%2F..%2Fb", 422),
        ("/v1/config/booking/dev/a//b", 422),
        ("/v1/config/booking/dev/", 422),
        ("/v1/config/booking", 404),
        ("/v1/config/booking/dev/a%00b", 400),
        ("/v1/config/booking/dev/versions/1", 422),
        ("/v1/config/booking/dev/history", 422),
        ("/v1/config/booking/dev/a/versions", 422),
        ("/v1/config/booking/dev/a/versions/0", 422),
        ("/v1/config/booking/dev/a/versions/x", 422),
        ("/v1/config/booking/dev/a/versions/2147483648", 422),
        ("/v1/config/booking/dev/a/proposals/7", 422),
        ("/v1/config/booking/dev/a/history?limit=0", 422),
        ("/v1/config/booking/dev/a/history?cursor=x", 400),
        ("/v1/config/booking/dev/a/history?cursor=9999999999", 400),
        ("/v1/config/booking/dev/a/history?cursor=%D9%A3", 400),
    ],
)
async def test_address_that_is_none(author: Person, url: str, status: int) -> None:
    found = await author.send("GET", url)
    assert found.status_code == status, found.text
    error_type(found)


async def test_slash_may_be_escaped(author: Person) -> None:
    await author.put(DEV, {"tons": 20})
    found = await author.send("GET", "/v1/config/booking/dev/limits%2Fcoal")
    assert found.json()["data"] == {"tons": 20}


async def test_versions(author: Person) -> None:
    for tons in (1, 2):
        await author.put(DEV, {"tons": tons})
    old = await author.get(DEV, "versions", "1")
    assert old.status_code == 200
    assert (old.json()["data"], old.json()["version"]) == ({"tons": 1}, "1")
    known = await author.get(DEV, "versions", "1", headers={"If-None-Match": old.headers["etag"]})
    assert known.status_code == 304
    missing = await author.get(DEV, "versions", "3")
    assert (missing.status_code, error_type(missing)) == (404, "version-not-found")


async def test_history_goes_back_page_by_page(author: Person) -> None:
    for tons in range(5):
        await author.put(DEV, {"tons": tons}, ticket=f"CHG-0000000{tons}")
    entries: list[dict[str, object]] = []
    query = "limit=2"
    while True:
        page = (await author.send("GET", url_of(DEV, f"history?{query}"))).json()
        entries += page["items"]
        if page["next_cursor"] is None:
            break
        assert len(page["items"]) == 2
        query = f"limit=2&cursor={page['next_cursor']}"
    assert [entry["version"] for entry in entries] == ["5", "4", "3", "2", "1"]
    assert [entry["is_active"] for entry in entries] == [True, False, False, False, False]
    assert entries[0]["change_ticket"] == "CHG-00000004"
    assert entries[0]["created_by"] == author.user_id
    assert "data" not in entries[0]


async def test_history_behind_its_end_is_empty(author: Person) -> None:
    await author.put(DEV, {"tons": 1})
    page = (await author.get(DEV, "history?cursor=1")).json()
    assert page == {"items": [], "next_cursor": None}


async def test_history_of_nothing(author: Person) -> None:
    found = await author.get(DEV, "history")
    assert (found.status_code, error_type(found)) == (404, "configuration-not-found")


async def test_schemas(author: Person) -> None:
    found = await author.send("GET", "/v1/config/schemas")
    items = found.json()["items"]
    assert [(item["service"], item["path_pattern"]) for item in items] == [
        ("booking", "pricing"),
        ("booking", "cancellation"),
        ("booking", "trips"),
    ]
    assert [item["json_schema"] for item in items] == [each.schema for each in REGISTRATIONS]


READS = [
    url_of(DEV),
    url_of(DEV, "history"),
    url_of(DEV, "versions", "1"),
    url_of(DEV, "proposals", "01936f3e-0000-7000-8000-000000000000"),
    "/v1/config/schemas",
]


@pytest.mark.parametrize("url", READS)
async def test_reading_needs_a_permission_for_all(
    client: httpx.AsyncClient, issuer: Issuer, url: str
) -> None:
    assert (await client.get(url)).status_code == 401
    for permissions in ([], ["config:write:all"], ["config:read"], ["booking:read:all"]):
        found = await client.get(url, headers=issuer.bearer(permissions=permissions))
        assert (found.status_code, error_type(found)) == (403, "permission-missing")
    narrow = await client.get(url, headers=issuer.bearer(permissions=["config:read:tenant"]))
    assert (narrow.status_code, error_type(narrow)) == (403, "forbidden")


async def test_a_service_reads_and_writes_nothing(
    author: Person, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    service = Person(client, issuer, role="service")
    await author.put(DEV, {"tons": 1})
    assert (await service.get(DEV)).status_code == 200
    refused = await service.put(DEV, {"tons": 2})
    assert (refused.status_code, error_type(refused)) == (403, "permission-missing")
