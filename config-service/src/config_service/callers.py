"""Who asks, as far as the audit wants to know."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified subject, and the address that it called from."""

    user_id: str
    ip_address: str | None
