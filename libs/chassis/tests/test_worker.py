import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from chassis import worker
from chassis.errors import Unavailable
from chassis.settings import ServiceSettings
from chassis.worker import Job, retry_delay, run_worker

SOON = 0.001


def settings(*, drain_timeout: float = 20) -> ServiceSettings:
    return ServiceSettings.model_validate(
        {
            "database_url": "postgresql+asyncpg://nowhere/none",
            "state_dir": Path(),
            "drain_timeout": drain_timeout,
        }
    )


def job(name: str, run: Callable[[], Awaitable[bool]], *, interval: float = 3600) -> Job:
    return Job(name=name, interval=interval, run=run)


@pytest.fixture(autouse=True)
def retry_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "FIRST_RETRY_SECONDS", SOON)


async def test_jobs_run_again_and_again_until_stopped() -> None:
    stop = asyncio.Event()
    runs: list[str] = []

    async def tick() -> bool:
        runs.append("tick")
        if len(runs) == 5:
            stop.set()
        return False

    await run_worker(settings=settings(), jobs=[job("tick", tick, interval=SOON)], stop=stop)
    assert len(runs) == 5


async def test_a_job_with_more_to_do_doesnt_wait() -> None:
    stop = asyncio.Event()
    left = 10

    async def drain() -> bool:
        nonlocal left
        left -= 1
        if left == 0:
            stop.set()
        return True

    await run_worker(settings=settings(), jobs=[job("drain", drain)], stop=stop)
    assert left == 0


@pytest.mark.parametrize("error", [Unavailable("gone"), OSError("away"), KeyError("bug")])
async def test_a_failing_job_is_counted_and_tried_again(error: Exception) -> None:
    stop = asyncio.Event()
    name = f"fails-{type(error).__name__}"
    failures = 0

    async def fail() -> bool:
        nonlocal failures
        if failures < 3:
            failures += 1
            raise error
        stop.set()
        return False

    await run_worker(settings=settings(), jobs=[job(name, fail)], stop=stop)
    assert sample("worker_job_failures_total", name) == 3
    assert sample("worker_job_last_success_timestamp_seconds", name)


async def test_a_failing_job_leaves_the_others_alone() -> None:
    stop = asyncio.Event()
    runs = 0

    async def fail() -> bool:
        raise OSError

    async def work() -> bool:
        nonlocal runs
        runs += 1
        if runs == 3:
            stop.set()
        return False

    jobs = [job("fails", fail), job("works", work, interval=SOON)]
    await run_worker(settings=settings(), jobs=jobs, stop=stop)
    assert runs == 3


async def test_a_hanging_run_fails_after_its_timeout() -> None:
    stop = asyncio.Event()
    starts = 0

    async def hang() -> bool:
        nonlocal starts
        starts += 1
        if starts == 2:
            stop.set()
        else:
            await asyncio.Event().wait()
        return False

    hanging = Job(name="hangs-once", interval=3600, run=hang, timeout=SOON)
    await run_worker(settings=settings(), jobs=[hanging], stop=stop)
    assert starts == 2
    assert sample("worker_job_failures_total", "hangs-once") == 1


async def test_stopping_lets_a_run_finish() -> None:
    stop = asyncio.Event()
    finished = False

    async def work() -> bool:
        nonlocal finished
        stop.set()
        await asyncio.sleep(0.01)
        finished = True
        return True

    await run_worker(settings=settings(), jobs=[job("finishes", work)], stop=stop)
    assert finished


async def test_a_run_that_outlasts_the_drain_is_cut_off() -> None:
    stop = asyncio.Event()
    cancelled = False

    async def hang() -> bool:
        nonlocal cancelled
        stop.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled = True
            raise
        return False

    await run_worker(settings=settings(drain_timeout=SOON), jobs=[job("hangs", hang)], stop=stop)
    assert cancelled


async def test_without_jobs_it_waits_for_the_end() -> None:
    stop = asyncio.Event()
    stop.set()
    await run_worker(settings=settings(), jobs=[], stop=stop)


def test_delays_grow_spread_and_stop_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "FIRST_RETRY_SECONDS", 1.0)
    for failures in (1, 2, 3, 6, 7, 50, 10_000):
        longest = min(60, 2 ** min(failures - 1, 16))
        delays = {retry_delay(failures) for _ in range(50)}
        assert all(longest / 2 <= delay <= longest for delay in delays)
        assert len(delays) > 1


def sample(name: str, job_name: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"job": job_name})
