"""Which version a writer has seen: If-Match, or If-None-Match: * to create."""

from dataclasses import dataclass

from chassis.errors import PreconditionRequired
from chassis.etags import IfMatch, IfNoneMatch
from config_service.errors import ConfigurationChanged, VersionUnnamed


def etag_of(version: int, checksum: str) -> str:
    """The opaque part of an entity tag: what an address holds, and which time it is."""
    return f"{version}-{checksum}"


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must be active for a write to go ahead."""

    tags: frozenset[str]
    creates: bool

    @classmethod
    def read(cls, if_match: str | None, if_none_match: str | None) -> "Precondition":
        """From the headers; raises `VersionUnnamed`."""
        creates = IfNoneMatch.read(if_none_match).anything
        try:
            return cls(IfMatch.read(if_match).tags, creates)
        except PreconditionRequired:
            if not creates:
                raise VersionUnnamed from None
            return cls(frozenset(), creates)

    def check(self, active: str | None) -> None:
        """Raise `ConfigurationChanged` unless `active`, an entity tag, is what was seen."""
        if active is None and not self.creates:
            raise ConfigurationChanged("Nothing is active here.")
        if active is not None and (self.creates or active not in self.tags):
            raise ConfigurationChanged("Another version is active.")
