"""Finding people and holding on to them."""

from typing import Final
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.models import TotpCredential, User

# Looked for in place of a user whom there isn't, so that the answer takes as long.
NOBODY: Final = UUID(int=0)


async def find_user(tx: AsyncSession, username: str) -> User | None:
    """The user of this name, however it is capitalised."""
    return await tx.scalar(select(User).where(User.username == username.strip().lower()))


async def hold_user(tx: AsyncSession, user_id: UUID) -> User | None:
    """The user as committed now, with the row locked until the transaction ends."""
    return await tx.scalar(
        select(User)
        .where(User.id == user_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


async def has_second_factor(tx: AsyncSession, user_id: UUID) -> bool:
    """Whether a second factor is confirmed and in use."""
    confirmed = exists().where(
        TotpCredential.user_id == user_id, TotpCredential.confirmed_at.is_not(None)
    )
    return bool(await tx.scalar(select(confirmed)))
