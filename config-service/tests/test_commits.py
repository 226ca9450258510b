"""What must really commit: writers at once, deaths half-way, and the chain over the audit."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from chassis.audit_anchor import FileAnchor
from chassis.audit_verify import verify
from chassis.db import Database, DatabaseUnavailable
from chassis.settings import ServiceSettings
from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer
from config_service.app import AUDIT, create_jobs
from config_service.callers import Caller
from config_service.models import ConfigurationAudit, ConfigurationVersion
from config_service.plans import Wish
from config_service.preconditions import Precondition
from config_service.service import writing

from .conftest import NewClient
from .factories import (
    DEV,
    PRODUCTION,
    TICKET,
    Person,
    approved,
    error_type,
    in_production,
    to_put,
)

CREATE = {"If-None-Match": "*"}


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


@pytest.fixture
async def owner(database: TestDatabase) -> AsyncGenerator[AsyncConnection]:
    """A superuser's connection; each statement commits by itself."""
    engine = create_async_engine(database.superuser_url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def count(database: Database, model: type[object]) -> int:
    async with database.begin() as session:
        return await session.scalar(select(func.count()).select_from(model)) or 0


def outcomes(answers: list[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


async def write_once(session: AsyncSession) -> None:
    await writing.write(
        session,
        wish=Wish(address=DEV, action="put", change_ticket=TICKET, data={"n": 1}),
        precondition=Precondition.read(None, "*"),
        approval_token=None,
        caller=Caller("asha", None),
    )


async def test_creators_at_once(author: Person) -> None:
    answers = await asyncio.gather(*(author.put(DEV, {"n": n}, headers=CREATE) for n in range(8)))
    assert outcomes(answers) == [200] + [412] * 7


async def test_writers_at_once(author: Person, approver: Person) -> None:
    first = await author.put(DEV, {"n": 0})
    seen = {"If-Match": first.headers["etag"]}
    writers = [
        person.put(DEV, {"n": n}, headers=seen) for n in (1, 2) for person in (author, approver)
    ]
    answers = await asyncio.gather(
        *writers, author.delete(DEV, headers=seen), author.roll_back(DEV, 1, headers=seen)
    )
    winners = [answer for answer in answers if answer.is_success]
    assert len(winners) == 1
    assert outcomes(answers)[1:] == [412] * 5


async def test_writers_again_and_again_leave_no_gap(author: Person) -> None:
    async def insist(n: int) -> None:
        while not (await author.put(DEV, {"n": n})).is_success:
            pass

    await asyncio.gather(*(insist(n) for n in range(6)))
    entries = (await author.get(DEV, "history")).json()["items"]
    assert [entry["version"] for entry in entries] == ["6", "5", "4", "3", "2", "1"]
    assert [entry["is_active"] for entry in entries] == [True] + [False] * 5


async def test_one_token_many_times_at_once(author: Person, approver: Person) -> None:
    token = await approved(author, approver, PRODUCTION, to_put({"n": 1}))
    answers = await asyncio.gather(
        *(author.put(PRODUCTION, {"n": 1}, token=token, headers=CREATE) for _ in range(6))
    )
    assert outcomes(answers) == [200] + [412] * 5


async def test_approvers_at_once(
    author: Person, approver: Person, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    proposal = (await author.propose(PRODUCTION, to_put({"n": 1}))).json()
    approvers = [approver, Person(client, issuer)]
    for person in approvers:
        await person.look_at(PRODUCTION, proposal)
    answers = await asyncio.gather(
        *(person.approve(PRODUCTION, proposal) for person in approvers * 2)
    )
    assert outcomes(answers) == [200] * 4
    tokens = [answer.json()["approval_token"] for answer in answers]
    written = [
        await author.put(PRODUCTION, {"n": 1}, token=token, headers=CREATE) for token in tokens
    ]
    assert outcomes(written)[0] == 200
    assert sum(answer.is_success for answer in written) == 1


async def test_a_long_write_elsewhere_holds_up_nobody(author: Person, committing: Database) -> None:
    async with committing.begin() as session:
        await write_once(session)
        other = DEV._replace(path="other")
        assert (await author.put(other, {"n": 1})).status_code == 200


async def test_refused_approval_stays_in_the_audit(author: Person, committing: Database) -> None:
    assert (await author.put(PRODUCTION, {"n": 1}, token="x")).status_code == 403
    async with committing.begin() as session:
        row = (await session.scalars(select(ConfigurationAudit))).one()
    assert (row.outcome, row.reason) == ("denied", "approval-unknown")
    assert await count(committing, ConfigurationVersion) == 0


@pytest.mark.parametrize("table", ["configuration_audit", "configuration_versions"])
async def test_write_that_fails_half_way_changes_nothing(
    author: Person,
    approver: Person,
    committing: Database,
    owner: AsyncConnection,
    table: str,
) -> None:
    await in_production(author, approver, {"n": 1})
    before = await author.seen(PRODUCTION)
    token = await approved(author, approver, PRODUCTION, to_put({"n": 2}))
    audited = await count(committing, ConfigurationAudit)
    await owner.execute(text(f"REVOKE INSERT ON {table} FROM config_runtime"))
    failed = await author.put(PRODUCTION, {"n": 2}, token=token, headers=before)
    assert (failed.status_code, error_type(failed)) == (500, "internal-error")
    assert await count(committing, ConfigurationVersion) == 1
    assert await count(committing, ConfigurationAudit) == audited
    await owner.execute(text(f"GRANT INSERT ON {table} TO config_runtime"))
    # The token is still good, and the version still the one that was seen.
    written = await author.put(PRODUCTION, {"n": 2}, token=token, headers=before)
    assert written.json()["version"] == "2"


async def test_read_that_cannot_be_audited_is_not_answered(
    author: Person, owner: AsyncConnection
) -> None:
    await author.put(DEV, {"n": 1})
    await owner.execute(text("REVOKE INSERT ON configuration_audit FROM config_runtime"))
    found = await author.get(DEV)
    assert found.status_code == 500
    assert "data" not in found.json()


async def write_and_die(database: Database, owner: AsyncConnection) -> None:
    """The database ends the connection between the write and its commit."""
    async with database.begin() as session:
        await write_once(session)
        process = await session.scalar(select(func.pg_backend_pid()))
        await owner.execute(select(func.pg_terminate_backend(process)))


async def test_writer_that_dies_before_its_commit(
    committing: Database, owner: AsyncConnection
) -> None:
    with pytest.raises(DatabaseUnavailable):
        await write_and_die(committing, owner)
    assert await count(committing, ConfigurationVersion) == 0
    assert await count(committing, ConfigurationAudit) == 0
    # Its lock died with it.
    async with committing.begin() as session:
        await write_once(session)
    assert await count(committing, ConfigurationVersion) == 1


async def test_audit_is_sealed_and_a_change_is_found(
    author: Person, committing: Database, owner: AsyncConnection, tmp_path: Path
) -> None:
    for n in range(3):
        await author.put(DEV, {"n": n})
    settings = ServiceSettings.model_validate(
        {"database_url": "postgresql+asyncpg://nobody@127.0.0.1/unused", "state_dir": tmp_path}
    )
    for job in create_jobs(settings, committing):
        await job.run()
    anchor = FileAnchor.within(tmp_path, "config")
    report = await verify(committing, anchor=anchor, audited=AUDIT)
    assert report.ok
    assert report.sealed == await count(committing, ConfigurationAudit)
    await owner.execute(
        text("UPDATE configuration_audit SET user_id = 'nobody' WHERE action = 'CREATE'")
    )
    report = await verify(committing, anchor=anchor, audited=AUDIT)
    assert [finding.problem for finding in report.findings] == ["row-changed"]
