import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from booking.statuses import Status
from contracts.booking import Material

from .factories import Caller, problem
from .rows import booking_row, owned_by

START = datetime(2026, 11, 1, tzinfo=UTC)


async def listed(shipper: Caller, **query: Any) -> list[str]:
    response = await shipper.get("/v1/booking", **query)
    assert response.status_code == 200, response.text
    return [row["booking_id"] for row in response.json()["items"]]


async def test_pages_join_without_gap_or_overlap(shipper: Caller, session: AsyncSession) -> None:
    # Several at the same moment: then the id decides.
    rows = [
        booking_row(**owned_by(shipper), created_at=START + timedelta(days=n // 3))
        for n in range(10)
    ]
    session.add_all(rows)
    await session.flush()
    newest_first = sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 4}
    for _ in range(3):
        page = (await shipper.get("/v1/booking", **query)).json()
        seen += [row["booking_id"] for row in page["items"]]
        query["cursor"] = page["next_cursor"]
    assert query["cursor"] is None
    assert seen == [str(row.id) for row in newest_first]


async def test_nothing(shipper: Caller) -> None:
    response = await shipper.get("/v1/booking")
    assert response.json() == {"items": [], "next_cursor": None}


async def test_filters(shipper: Caller, session: AsyncSession) -> None:
    mine = owned_by(shipper)
    sand = booking_row(**mine, created_at=START, material_type=Material.SAND)
    gone = booking_row(**mine, created_at=START + timedelta(days=1), status=Status.CANCELLED)
    late = booking_row(**mine, created_at=START + timedelta(days=2))
    session.add_all([sand, gone, late, booking_row(created_at=START)])
    await session.flush()
    assert await listed(shipper) == [str(late.id), str(gone.id), str(sand.id)]
    assert await listed(shipper, status="cancelled") == [str(gone.id)]
    assert await listed(shipper, material_type="sand") == [str(sand.id)]
    assert await listed(shipper, material_type="sand", status="cancelled") == []
    next_day = (START + timedelta(days=1)).isoformat()
    assert await listed(shipper, created_from=next_day) == [str(late.id), str(gone.id)]
    assert await listed(shipper, created_to=next_day) == [str(sand.id)]
    in_india = "2026-11-02T05:30:00+05:30"
    assert await listed(shipper, created_from=in_india, created_to=in_india) == []
    assert await listed(shipper, created_to=in_india) == [str(sand.id)]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": "many"},
        {"status": "lost"},
        {"status": ""},
        {"material_type": "gold"},
        {"created_from": "yesterday"},
        {"created_from": "2026-11-01T00:00:00"},
        {"created_from": "2026-11-01"},
        {"created_from": "1793491200"},
        {"created_from": "2026-02-30T00:00:00Z"},
        {"created_to": "0001-01-01T00:00:00+14:00"},
        {"cursor": "x" * 201},
        {"tenant_id": "another"},
    ],
)
async def test_bad_filters(shipper: Caller, query: dict[str, Any]) -> None:
    document = problem(await shipper.get("/v1/booking", **query), 422, "invalid")
    assert {error["pointer"] for error in document["errors"]} == set(query)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%%%",
        "नमस्ते",
        base64.urlsafe_b64encode(b"[]").decode(),
        base64.urlsafe_b64encode(b'["0001-01-01T00:00:00+14:00","7"]').decode(),
    ],
)
async def test_bad_cursors(shipper: Caller, cursor: str) -> None:
    problem(await shipper.get("/v1/booking", cursor=cursor), 400, "bad-cursor")


async def test_somebody_elses_cursor_opens_nothing(shipper: Caller) -> None:
    other = shipper.another()
    for _ in range(2):
        await other.book()
    cursor = (await other.get("/v1/booking", limit=1)).json()["next_cursor"]
    assert await listed(shipper, cursor=cursor) == []
