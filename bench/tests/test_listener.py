from uuid import UUID, uuid4

import pytest

from bench.errors import WrongAnswer
from bench.listener import require_each_once, until_nothing_waits

EVENTS = [uuid4() for _ in range(4)]
STRANGER = uuid4()


def test_each_once_is_well_in_any_order() -> None:
    require_each_once(EVENTS, reversed(EVENTS), what="had its effect")


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (EVENTS[1:], "1 never, 0 more often, 0 that"),
        ([*EVENTS, EVENTS[2]], "0 never, 1 more often, 0 that"),
        ([*EVENTS, STRANGER], "0 never, 0 more often, 1 that nobody sent"),
        ([EVENTS[0], EVENTS[0], STRANGER], "3 never, 1 more often, 1 that nobody sent"),
    ],
)
def test_anything_else_is_wrong(found: list[UUID], complaint: str) -> None:
    with pytest.raises(WrongAnswer, match=f"Not every event had its effect once: {complaint}"):
        require_each_once(EVENTS, found, what="had its effect")


@pytest.mark.parametrize(("left", "word"), [([3, 2, 1, 0], None), ([3, 2], "2 events are not")])
async def test_waiting_ends_when_nothing_moves(
    monkeypatch: pytest.MonkeyPatch, left: list[int], word: str | None
) -> None:
    monkeypatch.setattr("bench.listener.POLL_SECONDS", 0.001)
    monkeypatch.setattr("bench.listener.PATIENCE", 0.02)
    counts = iter(left)

    async def waiting() -> int:
        return next(counts, left[-1])

    if word is None:
        await until_nothing_waits(waiting, "handled")
    else:
        with pytest.raises(WrongAnswer, match=f"{word} handled"):
            await until_nothing_waits(waiting, "handled")
