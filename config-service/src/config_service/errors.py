"""Refusals of this service, each with its status and problem type."""

from collections.abc import Sequence

from chassis.errors import (
    DomainError,
    FieldError,
    Invalid,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
)

MAX_ERRORS_SHOWN = 50


class ConfigurationNotFound(NotFound):
    """Nothing is active under this address."""

    type = "configuration-not-found"
    title = "No such configuration"


class VersionNotFound(NotFound):
    """The path never had this version."""

    type = "version-not-found"
    title = "No such version"


class ProposalNotFound(NotFound):
    """No proposal with this id was made for this address."""

    type = "proposal-not-found"
    title = "No such proposal"


class InvalidConfiguration(Invalid):
    """The content breaks a rule. Pointers are given into the content and shown into the body."""

    type = "invalid-configuration"
    title = "The configuration is not valid"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        shown = [
            {**error.model_dump(), "pointer": "/data" + error.pointer}
            for error in errors[:MAX_ERRORS_SHOWN]
        ]
        super().__init__(f"{len(errors)} fault(s) found.", errors=shown)


class VersionUnnamed(PreconditionRequired):
    """The write doesn't say which version it was made from."""

    type = "version-unnamed"
    title = "Say which version you change"

    def __init__(self) -> None:
        super().__init__(
            "Send If-Match with the ETag that you read, or If-None-Match: * to create."
        )


class ConfigurationChanged(PreconditionFailed):
    """Somebody else wrote meanwhile, or there is nothing, or already something."""

    type = "configuration-changed"
    title = "The configuration is not as you saw it"


class ApprovalRefused(DomainError):
    """An approval that doesn't allow this write. Such an attempt is kept in the audit."""


class ApprovalRequired(ApprovalRefused):
    """A change in production without `approval_token`."""

    status = 403
    type = "approval-required"
    title = "A second person must approve this"


class ApprovalUnknown(ApprovalRefused):
    """No such token was ever issued, or a later one replaced it."""

    status = 403
    type = "approval-unknown"
    title = "Unknown approval token"


class ApprovalNotYours(ApprovalRefused):
    """Only the author of the proposal may use its approval."""

    status = 403
    type = "approval-not-yours"
    title = "The approval was given to somebody else"


class ApprovalUsed(ApprovalRefused):
    """The token has served already."""

    status = 409
    type = "approval-used"
    title = "The approval was used already"


class ApprovalExpired(ApprovalRefused):
    """The token came too late."""

    status = 409
    type = "approval-expired"
    title = "The approval has expired"


class ApprovalMismatch(ApprovalRefused):
    """The approval is for something else; `differs` names what."""

    status = 409
    type = "approval-mismatch"
    title = "The approval is for another change"

    def __init__(self, differs: Sequence[str]) -> None:
        super().__init__(f"Approved was another {' and '.join(differs)}.", differs=list(differs))


class SelfApproval(ApprovalRefused):
    """Nobody approves a proposal of their own."""

    status = 403
    type = "self-approval"
    title = "Somebody else must approve this"


class ProposalUnseen(ApprovalRefused):
    """Who approves must have read the proposal before."""

    status = 409
    type = "proposal-unseen"
    title = "Read the proposal first"


class ProposalDiffers(ApprovalRefused):
    """The checksum stated isn't the proposal's."""

    status = 409
    type = "proposal-differs"
    title = "The proposal has another checksum"


class ProposalClosed(ApprovalRefused):
    """The proposal was carried out, or has expired."""

    status = 409
    type = "proposal-closed"
    title = "The proposal is closed"
