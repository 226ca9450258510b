"""Who is at the other end: a device that named itself, or else whoever sits at an address."""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network
from typing import Final

from chassis.source import Address

_IPV6_SITE: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """Where a request comes from; without an address, from this machine itself."""

    address: Address | None
    device_id: str | None = None

    @property
    def source(self) -> str:
        """What counts as one source: an IPv4 address, or the /64 that a site gets in IPv6."""
        if isinstance(self.address, IPv6Address):
            return str(ip_network((self.address, _IPV6_SITE), strict=False))
        return str(self.address or "here")

    @property
    def identity(self) -> bytes:
        """32 bytes that are the same for the same client.

        The device when it names itself, which only itself and this service know; else the source.
        """
        name = f"source\0{self.source}" if self.device_id is None else f"device\0{self.device_id}"
        return hashlib.sha256(name.encode()).digest()
