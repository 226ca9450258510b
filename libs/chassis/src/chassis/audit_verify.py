"""Verifying the audit: recompute every digest, and hold the chain against its anchor.

Everything is read in one snapshot and in batches, so memory stays bounded however long the chain,
and sealing may go on meanwhile.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from sqlalchemy import BigInteger, ColumnElement, Row, case, extract, func, select, text
from sqlalchemy import cast as as_type
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit_anchor import FileAnchor
from chassis.audit_chain import START, Link, next_link, row_digest
from chassis.audit_rows import (
    AUDIT_LOG,
    SEALS,
    Audited,
    fix_output,
    normal_form,
    parse_normal_form,
)
from chassis.db import Database

Problem = Literal[
    "row-changed",  # the audit row isn't what was sealed
    "row-missing",  # a seal without its audit row
    "seal-changed",  # a seal doesn't follow from the one before it
    "seal-missing",  # a gap in the sequence
    "seal-repeated",  # a sequence number or an audit row occurs twice
    "seal-stray",  # a sequence number before the first
    "tail-missing",  # the anchor remembers seals beyond the end of the chain
    "anchor-mismatch",  # the anchor remembers another seal at this place
]

_KEPT_FINDINGS = 100
_LOWEST = uuid.UUID(int=0)
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, at one place of the chain."""

    seq: int
    problem: Problem
    audit_id: uuid.UUID | None = None


@dataclass(slots=True)
class VerifyReport:
    """What verifying found. `findings` holds the first hundred of `problems`."""

    sealed: int = 0
    unsealed: int = 0
    head_seq: int = 0
    anchored_seq: int = 0
    problems: int = 0
    first_broken_seq: int | None = None
    findings: list[Finding] = field(default_factory=list[Finding])

    @property
    def ok(self) -> bool:
        """Whether nothing was found wrong. Without an anchor a cut tail can't be seen."""
        return self.problems == 0

    def add(self, seq: int, problem: Problem, audit_id: uuid.UUID | None = None) -> None:
        """Count a finding, and keep it while there are few."""
        self.problems += 1
        if self.first_broken_seq is None or seq < self.first_broken_seq:
            self.first_broken_seq = seq
        if len(self.findings) < _KEPT_FINDINGS:
            self.findings.append(Finding(seq, problem, audit_id))


async def verify(
    database: Database,
    *,
    anchor: FileAnchor,
    audited: Audited = AUDIT_LOG,
    batch_size: int = 1000,
) -> VerifyReport:
    """Verify one service's audit from its first seal to its last.

    Needs SELECT on the audit and its seals. Raises `DatabaseUnavailable`; a tampered chain is a
    report that isn't `ok`, never an exception.
    """
    # Lines are appended after their commit, so all of these are in a snapshot taken later.
    anchored_bytes = anchor.size()
    report = VerifyReport()
    async with database.begin() as session:
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        await fix_output(session)
        await _walk_chain(session, report, audited, batch_size)
        await _walk_audit(session, report, audited, batch_size)
        await _walk_anchor(session, report, anchor.links(anchored_bytes), batch_size)
    return report


async def _walk_chain(
    session: AsyncSession, report: VerifyReport, audited: Audited, batch_size: int
) -> None:
    source = audited.source()
    query = (
        select(*_readable_seal(), normal_form(source).label("normal_form"))
        .outerjoin_from(SEALS, source, audited.key_of(source) == SEALS.c.audit_id)
        .order_by(SEALS.c.seq)
    )
    previous = START
    first = await session.scalar(select(func.min(SEALS.c.seq)))
    while first is not None:
        # A range instead of a limit: what occurs twice can't fall between two batches.
        last = min(first + batch_size - 1, _LARGEST)
        for row in await session.execute(query.where(SEALS.c.seq.between(first, last))):
            previous = _check_seal(report, previous, row)
            report.sealed += 1
        first = await session.scalar(select(func.min(SEALS.c.seq)).where(SEALS.c.seq > last))
    report.head_seq = previous.seq


def _readable_seal() -> tuple[ColumnElement[Any], ...]:
    """The columns of a seal, with nothing in them that the driver can't read."""
    sealed_us = as_type(extract("epoch", SEALS.c.sealed_at) * 1_000_000, BigInteger)
    return (
        SEALS.c.seq,
        SEALS.c.audit_id,
        func.coalesce(SEALS.c.row_digest, b"").label("row_digest"),
        func.coalesce(SEALS.c.chain_digest, b"").label("chain_digest"),
        case((func.isfinite(SEALS.c.sealed_at), sealed_us), else_=0).label("sealed_us"),
    )


def _check_seal(report: VerifyReport, previous: Link, row: Row[Any]) -> Link:
    """Check one seal with its audit row, and go on from what it says, whether right or wrong."""
    if row.seq < 1 or row.seq == previous.seq:
        report.add(row.seq, "seal-repeated" if row.seq > 0 else "seal-stray", row.audit_id)
        return previous
    if row.normal_form is None:
        report.add(row.seq, "row-missing", row.audit_id)
    elif row_digest(parse_normal_form(row.normal_form)) != row.row_digest:
        report.add(row.seq, "row-changed", row.audit_id)
    if row.seq != previous.seq + 1:
        report.add(previous.seq + 1, "seal-missing")
    else:
        link = next_link(previous, row_digest=row.row_digest, sealed_us=row.sealed_us)
        if link.digest != row.chain_digest:
            report.add(row.seq, "seal-changed", row.audit_id)
    return Link(row.seq, row.chain_digest)


async def _walk_audit(
    session: AsyncSession, report: VerifyReport, audited: Audited, batch_size: int
) -> None:
    """Count rows that have no seal yet, and find those that have two."""
    key = audited.key_of(audited.source())
    seals = select(func.count()).where(SEALS.c.audit_id == key).scalar_subquery()
    query = select(key, seals).order_by(key).limit(batch_size)
    after = _LOWEST
    while rows := (await session.execute(query.where(key > after))).all():
        for audit_id, count in rows:
            if count > 1:
                report.add(report.head_seq, "seal-repeated", audit_id)
        report.unsealed += sum(count == 0 for _, count in rows)
        after = rows[-1][0]


async def _walk_anchor(
    session: AsyncSession, report: VerifyReport, links: Iterator[Link], batch_size: int
) -> None:
    while batch := list(islice(links, batch_size)):
        known = await _digests(session, [link.seq for link in batch])
        for link in batch:
            report.anchored_seq = max(report.anchored_seq, link.seq)
            if 0 < link.seq <= report.head_seq and known.get(link.seq) != link.digest:
                report.add(link.seq, "anchor-mismatch")
    if report.anchored_seq > report.head_seq:
        report.add(report.head_seq + 1, "tail-missing")


async def _digests(session: AsyncSession, seqs: Sequence[int]) -> dict[int, bytes]:
    query = select(SEALS.c.seq, SEALS.c.chain_digest).where(SEALS.c.seq.in_(seqs))
    return dict((await session.execute(query)).all())
