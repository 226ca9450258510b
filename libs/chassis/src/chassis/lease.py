"""The lease: which colour's workers relay and consume.

Weights steer only requests. So that work in the background moves at promotion too, and old code
doesn't go on beside new, a worker asks for its turn: the workers of one colour hold the lease
together, and those of the other get it when these have stopped, or weren't heard of for a while.
Two that both believe to hold it for a moment do no harm: what they do is safe at once.
"""

import logging
import time
from typing import Final

from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chassis.db import Database
from chassis.ids import new_id

logger = logging.getLogger(__name__)

LEASE_SECONDS: Final = 10.0
RENEW_SECONDS: Final = 2.0

HELD: Final = Gauge("worker_lease_held", "1 while this worker holds the lease")

# Two colours that ask at once would wait for each other's row.
_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtext('worker_lease'))")
_FORGET_EXPIRED: Final = text(
    "DELETE FROM worker_lease WHERE renewed_until < clock_timestamp() AND worker <> :worker"
)
_TAKE: Final = text(
    """
    INSERT INTO worker_lease (worker, colour, renewed_until)
    VALUES (:worker, :colour, clock_timestamp() + :seconds * interval '1 second')
    ON CONFLICT (worker) DO UPDATE SET renewed_until = excluded.renewed_until
    """
)
_RELEASE: Final = text("DELETE FROM worker_lease WHERE worker = :worker")
_EXCLUSION: Final = "23P01"


class Lease:
    """One worker's part in the lease of its colour."""

    def __init__(self, database: Database, *, colour: str, seconds: float = LEASE_SECONDS) -> None:
        self._database = database
        self._colour = colour
        self._seconds = seconds
        self._worker = new_id()
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Whether this worker may relay and consume now. Ends by itself without `renew`."""
        return time.monotonic() < self._until

    async def renew(self) -> bool:
        """Take the lease, or hold it for longer, unless another colour has it. Returns False."""
        held, asked = self.held, time.monotonic()
        # Counted from before the question, so that we give up no later than the database does.
        self._until = asked + self._seconds if await self._take() else 0.0
        HELD.set(self.held)
        if self.held is not held:
            logger.info(
                "lease taken" if self.held else "lease lost", extra={"colour": self._colour}
            )
        return False

    async def release(self) -> None:
        """Give the lease up, so that others needn't wait for its end."""
        self._until = 0.0
        HELD.set(0)
        async with self._database.begin() as session:
            await session.execute(_RELEASE, {"worker": self._worker})

    async def _take(self) -> bool:
        asked = {"worker": self._worker, "colour": self._colour, "seconds": self._seconds}
        try:
            async with self._database.begin() as session:
                await session.execute(_TURN)
                await session.execute(_FORGET_EXPIRED, {"worker": self._worker})
                await session.execute(_TAKE, asked)
        except IntegrityError as error:
            if getattr(error.orig, "sqlstate", None) != _EXCLUSION:
                raise
            return False
        return True
