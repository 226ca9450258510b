"""Wire shapes."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from config_service.addresses import ServiceName
from config_service.approvals import ProposalState
from config_service.models import TICKET_PATTERN, ProposedAction

ChangeTicket = Annotated[
    str,
    Field(
        pattern=TICKET_PATTERN,
        description="The ticket under which the change is made",
        examples=["CHG-20260001"],
    ),
]
ApprovalToken = Annotated[
    str | None,
    Field(
        max_length=100,
        description="From the approval of a proposal for exactly this change; "
        "production needs one, and where it isn't needed it still has to fit",
    ),
]
Content = Annotated[
    dict[str, JsonValue], Field(description="Any JSON object; some paths have a schema")
]
VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
Checksum = Annotated[
    str,
    Field(
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of the content's canonical form (RFC 8785)",
    ),
]


class Request(BaseModel):
    """A body; it may hold nothing that isn't named."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PutRequest(Request):
    """New content."""

    data: Content
    change_ticket: ChangeTicket
    approval_token: ApprovalToken = None


class DeleteRequest(Request):
    """The end of the active content."""

    change_ticket: ChangeTicket
    approval_token: ApprovalToken = None


class RollbackRequest(Request):
    """Old content again, as a new version."""

    to_version: VersionNumber
    change_ticket: ChangeTicket
    approval_token: ApprovalToken = None


class ProposalRequest(Request):
    """A change to be looked at: a put with `data`, a delete, or a rollback with `to_version`."""

    action: ProposedAction
    data: Content | None = None
    to_version: VersionNumber | None = None
    change_ticket: ChangeTicket

    @model_validator(mode="after")
    def _has_what_its_action_needs(self) -> Self:
        if (self.data is None) == (self.action == "put"):
            raise ValueError("data belongs to a put, and to nothing else")
        if (self.to_version is None) == (self.action == "rollback"):
            raise ValueError("to_version belongs to a rollback, and to nothing else")
        return self


class ApproveRequest(Request):
    """States what was seen."""

    checksum: Checksum


class Configuration(BaseModel):
    """Content, and which one it is."""

    data: dict[str, Any]
    version: str = Field(description="Counts the versions of this path", examples=["7"])
    last_modified: datetime
    checksum: Checksum


class Deletion(BaseModel):
    """How a version ended without a successor."""

    deleted_at: datetime
    deleted_by: str
    change_ticket: str
    approved_by: str | None


class HistoryEntry(BaseModel):
    """A version without its content."""

    version: str
    checksum: Checksum
    created_at: datetime
    created_by: str
    change_ticket: str
    approved_by: str | None
    restored_from: str | None = Field(description="The version whose content it repeats")
    is_active: bool
    deletion: Deletion | None


class ProposalOut(BaseModel):
    """A change as it would be made, beside what it would replace."""

    proposal_id: UUID
    service: str
    environment: str
    path: str
    action: ProposedAction
    state: ProposalState
    data: dict[str, Any] | None = Field(description="The new content; null for a deletion")
    checksum: Checksum = Field(description="Of the new content; for a deletion, of the old")
    base_version: str | None = Field(description="What is replaced; null for a creation")
    base_data: dict[str, Any] | None
    to_version: str | None = Field(description="For a rollback, the version to repeat")
    change_ticket: str
    author: str
    created_at: datetime
    expires_at: datetime = Field(description="Until when it can be approved")
    approved_by: str | None
    dry_run: str | None = Field(
        description='Path to POST `{"data": …}` to, for what the new content would change;'
        " null where nothing can tell",
        examples=["/v1/pricing/dry-run"],
    )


class ApprovalOut(BaseModel):
    """Shown once; the author sends the token with the change."""

    approval_token: str
    expires_at: datetime


class SchemaOut(BaseModel):
    """A registered schema (JSON Schema 2020-12); some rules go further than it."""

    service: ServiceName
    path_pattern: str
    json_schema: dict[str, Any]


class SchemaList(BaseModel):
    """Every registered schema."""

    items: list[SchemaOut]
