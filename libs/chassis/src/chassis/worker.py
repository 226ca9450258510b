"""The worker process's loop: named jobs at intervals, each in a task of its own.

A job that fails is logged, counted and tried again after a growing delay; nothing that it raises
ends the process. Jobs must be safe to run in two workers at once: they hold a lock in the database
or claim rows that others skip.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import SystemRandom

from prometheus_client import Counter, Gauge, Histogram

from chassis.errors import Unavailable
from chassis.settings import ServiceSettings

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0

LAST_SUCCESS = Gauge(
    "worker_job_last_success_timestamp_seconds", "When the job last succeeded", ["job"]
)
FAILURES = Counter("worker_job_failures_total", "Runs of the job that failed", ["job"])
DURATION = Histogram("worker_job_duration_seconds", "Time that one run of the job took", ["job"])

_random = SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to do again and again.

    `run` returns True when more is waiting and it should be called again at once; otherwise it is
    called again after `interval` seconds. A run longer than `timeout` seconds is cancelled and
    counts as failed. After failures it is called again no later than after `longest_retry` seconds.
    """

    name: str
    interval: float
    run: Callable[[], Awaitable[bool]]
    timeout: float = 60
    longest_retry: float = LONGEST_RETRY_SECONDS


async def run_worker(
    *, settings: ServiceSettings, jobs: Sequence[Job], stop: asyncio.Event
) -> None:
    """Run `jobs` until `stop` is set.

    Then runs at work may finish for `settings.drain_timeout` seconds; what remains is cancelled,
    which rolls back its transaction.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_repeat(job, stop), name=job.name) for job in jobs]
        await stop.wait()
        await _cut_off(tasks, settings.drain_timeout)


def retry_delay(failures: int, *, longest: float = LONGEST_RETRY_SECONDS) -> float:
    """Seconds before the next try after `failures` failures in a row: doubling, spread, capped."""
    longest = min(longest, FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 16))
    return longest * _random.uniform(0.5, 1)


async def _repeat(job: Job, stop: asyncio.Event) -> None:
    failures = 0
    while not stop.is_set():
        outcome = await _attempt(job)
        failures = failures + 1 if outcome is None else 0
        if failures:
            await _pause(stop, retry_delay(failures, longest=job.longest_retry))
        elif not outcome:
            await _pause(stop, job.interval)


async def _attempt(job: Job) -> bool | None:
    """One run: whether more is waiting, or None when it failed."""
    try:
        with DURATION.labels(job.name).time():
            async with asyncio.timeout(job.timeout):
                more = await job.run()
    except Unavailable as error:
        logger.warning("job put off", extra={"job": job.name, "reason": str(error)})
    except Exception:  # a job is a service's own code; the others and its next run go on
        logger.exception("job failed", extra={"job": job.name})
    else:
        LAST_SUCCESS.labels(job.name).set(time.time())
        return more
    FAILURES.labels(job.name).inc()
    return None


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def _cut_off(tasks: Sequence[asyncio.Task[None]], grace: float) -> None:
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=grace)
    for task in late:
        logger.warning("job cut off", extra={"job": task.get_name()})
        task.cancel()
