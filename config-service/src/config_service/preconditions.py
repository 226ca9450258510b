"""If-Match and If-None-Match (RFC 9110 section 13): which version a caller has seen."""

import re
from dataclasses import dataclass
from typing import Final

from config_service.errors import ConfigurationChanged, VersionUnnamed

_TAG: Final = re.compile(r'(?P<weak>W/)?"(?P<opaque>[!#-~\x80-\xff]*)"')


def etag_of(version: int, checksum: str) -> str:
    """The opaque part of an entity tag: what an address holds, and which time it is."""
    return f"{version}-{checksum}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What `If-None-Match` says that the caller has already."""

    tags: tuple[str, ...] = ()
    anything: bool = False

    @classmethod
    def read(cls, if_none_match: str | None) -> "Seen":
        """From the header; weak and strong tags count alike, as for every GET."""
        header = (if_none_match or "").strip()
        return cls(tuple(tag["opaque"] for tag in _TAG.finditer(header)), header == "*")


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must be active for a write to go ahead."""

    tags: frozenset[str]
    creates: bool

    @classmethod
    def read(cls, if_match: str | None, if_none_match: str | None) -> "Precondition":
        """From the headers; raises `VersionUnnamed`.

        `If-Match: *` would name no version, so it counts as missing. A weak tag never matches.
        """
        creates = (if_none_match or "").strip() == "*"
        header = (if_match or "").strip()
        if header in ("", "*") and not creates:
            raise VersionUnnamed
        strong = frozenset(tag["opaque"] for tag in _TAG.finditer(header) if not tag["weak"])
        return cls(strong, creates)

    def check(self, active: str | None) -> None:
        """Raise `ConfigurationChanged` unless `active`, an entity tag, is what was seen."""
        if active is None and not self.creates:
            raise ConfigurationChanged("Nothing is active here.")
        if active is not None and (self.creates or active not in self.tags):
            raise ConfigurationChanged("Another version is active.")
