"""The ledger of rollouts in a database: an audit row and an event in one transaction.

That of booking, since it has both an audit and an outbox.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from chassis.audit import record_audit
from chassis.db import Database, DatabaseUnavailable
from chassis.events import record_event
from contracts.catalogue import EVENTS
from contracts.rollout import ROLLOUT_MOVED, RolloutMoved
from ops.errors import OpsError
from ops.rollout.state import Record

ACTION = "rollout.move"
_TURN = text("SELECT pg_advisory_xact_lock(hashtext(:target))")
_WRITTEN = text(
    "SELECT (details ->> 'number')::int FROM audit_log WHERE action = :action AND target = :target"
)


class DatabaseLedger:
    """A `Ledger` in the database at `url`, as the runtime role of its service."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def write(self, records: Sequence[Record]) -> None:
        """See `Ledger`."""
        database = Database.connect(self._url, name="rollout", pool_size=1)
        try:
            for record in records:
                await _write(database, record)
        except DatabaseUnavailable as error:
            raise OpsError("Postgres doesn't answer.") from error
        except SQLAlchemyError as error:
            raise OpsError(f"Postgres refuses it ({type(error).__name__}).") from error
        finally:
            await database.dispose()


async def _write(database: Database, record: Record) -> None:
    target = f"rollout/{record.rollout}"
    async with database.begin() as session:
        await session.execute(_TURN, {"target": target})
        written = await session.scalars(_WRITTEN, {"action": ACTION, "target": target})
        if record.number in written.all():
            return
        await record_audit(
            session,
            actor=record.actor,
            action=ACTION,
            target=target,
            change_ticket=record.ticket,
            details=record.model_dump(mode="json", exclude={"rollout", "actor", "ticket"}),
        )
        await record_event(
            session,
            source=EVENTS[ROLLOUT_MOVED].source,
            type=ROLLOUT_MOVED,
            subject=record.rollout,
            tenant_id=None,
            aggregate_version=record.number,
            data=RolloutMoved.model_validate(
                {**record.model_dump(), "moved_at": record.at}, strict=False
            ),
            occurred_at=record.at,
        )
