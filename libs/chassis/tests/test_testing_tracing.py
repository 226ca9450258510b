import os
import sys
import threading
from collections.abc import Iterator

import pytest

from chassis.testing.tracing import untraced

CHILDREN = "COVERAGE_PROCESS_CONFIG"


def onlooker(*_: object) -> None:
    """A tracer that looks at no line."""


@pytest.fixture
def looked_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As under coverage, which goes on afterwards."""
    monkeypatch.setenv(CHILDREN, "as here")
    tracer, of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(onlooker)
    threading.settrace(onlooker)
    yield
    sys.settrace(tracer)
    threading.settrace(of_threads)  # pyright: ignore[reportArgumentType] - None means nobody


def onlookers() -> list[object]:
    """Who looks at this thread, at new ones, and at children."""
    return [sys.gettrace(), threading.gettrace(), os.environ.get(CHILDREN)]


def fail_unseen(seen: list[list[object]]) -> None:
    with untraced():
        seen.append(onlookers())
        raise ZeroDivisionError


@pytest.mark.usefixtures("looked_on")
def test_nobody_looks_on_for_a_while() -> None:
    seen: list[list[object]] = []
    with pytest.raises(ZeroDivisionError):
        fail_unseen(seen)
    assert seen == [[None, None, None]]
    assert onlookers() == [onlooker, onlooker, "as here"]


@pytest.mark.untraced
def test_marked_tests_are_not_looked_on() -> None:
    assert onlookers() == [None, None, None]
