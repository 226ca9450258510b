"""The audit of this service: one row for what was done, read or refused, in its transaction."""

from typing import Final, Literal
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.ids import new_id
from chassis.redaction import redact_object
from chassis.telemetry import current_trace_id
from config_service.addresses import Address
from config_service.callers import Caller
from config_service.documents import JsonObject
from config_service.errors import ApprovalRefused
from config_service.models import ADDRESS, ConfigurationAudit

Action = Literal["CREATE", "UPDATE", "DELETE", "ACCESS", "PROPOSE", "APPROVE"]
Resource = Literal["value", "version", "history", "proposal"]

FIRST_COLUMNS: Final = (
    "audit_id",
    *ADDRESS,
    "action",
    "resource",
    "user_id",
    "ip_address",
    "trace_id",
)

_INSERT = insert(ConfigurationAudit.metadata.tables[ConfigurationAudit.__tablename__])


async def note(
    session: AsyncSession,
    *,
    caller: Caller,
    address: Address,
    action: Action,
    resource: Resource,
    refused: ApprovalRefused | None = None,
    old: JsonObject | None = None,
    new: JsonObject | None = None,
    change_ticket: str | None = None,
    checksum: str | None = None,
    version: int | None = None,
    proposal_id: UUID | None = None,
    approved_by: str | None = None,
) -> None:
    """Write the row. Secrets are taken out of the values; the checksum is of the whole content."""
    row = first_columns(caller, address, action, resource) | {
        "outcome": "allowed" if refused is None else "denied",
        "reason": None if refused is None else refused.type,
        "old_value": None if old is None else redact_object(old),
        "new_value": None if new is None else redact_object(new),
        "change_ticket": change_ticket,
        "checksum": checksum,
        "version_number": version,
        "proposal_id": proposal_id,
        "approved_by": approved_by,
    }
    await session.execute(_INSERT, row)


def first_columns(
    caller: Caller, address: Address, action: Action, resource: Resource
) -> dict[str, object]:
    """`FIRST_COLUMNS`, which every row has: who did what to what, from where."""
    return {
        "audit_id": new_id(),
        **address.columns(),
        "action": action,
        "resource": resource,
        "user_id": caller.user_id,
        "ip_address": caller.ip_address,
        "trace_id": current_trace_id(),
    }
