"""What a write is about to do, the same whether it is proposed or carried out."""

from dataclasses import dataclass

from config_service.addresses import Address
from config_service.documents import Document, JsonObject
from config_service.models import ConfigurationVersion, ProposedAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a caller asks for, before anything is looked up."""

    address: Address
    action: ProposedAction
    change_ticket: str
    data: JsonObject | None = None
    to_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A wish that could be carried out now: what it replaces, and with what."""

    wish: Wish
    active: ConfigurationVersion | None
    document: Document | None

    @property
    def base_version(self) -> int:
        """The number of the version that it replaces; 0 when nothing is active."""
        return 0 if self.active is None else self.active.version_number

    @property
    def checksum(self) -> str:
        """Of the content that it writes; of the content that it deletes."""
        if self.document is not None:
            return self.document.checksum
        return "" if self.active is None else self.active.checksum
