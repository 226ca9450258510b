"""`python -m chassis.recording`: deeds of an operator's command, written down where a process may.

Each is an audit row and an event in one transaction, and is written once, however often it is sent:
it is known by its action, its target and its number. They come on standard input, one a line.
"""

import asyncio
import sys
import uuid
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, JsonValue, RootModel, ValidationError
from pydantic.types import AwareDatetime
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from chassis.audit import record_audit
from chassis.db import Database, DatabaseUnavailable
from chassis.events import record_event
from chassis.settings import ServiceSettings

_TURN = text("SELECT pg_advisory_xact_lock(hashtext(:target))")
_WRITTEN = text(
    "SELECT true FROM audit_log WHERE action = :action AND target = :target"
    " AND details ->> 'number' = :number"
)


class Deed(BaseModel):
    """What was done to `target`, as its `number`th deed, and the event that tells of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    actor: str
    action: str
    target: str
    number: int
    ticket: str | None
    details: Mapping[str, JsonValue]
    source: str
    type: str
    subject: uuid.UUID
    data: Mapping[str, JsonValue]
    at: AwareDatetime


async def record(database: Database, deeds: Sequence[Deed]) -> None:
    """Write down those that aren't yet, in their order."""
    for deed in deeds:
        async with database.begin() as session:
            await session.execute(_TURN, {"target": deed.target})
            known = {"action": deed.action, "target": deed.target, "number": str(deed.number)}
            if await session.scalar(_WRITTEN, known):
                continue
            await record_audit(
                session,
                actor=deed.actor,
                action=deed.action,
                target=deed.target,
                change_ticket=deed.ticket,
                details={**deed.details, "number": deed.number},
            )
            await record_event(
                session,
                source=deed.source,
                type=deed.type,
                subject=deed.subject,
                tenant_id=None,
                aggregate_version=deed.number,
                data=RootModel(deed.data),
                occurred_at=deed.at,
            )


async def _record_all(url: str, deeds: Sequence[Deed]) -> None:
    database = Database.connect(url, name="recording", pool_size=1)
    try:
        await record(database, deeds)
    finally:
        await database.dispose()


def main() -> int:
    """Read and write; the exit code, 1 with one sentence on standard error when it can't be."""
    try:
        settings = ServiceSettings.model_validate({})
        deeds = [Deed.model_validate_json(line) for line in sys.stdin.buffer if line.strip()]
        asyncio.run(_record_all(settings.database_url.get_secret_value(), deeds))
    except ValidationError as error:
        sys.stderr.write(f"This can't be read: {error.errors()[0]['msg']}.\n")
        return 1
    except DatabaseUnavailable:
        sys.stderr.write("Postgres doesn't answer.\n")
        return 1
    except SQLAlchemyError as error:
        sys.stderr.write(f"Postgres refuses it ({type(error).__name__}).\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
