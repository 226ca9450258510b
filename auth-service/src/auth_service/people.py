"""Finding people and holding on to them."""

from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.models import Tenant, TotpCredential, User


async def hold_user(tx: AsyncSession, user_id: UUID) -> tuple[User, Tenant] | None:
    """The user and the tenant, with the user's row locked until the transaction ends."""
    user = await tx.scalar(
        select(User)
        .where(User.id == user_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if user is None:
        return None
    return user, await tx.get_one(Tenant, user.tenant_id)


async def has_second_factor(tx: AsyncSession, user_id: UUID) -> bool:
    """Whether a second factor is confirmed and in use."""
    confirmed = exists().where(
        TotpCredential.user_id == user_id, TotpCredential.confirmed_at.is_not(None)
    )
    return bool(await tx.scalar(select(confirmed)))
