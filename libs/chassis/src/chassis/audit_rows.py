"""How sealing and verifying read the audit, so that both see a row in the same normal form."""

import json
import uuid
from dataclasses import dataclass
from typing import cast

from sqlalchemy import (
    ColumnElement,
    MetaData,
    ScalarSelect,
    Table,
    Text,
    Uuid,
    column,
    func,
    select,
    table,
)
from sqlalchemy import cast as as_type
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.selectable import NamedFromClause

from chassis.audit import audit_log_table, audit_seals_table
from chassis.audit_chain import START, Link


def _seals() -> Table:
    metadata = MetaData()
    audit_log_table(metadata)
    return audit_seals_table(metadata)


SEALS = _seals()


@dataclass(frozen=True, slots=True)
class Audited:
    """Which table is sealed: its name and its primary key, one column of UUIDv7."""

    table: str = "audit_log"
    key: str = "id"

    def source(self) -> NamedFromClause:
        """The table in a FROM clause."""
        return table(self.table, column(self.key, Uuid())).alias("audited_row")

    def key_of(self, source: NamedFromClause) -> ColumnElement[uuid.UUID]:
        """The key column of `source`."""
        return cast("ColumnElement[uuid.UUID]", source.c[self.key])


AUDIT_LOG = Audited()


async def fix_output(session: AsyncSession) -> None:
    """Make texts independent of the server's settings, for the rest of the transaction."""
    await session.execute(
        select(
            func.set_config("TimeZone", "UTC", True),
            func.set_config("bytea_output", "hex", True),
            func.set_config("extra_float_digits", "1", True),
        )
    )


def normal_form(source: NamedFromClause) -> ScalarSelect[str]:
    """The row's normal form as the text of a JSON object; NULL where a join found no row."""
    whole_row = source.table_valued()
    columns = func.jsonb_each(func.to_jsonb(whole_row)).table_valued("key", "value")
    value = as_type(columns.c.value, Text)
    # A column that is NULL, and one of type jsonb that holds a JSON null, both read `null` here.
    return (
        select(as_type(func.jsonb_object_agg(columns.c.key, value), Text))
        .where(value != "null")
        .correlate(source)
        .scalar_subquery()
    )


def parse_normal_form(document: str) -> dict[str, str]:
    """The normal form as a mapping of column to text."""
    return cast("dict[str, str]", json.loads(document))


async def head_of(session: AsyncSession) -> Link:
    """The last link of the chain; `START` when nothing is sealed."""
    newest = select(SEALS.c.seq, SEALS.c.chain_digest).order_by(SEALS.c.seq.desc()).limit(1)
    row = (await session.execute(newest)).one_or_none()
    return START if row is None else Link(row.seq, row.chain_digest)
