"""The audit rows of this service: every grant, every refusal, every change of who may do what."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.client import Client
from auth_service.models import User
from chassis.audit import record_audit
from chassis.errors import DomainError
from chassis.tokens import Principal


async def granted(
    tx: AsyncSession, action: str, user: User, client: Client, **details: object
) -> None:
    """A user was given what the action names."""
    await record_audit(
        tx,
        actor=f"user/{user.id}",
        action=action,
        target=f"user/{user.id}",
        tenant_id=user.tenant_id,
        source_ip=client.address,
        details=details,
    )


async def refused(
    tx: AsyncSession,
    action: str,
    user: User | None,
    client: Client,
    *,
    why: DomainError,
    **details: object,
) -> None:
    """The same was refused. Without a user the actor is nobody: a name that was typed is not kept,
    since people type passwords into the wrong field.
    """
    await record_audit(
        tx,
        actor=f"user/{user.id}" if user else "anonymous",
        action=action,
        target=f"user/{user.id}" if user else "user/unknown",
        outcome="denied",
        tenant_id=user.tenant_id if user else None,
        source_ip=client.address,
        details={"reason": why.type, **details},
    )


async def administered(
    tx: AsyncSession,
    action: str,
    *,
    principal: Principal,
    target: str,
    tenant_id: UUID,
    client: Client,
    **details: object,
) -> None:
    """An administrator changed something."""
    await record_audit(
        tx,
        actor=f"user/{principal.subject}",
        action=action,
        target=target,
        tenant_id=tenant_id,
        source_ip=client.address,
        details=details,
    )
