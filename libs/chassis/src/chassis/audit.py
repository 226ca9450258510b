"""The audit: who did what to what, when, from where, under which ticket.

Rows are inserted in the transaction of the deed and never changed: the runtime role may only
INSERT and SELECT. `chassis.sealer` chains them by hash afterwards. A refused deed is recorded too,
by an endpoint that returns its refusal, since raising would take the row back.
"""

import uuid
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    insert,
    text,
)
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.ids import new_id
from chassis.redaction import redact_object, redact_text
from chassis.telemetry import current_trace_id

Outcome = Literal["allowed", "denied", "failed"]


def audit_log_table(metadata: MetaData) -> Table:
    """The audit log as part of a service's `metadata`."""
    return Table(
        "audit_log",
        metadata,
        Column("id", Uuid(), primary_key=True),
        Column(
            "recorded_at",
            DateTime(timezone=True),
            nullable=False,
            server_default=text("clock_timestamp()"),
        ),
        Column("actor", Text(), nullable=False),
        Column("tenant_id", Uuid()),
        Column("action", Text(), nullable=False),
        Column("target", Text(), nullable=False),
        Column("outcome", Text(), nullable=False),
        Column("change_ticket", Text()),
        Column("source_ip", INET()),
        Column("trace_id", Text()),
        Column("details", JSONB(), nullable=False, server_default=text("'{}'::jsonb")),
        CheckConstraint("outcome IN ('allowed', 'denied', 'failed')", name="outcome"),
    )


def audit_seals_table(metadata: MetaData, *, sealed: str = "audit_log.id") -> Table:
    """The seals over a service's audit; `sealed` is `table.column` of the audit's primary key."""
    return Table(
        "audit_seals",
        metadata,
        Column("seq", BigInteger(), primary_key=True, autoincrement=False),
        Column("audit_id", Uuid(), ForeignKey(sealed), nullable=False),
        Column("row_digest", LargeBinary(32), nullable=False),
        Column("chain_digest", LargeBinary(32), nullable=False),
        Column("sealed_at", DateTime(timezone=True), nullable=False),
        UniqueConstraint("audit_id"),
        CheckConstraint("seq > 0", name="seq"),
    )


_AUDIT_LOG = audit_log_table(MetaData())


async def record_audit(
    session: AsyncSession,
    *,
    actor: str,
    action: str,
    target: str,
    outcome: Outcome = "allowed",
    tenant_id: uuid.UUID | None = None,
    change_ticket: str | None = None,
    source_ip: str | IPv4Address | IPv6Address | None = None,
    details: Mapping[str, object] | None = None,
) -> uuid.UUID:
    """Write one audit row in the session's transaction and return its id.

    `action` is a verb phrase with dots (`booking.cancel`), `target` names what it was done to
    (`booking/<id>`). Secrets are taken out of `details` and of every text. A `source_ip` that is no
    address (a Unix socket's peer) is left out: an audit never fails for the want of one.
    """
    audit_id = new_id()
    await session.execute(
        insert(_AUDIT_LOG).values(
            id=audit_id,
            actor=redact_text(actor),
            tenant_id=tenant_id,
            action=redact_text(action),
            target=redact_text(target),
            outcome=outcome,
            change_ticket=None if change_ticket is None else redact_text(change_ticket),
            source_ip=plain_address(source_ip),
            trace_id=current_trace_id(),
            details=redact_object(details or {}),
        )
    )
    return audit_id


def plain_address(source: str | IPv4Address | IPv6Address | None) -> str | None:
    """An address as Postgres's inet reads it, without an IPv6 zone; None when it is none."""
    try:
        return str(ip_address(str(source).partition("%")[0]))
    except ValueError:
        return None
