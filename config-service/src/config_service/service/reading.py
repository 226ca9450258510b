"""Reading: the active content, older versions, and the list of them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    any_,
    bindparam,
    cast,
    insert,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from chassis.etags import IfNoneMatch
from config_service.addresses import Address
from config_service.callers import Caller
from config_service.documents import JsonObject
from config_service.errors import ConfigurationNotFound, VersionNotFound
from config_service.models import ADDRESS, ConfigurationAudit, ConfigurationDeletion
from config_service.models import ConfigurationVersion as Version
from config_service.preconditions import etag_of
from config_service.service.trail import FIRST_COLUMNS, Resource, first_columns, note

Predicate = ColumnElement[bool] | InstrumentedAttribute[bool]


@dataclass(frozen=True, slots=True)
class Content:
    """One version as a reader gets it; without `data` when the reader has it already."""

    version: int
    checksum: str
    last_modified: datetime
    data: JsonObject | None

    @property
    def etag(self) -> str:
        """The opaque part of its entity tag."""
        return etag_of(self.version, self.checksum)


@dataclass(frozen=True, slots=True)
class Past:
    """One entry of a history: a version, and its deletion if nothing followed it."""

    version: Version
    deletion: ConfigurationDeletion | None


async def read_active(
    session: AsyncSession, *, address: Address, caller: Caller, seen: IfNoneMatch
) -> Content:
    """What is active; raises `ConfigurationNotFound`."""
    content = await _read(session, address, caller, seen, None)
    if content is None:
        raise ConfigurationNotFound
    return content


async def read_version(
    session: AsyncSession, *, address: Address, caller: Caller, seen: IfNoneMatch, version: int
) -> Content:
    """What a version held, active or not; raises `VersionNotFound`."""
    content = await _read(session, address, caller, seen, version)
    if content is None:
        raise VersionNotFound
    return content


async def read_history(
    session: AsyncSession, *, address: Address, caller: Caller, before: int | None, limit: int
) -> list[Past]:
    """Up to `limit` versions below `before`, newest first; raises `ConfigurationNotFound`."""
    same = [getattr(Version, name) == getattr(ConfigurationDeletion, name) for name in ADDRESS]
    statement = (
        select(Version, ConfigurationDeletion)
        .outerjoin(
            ConfigurationDeletion,
            and_(*same, Version.version_number == ConfigurationDeletion.version_number),
        )
        .where(is_at(address))
        .order_by(Version.version_number.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(Version.version_number < before)
    rows = (await session.execute(statement)).all()
    if not rows and before is None:
        raise ConfigurationNotFound
    await note(session, caller=caller, address=address, action="ACCESS", resource="history")
    return [Past(version, deletion) for version, deletion in rows]


def is_at(address: Address) -> ColumnElement[bool]:
    """SQL that holds for versions of this address."""
    return and_(
        Version.service_name == address.service,
        Version.environment == address.environment,
        Version.config_path == address.path,
    )


async def _read(
    session: AsyncSession, address: Address, caller: Caller, seen: IfNoneMatch, version: int | None
) -> Content | None:
    resource: Resource = "value" if version is None else "version"
    parameters = first_columns(caller, address, "ACCESS", resource) | {
        "tags": sorted(seen.tags),
        "anything": seen.anything,
    }
    if version is not None:
        parameters["version"] = version
    statement = _ACTIVE if version is None else _VERSION
    row = (await session.execute(statement, parameters)).one_or_none()
    if row is None:
        return None
    number, checksum, created_at, data, is_known = row
    return Content(number, checksum, created_at, None if is_known else data)


def _reading(wanted: Predicate) -> Select[int, str, datetime, JsonObject, bool]:
    """One statement that reads the content and, unless the caller has it already, says so."""
    columns = ConfigurationAudit.__table__.c
    noted = {name: bindparam(name, type_=columns[name].type) for name in FIRST_COLUMNS}
    found = (
        select(Version.version_number, Version.checksum, Version.created_at, Version.config_data)
        .where(*(getattr(Version, name) == noted[name] for name in ADDRESS), wanted)
        .cte("found")
    )
    tag = cast(found.c.version_number, String).concat("-").concat(found.c.checksum)
    is_known = or_(
        bindparam("anything", type_=Boolean), tag == any_(bindparam("tags", type_=ARRAY(String)))
    )
    note = insert(ConfigurationAudit).from_select(
        [*noted, "checksum", "version_number"],
        select(*noted.values(), found.c.checksum, found.c.version_number).where(~is_known),
    )
    return select(
        found.c.version_number,
        found.c.checksum,
        found.c.created_at,
        found.c.config_data,
        is_known,
    ).add_cte(note.cte("note"))


# Built once: building such a statement takes longer than running it.
_ACTIVE = _reading(Version.is_active)
_VERSION = _reading(Version.version_number == bindparam("version", type_=Integer))
