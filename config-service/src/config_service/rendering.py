"""From rows to wire shapes."""

from datetime import UTC, datetime

from config_service.approvals import state_of
from config_service.models import ConfigurationDeletion, ConfigurationVersion
from config_service.registry import dry_run_path
from config_service.schemas import Configuration, Deletion, HistoryEntry, ProposalOut
from config_service.service.proposing import Shown
from config_service.service.reading import Content, Past


def configuration_of(content: Content) -> Configuration:
    """What a reader gets."""
    return Configuration(
        data=content.data or {},
        version=str(content.version),
        last_modified=content.last_modified,
        checksum=content.checksum,
    )


def content_of(version: ConfigurationVersion) -> Content:
    """A version just written, as a reader would get it."""
    return Content(
        version.version_number, version.checksum, version.created_at, version.config_data
    )


def entry_of(past: Past) -> HistoryEntry:
    """One line of a history."""
    version = past.version
    return HistoryEntry(
        version=str(version.version_number),
        checksum=version.checksum,
        created_at=version.created_at,
        created_by=version.created_by,
        change_ticket=version.change_ticket,
        approved_by=version.approved_by,
        restored_from=_number(version.restored_from),
        is_active=version.is_active,
        deletion=None if past.deletion is None else _deletion_of(past.deletion),
    )


def proposal_of(shown: Shown) -> ProposalOut:
    """A proposal beside what it replaces."""
    proposal = shown.proposal
    return ProposalOut(
        proposal_id=proposal.proposal_id,
        service=proposal.service_name,
        environment=proposal.environment,
        path=proposal.config_path,
        action=proposal.action,
        state=state_of(proposal, now=datetime.now(UTC)),
        data=proposal.proposed_data,
        checksum=proposal.checksum,
        base_version=_number(proposal.base_version or None),
        base_data=shown.base_data,
        to_version=_number(proposal.to_version),
        change_ticket=proposal.change_ticket,
        author=proposal.author,
        created_at=proposal.created_at,
        expires_at=proposal.expires_at,
        approved_by=proposal.approved_by,
        dry_run=None if proposal.proposed_data is None else dry_run_path(proposal.address),
    )


def _deletion_of(deletion: ConfigurationDeletion) -> Deletion:
    return Deletion(
        deleted_at=deletion.deleted_at,
        deleted_by=deletion.deleted_by,
        change_ticket=deletion.change_ticket,
        approved_by=deletion.approved_by,
    )


def _number(version: int | None) -> str | None:
    return None if version is None else str(version)
