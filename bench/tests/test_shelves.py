from uuid import uuid4

import pytest

from bench.errors import WrongAnswer
from bench.shelves import PAGE_ROWS, Lists

TENANTS = [uuid4(), uuid4()]
LISTS = Lists(requests=[b"first", b"second"], tenants=TENANTS)


def page(number: int, *, rows: int = PAGE_ROWS, cursor: str = '"abc"') -> bytes:
    item = f'{{"booking_id":"{uuid4()}","tenant_id":"{TENANTS[number]}"}}'
    return f'{{"items":[{",".join([item] * rows)}],"next_cursor":{cursor}}}'.encode()


def test_requests_and_tenants_take_turns() -> None:
    assert [LISTS.render(number) for number in range(3)] == [b"first", b"second", b"first"]
    for number in range(4):
        LISTS.check(number, page(number % 2))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (page(0, rows=PAGE_ROWS - 1), "isn't a page of 50"),
        (page(1), "isn't a page of 50"),
        (page(0, cursor="null"), "claims to be the last"),
        (b"", "isn't a page"),
    ],
)
def test_refuses_what_is_no_whole_page_of_the_tenant(body: bytes, complaint: str) -> None:
    with pytest.raises(WrongAnswer, match=complaint):
        LISTS.check(0, body)
