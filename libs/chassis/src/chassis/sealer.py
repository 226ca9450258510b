"""The sealer: chains committed audit rows by hash, after the fact.

A chain written in the deed's own transaction would make every writer wait for every other. The
sealer instead takes rows that have no seal yet, whatever their age: a cursor over ids would pass
by rows that were committed late. One transaction a batch, one sealer at a time by an advisory
lock, and the schema (unique `seq`, unique `audit_id`) stands behind that.
"""

import asyncio
import uuid
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, insert, not_, select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit_anchor import FileAnchor
from chassis.audit_chain import Link, microseconds, next_link, row_digest
from chassis.audit_rows import (
    AUDIT_LOG,
    SEALS,
    Audited,
    fix_output,
    head_of,
    normal_form,
    parse_normal_form,
)
from chassis.db import Database

# The same in every service: the lock is held within one database.
_LOCK = int.from_bytes(b"sealer", "big")
_SLACK_MILLISECONDS = 60 * 1000
_LOWEST = uuid.UUID(int=0)
_HIGHEST = uuid.UUID(int=2**128 - 1)


class ChainBroken(Exception):
    """The database doesn't hold what the anchor remembers; sealing on would bury the trace."""


class Sealer:
    """Seals one service's audit. Several may run at once, also in several processes."""

    def __init__(
        self,
        database: Database,
        *,
        anchor: FileAnchor,
        audited: Audited = AUDIT_LOG,
        batch_size: int = 500,
        patrol_size: int = 2_000,
    ) -> None:
        self._database = database
        self._anchor = anchor
        self._source = audited.source()
        self._key = audited.key_of(self._source)
        self._batch_size = batch_size
        self._patrol_size = patrol_size
        self._patrolled = _LOWEST

    async def run(self) -> bool:
        """Seal one batch; True when more rows may be waiting.

        Does nothing while another sealer is at work. Raises `ChainBroken` when the chain in the
        database has lost what the anchor holds, `DatabaseUnavailable`, and `OSError` when the
        anchor can't be written (the seals stay, and the next run writes it).
        """
        anchored = await asyncio.to_thread(self._anchor.last)
        async with self._database.begin() as session:
            sealed_at = await _begin_sealing(session)
            if sealed_at is None:
                return False
            head = await head_of(session)
            await _compare(session, anchored, head)
            rows = await self._pending(session, sealed_at)
            head = await _seal(session, head, rows, sealed_at)
        if head.seq > anchored.seq:
            await asyncio.to_thread(self._anchor.append, head)
        return len(rows) >= self._batch_size

    async def _pending(self, session: AsyncSession, now: datetime) -> dict[uuid.UUID, str]:
        """Unsealed rows of one stretch of the table, going round, and of its newest part."""
        low, key = self._patrolled, self._key
        high = await session.scalar(
            select(key).where(key > low).order_by(key).offset(self._patrol_size).limit(1)
        )
        stretch = and_(key > low, key <= (high or _HIGHEST))
        rows = await self._unsealed(session, stretch, self._batch_size)
        left = self._batch_size - len(rows)
        if left:
            self._patrolled = high or _LOWEST
            newest = and_(key > await _frontier(session, now), not_(stretch))
            rows |= await self._unsealed(session, newest, left)
        return rows

    async def _unsealed(
        self, session: AsyncSession, where: ColumnElement[bool], limit: int
    ) -> dict[uuid.UUID, str]:
        query = (
            select(self._key, normal_form(self._source))
            .where(where, ~exists().where(SEALS.c.audit_id == self._key))
            .order_by(self._key)
            .limit(limit)
        )
        return dict((await session.execute(query)).all())


async def note_restore(database: Database, anchor: FileAnchor) -> Link:
    """Tell the anchor that the database was restored from a backup; returns where the chain is.

    For the operator's restore, before a sealer runs. The file keeps the older lines.
    """
    async with database.begin() as session:
        head = await head_of(session)
    await asyncio.to_thread(anchor.append, head, rewound=True)
    return head


async def _begin_sealing(session: AsyncSession) -> datetime | None:
    """The database's time if this transaction may seal, else None."""
    lock = select(func.pg_try_advisory_xact_lock(_LOCK), func.clock_timestamp())
    is_ours, now = (await session.execute(lock)).one()
    if not is_ours:
        return None
    await fix_output(session)
    return now


async def _compare(session: AsyncSession, anchored: Link, head: Link) -> None:
    if anchored.seq == 0:
        return
    if anchored.seq > head.seq:
        raise ChainBroken(f"The chain ends at {head.seq}, the anchor holds {anchored.seq}.")
    known = await session.scalar(select(SEALS.c.chain_digest).where(SEALS.c.seq == anchored.seq))
    if known != anchored.digest:
        raise ChainBroken(f"Seal {anchored.seq} is not the one that the anchor holds.")


async def _frontier(session: AsyncSession, now: datetime) -> uuid.UUID:
    """A key below which nearly everything is sealed: a minute before the newest sealed one."""
    newest = select(SEALS.c.audit_id).order_by(SEALS.c.audit_id.desc()).limit(1)
    key = await session.scalar(newest) or _LOWEST
    latest = min(key.int >> 80, microseconds(now) // 1000)
    return uuid.UUID(int=max(0, latest - _SLACK_MILLISECONDS) << 80)


async def _seal(
    session: AsyncSession, head: Link, rows: Mapping[uuid.UUID, str], sealed_at: datetime
) -> Link:
    seals: list[dict[str, object]] = []
    for key, document in rows.items():
        digest = row_digest(parse_normal_form(document))
        head = next_link(head, row_digest=digest, sealed_us=microseconds(sealed_at))
        seals.append(
            {
                "seq": head.seq,
                "audit_id": key,
                "row_digest": digest,
                "chain_digest": head.digest,
                "sealed_at": sealed_at,
            }
        )
    if seals:
        await session.execute(insert(SEALS), seals)
    return head
