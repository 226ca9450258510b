"""A sealed audit to try things on."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text

from chassis.audit import record_audit
from chassis.audit_anchor import FileAnchor
from chassis.audit_verify import VerifyReport, verify
from chassis.db import Database
from chassis.ids import new_id
from chassis.sealer import Sealer
from chassis.testing.databases import TestDatabase


class SealedAudit:
    """One service's audit: its database as the runtime role sees it, and its anchor."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.anchor = FileAnchor.within(folder, "test")

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, folder: Path) -> "AsyncGenerator[SealedAudit]":
        connected = Database.connect(url, name="test")
        yield cls(connected, folder)
        await connected.dispose()

    def sealer(self, *, batch_size: int = 500, patrol_size: int = 2_000) -> Sealer:
        return Sealer(
            self.database, anchor=self.anchor, batch_size=batch_size, patrol_size=patrol_size
        )

    async def record(self, count: int) -> None:
        async with self.database.begin() as session:
            for number in range(count):
                await record_audit(
                    session,
                    actor=f"user/{number}",
                    action="booking.cancel",
                    target=f"booking/{number}",
                    tenant_id=new_id() if number % 2 else None,
                    change_ticket="CHG-00000001" if number % 3 else None,
                    source_ip="203.0.113.9" if number % 2 else "2001:db8::1",
                    details={"number": number, "ratio": 1.5, "text": 'ä"\n', "none": None},
                )

    async def seal(self, *, batch_size: int = 500) -> None:
        sealer = self.sealer(batch_size=batch_size)
        while await sealer.run():
            pass

    async def verify(self, *, batch_size: int = 1000) -> VerifyReport:
        return await verify(self.database, anchor=self.anchor, batch_size=batch_size)

    async def seals(self) -> int:
        async with self.database.begin() as session:
            return await session.scalar(text("SELECT count(*) FROM audit_seals")) or 0


@asynccontextmanager
async def as_superuser(database: TestDatabase) -> AsyncGenerator[Database]:
    """What somebody who owns the server can do."""
    connected = Database.connect(database.superuser_url, name="test")
    yield connected
    await connected.dispose()
