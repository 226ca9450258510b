"""A request that is sent again gets the same answer: its record is written with its rows.

Nothing is asked beforehand: hardly any key comes twice, and when one does the index refuses it,
also while the first is still on its way. Then the kept answer is read.
"""

import hashlib

from fastapi import Response
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bench.subjects.usual.models import IdempotencyRecord
from bench.subjects.usual.security import Shipper
from chassis.idempotency import REPLAYED_HEADER, KeyReused

ROUTE = "POST /v1/booking"


def record_of(answer: Response, *, shipper: Shipper, key: str, payload: bytes) -> IdempotencyRecord:
    """The record of this answer."""
    return IdempotencyRecord(
        tenant_id=shipper.tenant_id,
        principal=shipper.subject,
        route=ROUTE,
        key=key,
        fingerprint=hashlib.sha256(payload).digest(),
        status=answer.status_code,
        media_type=answer.media_type,
        headers={"etag": answer.headers["etag"]},
        body=answer.body,
    )


async def commit_once(session: AsyncSession, record: IdempotencyRecord) -> Response | None:
    """Commit the session with the record in it, or give the answer that its key got before.

    Raises `KeyReused` when that was the answer to another payload.
    """
    session.add(record)
    try:
        await session.commit()
    except IntegrityError:
        await session.rollback()
        kept = await _kept(session, record)
        if kept is None:
            raise
        return _replay(kept, record.fingerprint)
    return None


async def _kept(session: AsyncSession, record: IdempotencyRecord) -> IdempotencyRecord | None:
    statement = select(IdempotencyRecord).where(
        IdempotencyRecord.tenant_id == record.tenant_id,
        IdempotencyRecord.principal == record.principal,
        IdempotencyRecord.route == record.route,
        IdempotencyRecord.key == record.key,
    )
    return await session.scalar(statement.limit(1))


def _replay(kept: IdempotencyRecord, fingerprint: bytes) -> Response:
    if kept.fingerprint != fingerprint:
        raise KeyReused("The first request with this key had another payload.")
    headers = {**kept.headers, REPLAYED_HEADER: "true"}
    return Response(kept.body, kept.status, headers, kept.media_type)
