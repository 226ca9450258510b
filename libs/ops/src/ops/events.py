"""`ubertruck events`: what a service sends, and what could not be handled.

A replay is only asked for here; the service's worker tries again, as if the event had just come.
"""

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record_audit
from chassis.db import Database, DatabaseUnavailable
from ops.console import Screen
from ops.errors import OpsError
from ops.services import SERVICES, Layout, Service
from ops.state import StateFolder

T = TypeVar("T")

_SENT: Final = text(
    """
    SELECT id, type, subject, occurred_at, published_at FROM outbox
    WHERE (CAST(:type AS text) IS NULL OR strpos(type, :type) > 0)
        AND (CAST(:subject AS text) IS NULL OR subject = :subject)
        AND NOT (:waiting AND published_at IS NOT NULL)
    ORDER BY occurred_at DESC LIMIT :limit
    """
)
_DEAD: Final = text(
    """
    SELECT id, queue, type, reason, error, attempts, last_at, replay_requested_at, resolved_at
    FROM dead_letters WHERE :resolved OR resolved_at IS NULL
    ORDER BY last_at DESC LIMIT :limit
    """
)
_LETTER: Final = text("SELECT * FROM dead_letters WHERE id = :id")
_ASK: Final = text(
    """
    UPDATE dead_letters SET replay_requested_at = now() WHERE id = :id AND resolved_at IS NULL
    RETURNING queue, type, reason
    """
)


def list_sent(
    folder: StateFolder,
    service: str,
    *,
    type: str | None,
    subject: str | None,
    waiting: bool,
    limit: int,
) -> None:
    """Print the newest events of a service's outbox, filtered."""
    asked = {"type": type, "subject": subject, "waiting": waiting, "limit": limit}

    async def read(session: AsyncSession) -> Sequence[RowMapping]:
        return (await session.execute(_SENT, asked)).mappings().all()

    rows = _ask(Layout.remembered(folder), _find(service), read)
    heads = ["Event", "Type", "Subject", "Occurred", "Published"]
    _show(
        heads,
        (
            [
                str(row["id"]),
                row["type"],
                row["subject"],
                *map(_moment, (row["occurred_at"], row["published_at"])),
            ]
            for row in rows
        ),
        nothing=f"{service} has sent no such event.",
    )


def list_dead(folder: StateFolder, *, resolved: bool, limit: int) -> None:
    """Print the dead letters of all services, the latest first."""

    async def read(session: AsyncSession) -> Sequence[RowMapping]:
        found = await session.execute(_DEAD, {"resolved": resolved, "limit": limit})
        return found.mappings().all()

    layout = Layout.remembered(folder)
    rows = [(service, row) for service in _with_events() for row in _ask(layout, service, read)]
    heads = ["Dead letter", "Service", "Type", "Reason", "Tries", "Last", "State", "Error"]
    _show(
        heads,
        (
            [
                str(row["id"]),
                service.name,
                row["type"] or "",
                row["reason"],
                str(row["attempts"]),
                _moment(row["last_at"]),
                _state(row),
                row["error"],
            ]
            for service, row in rows
        ),
        nothing="There are no dead letters.",
    )


def show_dead(folder: StateFolder, letter_id: UUID) -> None:
    """Print one dead letter with the event as it came."""

    async def read(session: AsyncSession) -> RowMapping | None:
        return (await session.execute(_LETTER, {"id": letter_id})).mappings().one_or_none()

    layout = Layout.remembered(folder)
    for service in _with_events():
        row = _ask(layout, service, read)
        if row is not None:
            print(f"{service.name}, queue {row['queue']}, {_state(row)}")
            print(f"{row['reason']}: {row['error']}")
            print(
                f"{row['attempts']} tries, {_moment(row['first_at'])} to {_moment(row['last_at'])}"
            )
            print(_readable(row["body"]))
            return
    raise OpsError(f"There is no dead letter {letter_id}.")


def replay(folder: StateFolder, letter_ids: Sequence[UUID]) -> int:
    """Ask for another try of these dead letters; the exit code, 1 when some can't be tried."""
    layout = Layout.remembered(folder)
    unknown = [letter for letter in letter_ids if not _replay(layout, letter)]
    for letter_id in letter_ids:
        if letter_id in unknown:
            print(f"{letter_id}: no open dead letter")
        else:
            print(f"{letter_id}: will be tried again")
    return 1 if unknown else 0


def _replay(layout: Layout, letter_id: UUID) -> bool:
    async def ask(session: AsyncSession) -> bool:
        found = (await session.execute(_ASK, {"id": letter_id})).mappings().one_or_none()
        if found is None:
            return False
        await record_audit(
            session,
            actor=f"operator/{getpass.getuser()}",
            action="events.replay",
            target=f"dead_letter/{letter_id}",
            details=dict(found),
        )
        return True

    return any(_ask(layout, service, ask) for service in _with_events())


def _with_events() -> list[Service]:
    return [service for service in SERVICES if service.has_events]


def _find(name: str) -> Service:
    for service in _with_events():
        if service.name == name:
            return service
    names = ", ".join(service.name for service in _with_events())
    raise OpsError(f"{name} sends no events. These do: {names}.", code=2)


def _ask(layout: Layout, service: Service, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    async def connected() -> T:
        database = Database.connect(layout.database_url(service), name="events", pool_size=1)
        try:
            async with database.begin() as session:
                return await work(session)
        except DatabaseUnavailable as error:
            raise OpsError("Postgres doesn't answer. Start it with: ubertruck up") from error
        finally:
            await database.dispose()

    return asyncio.run(connected())


def _show(heads: Sequence[str], rows: Iterable[Sequence[str]], *, nothing: str) -> None:
    cells = list(rows)
    if cells:
        Screen().table(heads, cells)
    else:
        print(nothing)


def _state(row: RowMapping) -> str:
    if row["resolved_at"] is not None:
        return f"resolved {_moment(row['resolved_at'])}"
    return "open" if row["replay_requested_at"] is None else "to be tried again"


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _readable(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return repr(body)
