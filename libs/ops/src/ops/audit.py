"""`ubertruck audit verify`: is every service's audit what was written and sealed?"""

import asyncio

from chassis.audit_anchor import FileAnchor
from chassis.audit_rows import AUDIT_LOG, Audited
from chassis.audit_verify import VerifyReport, verify
from chassis.db import Database, DatabaseUnavailable
from config_service.app import AUDIT as CONFIGURATION_AUDIT
from ops.errors import OpsError
from ops.services import CONFIG, SERVICES, Layout, Service
from ops.state import StateFolder


def show(folder: StateFolder) -> int:
    """Print what was found; the exit code, 1 when a chain is broken."""
    layout = Layout.remembered(folder)
    reports = asyncio.run(verify_all(layout))
    for name, report in reports.items():
        state = "whole" if report.ok else f"BROKEN from seal {report.first_broken_seq} on"
        print(f"{name}: {state}; {report.sealed} rows sealed, {report.unsealed} not yet")
        for finding in report.findings:
            print(f"  seal {finding.seq}: {finding.problem} {finding.audit_id or ''}")
    return 0 if all(report.ok for report in reports.values()) else 1


async def verify_all(layout: Layout) -> dict[str, VerifyReport]:
    """What was found in the audit of each service, by its name; OpsError without a database."""
    return {service.name: await _verify(layout, service) for service in SERVICES}


def audited_of(service: Service) -> Audited:
    """The table that a service's audit is in."""
    return CONFIGURATION_AUDIT if service is CONFIG else AUDIT_LOG


def anchor_of(layout: Layout, service: Service) -> FileAnchor:
    """Where a service's worker keeps what can't be taken back."""
    return FileAnchor.within(layout.folder.service(service.name), service.name)


async def _verify(layout: Layout, service: Service) -> VerifyReport:
    database = Database.connect(layout.database_url(service), name="audit-verify", pool_size=1)
    try:
        return await verify(
            database, anchor=anchor_of(layout, service), audited=audited_of(service)
        )
    except DatabaseUnavailable as error:
        raise OpsError("Postgres doesn't answer. Start it with: ubertruck up") from error
    finally:
        await database.dispose()
