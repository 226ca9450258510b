import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.pagination import BadCursor, Key, decode_cursor, encode_cursor, page_of


@given(at=st.datetimes(timezones=st.just(UTC)), row_id=st.uuids())
def test_a_cursor_comes_back_as_it_was(at: datetime, row_id: UUID) -> None:
    assert decode_cursor(encode_cursor(Key(at, row_id))) == Key(at, row_id)


@given(st.text(max_size=60))
def test_nonsense_is_a_bad_cursor(text: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(text)


@pytest.mark.parametrize(
    "document",
    [
        b"{}",
        b"[]",
        b"[1,2]",
        b'["2026-01-01T00:00:00","x"]',
        b'["2026-01-01T00:00:00+00:00",1]',
        b'["2026-01-01T00:00:00","0190d6a4-0000-7000-8000-000000000000"]',
        b'["0001-01-01T00:00:00+23:59","0190d6a4-0000-7000-8000-000000000000"]',
        b"[1,2,3]",
    ],
)
def test_json_of_another_shape_is_a_bad_cursor(document: bytes) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(base64.urlsafe_b64encode(document).decode())


def test_a_page_says_where_to_go_on_only_when_there_is_more() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [Key(start - timedelta(days=n), uuid4()) for n in range(3)]
    first = page_of(rows, limit=2, key=lambda row: row, render=lambda row: row.id)
    assert first.items == [rows[0].id, rows[1].id]
    assert first.next_cursor == encode_cursor(rows[1])
    last = page_of(rows, limit=3, key=lambda row: row, render=lambda row: row.id)
    assert last.next_cursor is None
