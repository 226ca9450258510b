"""Who is at the other end: a device that named itself, or else whoever sits at an address."""

import hashlib
from dataclasses import dataclass

from auth_service.source import Address, throttle_key


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """Where a request comes from."""

    address: Address
    device_id: str | None = None

    @property
    def identity(self) -> bytes:
        """32 bytes that are the same for the same client.

        The device when it names itself, which only itself and this service know; else the address.
        """
        if self.device_id is not None:
            return hashlib.sha256(f"device\0{self.device_id}".encode()).digest()
        return hashlib.sha256(f"source\0{throttle_key(self.address)}".encode()).digest()
