"""A booking's life with its trips in any order: model and database agree after every step."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from chassis.testing.databases import TestDatabase

from .life.trips import Life

pytestmark = pytest.mark.untraced


@contextmanager
def lives(database: TestDatabase) -> Generator[Any]:
    """Makes machines, whose work is rolled back, over one event loop."""
    engine = create_async_engine(database.url, poolclass=NullPool)
    with asyncio.Runner() as runner:
        yield lambda: Life(runner, engine)
        runner.run(engine.dispose())


def live(database: TestDatabase, *, examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    with lives(database) as factory:
        run_state_machine_as_test(factory, settings=chosen)


def test_a_booking_s_life(shared_database: TestDatabase) -> None:
    live(shared_database, examples=15, steps=25)


@pytest.mark.nightly
def test_many_lives(shared_database: TestDatabase) -> None:
    live(shared_database, examples=300, steps=60)
