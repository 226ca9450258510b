"""Partition upkeep: tomorrow's partitions are there before tomorrow, and old ones go."""

import logging

from sqlalchemy import column, func, select, table
from sqlalchemy.exc import DBAPIError

from chassis.db import Database

logger = logging.getLogger(__name__)

_REGISTERED = table("partitioned_tables", column("name"))


async def maintain_partitions(database: Database) -> bool:
    """Make the coming days' partitions of every registered table and drop what is too old.

    Each table has a transaction of its own, so locks are held briefly and one table's trouble
    doesn't keep the others waiting; it is raised at the end, as an `ExceptionGroup`. Safe to run
    twice and at once. Returns False: what was busy waits for the next run.
    """
    async with database.begin() as session:
        names = (await session.scalars(select(_REGISTERED.c.name).order_by("name"))).all()
    errors: list[DBAPIError] = []
    for name in names:
        try:
            await _maintain(database, name)
        except DBAPIError as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup("partitions not maintained", errors)
    return False


async def _maintain(database: Database, name: str) -> None:
    upkeep = func.maintain_partitions(name).table_valued("created", "dropped", "postponed")
    async with database.begin() as session:
        counts = (await session.execute(select(upkeep))).mappings().one()
    if any(counts.values()):
        # A log record has a `created` of its own, which must not be overwritten.
        facts = {f"partitions_{what}": count for what, count in counts.items()}
        logger.info("partitions maintained", extra={"table": name, **facts})
