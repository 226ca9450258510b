"""A service that consumes: each booking that was asked for has one effect here, a row.

Run by `chassis.serve` as every worker is, on a database of booking's schema. When the transaction
of an effect is committed, its event and the moment are added to the file `HEARD` in its folder.
"""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from sqlalchemy import event as happenings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from booking.settings import BookingSettings
from chassis.db import Database
from chassis.events import CloudEvent, Handler
from chassis.serve import Service, main
from chassis.settings import ServiceSettings
from contracts.booking import BOOKING_REQUESTED, BookingRequested

# Also the name of its queue.
NAME: Final = "bench-witness"
HEARD: Final = "heard"
_EFFECT: Final = text("INSERT INTO effects (event_id, booking_id) VALUES (:event, :booking)")


class Witness:
    """Writes the effects, and into `folder` when they were committed."""

    def __init__(self, folder: Path) -> None:
        self._heard = folder / HEARD

    async def see(self, session: AsyncSession, event: CloudEvent) -> None:
        """The effect of one event."""
        told = BookingRequested.model_validate(event.data)
        await session.execute(_EFFECT, {"event": event.id, "booking": told.booking_id})
        happenings.listen(session.sync_session, "after_commit", partial(self._note, event))

    def _note(self, event: CloudEvent, _session: Session) -> None:
        at = time.time()
        with self._heard.open("a", encoding="ascii") as heard:
            heard.write(f"{event.id} {at:.6f}\n")


def handlers(folder: Path) -> Mapping[str, Handler]:
    """What is done about which event."""
    return {BOOKING_REQUESTED: Witness(folder).see}


def create_app(_settings: ServiceSettings, _database: Database) -> FastAPI:
    """It answers nothing."""
    return FastAPI(title="Witness")


def run() -> None:
    """The worker process, from the environment."""
    settings = BookingSettings()  # pyright: ignore[reportCallIssue] - its fields come from the environment
    main(
        Service(
            name=NAME,
            settings=lambda: settings,
            app=create_app,
            jobs=lambda _settings, _database: (),
            code_revision=1,
            handlers=handlers(settings.state_dir),
        ),
        ["worker"],
    )


if __name__ == "__main__":
    run()
