"""From a wish to a plan: everything is checked but the approval."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from config_service.addresses import Address
from config_service.documents import JsonObject
from config_service.errors import ConfigurationNotFound, VersionNotFound
from config_service.models import ConfigurationVersion as Version
from config_service.plans import Plan, Wish
from config_service.preconditions import Precondition, etag_of
from config_service.registry import validated
from config_service.service.reading import is_at


async def make_plan(session: AsyncSession, *, wish: Wish, precondition: Precondition) -> Plan:
    """Check the wish, and hold the address until the transaction ends.

    Raises `InvalidConfiguration`, `ConfigurationChanged`, `ConfigurationNotFound` and
    `VersionNotFound`.
    """
    document = None if wish.data is None else validated(wish.address, wish.data)
    await _hold(session, wish.address)
    active = await session.scalar(select(Version).where(is_at(wish.address), Version.is_active))
    precondition.check(None if active is None else etag_of(active.version_number, active.checksum))
    if wish.action == "delete" and active is None:
        raise ConfigurationNotFound
    if wish.to_version is not None:
        document = validated(
            wish.address, await _content_of(session, wish.address, wish.to_version)
        )
    return Plan(wish=wish, active=active, document=document)


async def _hold(session: AsyncSession, address: Address) -> None:
    # Two addresses may share a hash: then one waits for the other without need.
    await session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(str(address), 0)))
    )


async def _content_of(session: AsyncSession, address: Address, version: int) -> JsonObject:
    data = await session.scalar(
        select(Version.config_data).where(is_at(address), Version.version_number == version)
    )
    if data is None:
        raise VersionNotFound
    return data
