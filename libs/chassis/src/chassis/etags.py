"""Entity tags (RFC 9110 sections 8.8.3 and 13.1): which version of a thing a caller has seen."""

import re
from dataclasses import dataclass
from typing import Final

from chassis.errors import PreconditionFailed, PreconditionRequired

_TAG: Final = re.compile(r'(?P<weak>W/)?"(?P<opaque>[!#-~\x80-\xff]*)"')


def etag(opaque: object) -> str:
    """The strong entity tag with this opaque part, as a header's value."""
    return f'"{opaque}"'


@dataclass(frozen=True, slots=True)
class IfMatch:
    """The versions that a writer has seen. A weak tag never counts."""

    tags: frozenset[str]

    @classmethod
    def read(cls, header: str | None) -> "IfMatch":
        """From the header's value.

        Raises `PreconditionRequired` when it is missing, and for `*`, which names no version.
        """
        value = (header or "").strip()
        if value in ("", "*"):
            raise PreconditionRequired("Send If-Match with the ETag that you read.")
        return cls(frozenset(t["opaque"] for t in _TAG.finditer(value) if not t["weak"]))

    def require(self, opaque: object) -> None:
        """Raise `PreconditionFailed` unless this version was seen."""
        if str(opaque) not in self.tags:
            raise PreconditionFailed("It has changed since you read it: read it again.")


@dataclass(frozen=True, slots=True)
class IfNoneMatch:
    """The versions that a caller has already. Weak and strong tags count alike."""

    tags: frozenset[str]
    anything: bool

    @classmethod
    def read(cls, header: str | None) -> "IfNoneMatch":
        """From the header's value; without one nothing was seen."""
        value = (header or "").strip()
        return cls(frozenset(t["opaque"] for t in _TAG.finditer(value)), value == "*")

    def has(self, opaque: object) -> bool:
        """Whether the caller has this version."""
        return self.anything or str(opaque) in self.tags
