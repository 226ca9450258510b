"""Makes what tests of the subjects need: a pricing, bodies, callers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from chassis.canonical import checksum
from chassis.testing.issuer import Issuer

PATH = "/v1/booking"
PRICING: Mapping[str, Any] = {
    "base_rate": 250.5,
    "distance_rate": 5.75,
    "material_rates": {"coal": 1.2, "sand": 1},
}


@dataclass(frozen=True, slots=True)
class HeldConfiguration:
    data: Mapping[str, Any]
    version: int
    checksum: str


@dataclass(frozen=True, slots=True)
class HeldSource:
    """config-service, held in the hand."""

    data: Mapping[str, Any] = field(default_factory=lambda: PRICING)
    version: int = 7

    def get(self, path: str) -> HeldConfiguration:
        assert path == "pricing"
        return HeldConfiguration(self.data, self.version, checksum(dict(self.data)))


def transport(**changes: Any) -> dict[str, Any]:
    return {
        "pickup_location": {"lat": 28.6139, "lng": 77.2090, "address": "New Delhi, India"},
        "drop_location": {"lat": 19.0760, "lng": 72.8777, "address": "Mumbai, India"},
        "material_type": "coal",
        "quantity_mt": 100.5,
        **changes,
    }


@dataclass(frozen=True, slots=True)
class Someone:
    """A shipper with a token."""

    issuer: Issuer
    tenant_id: UUID = field(default_factory=uuid4)
    subject: UUID = field(default_factory=uuid4)

    def headers(self, *permissions: str, key: str | None = None, **claims: Any) -> dict[str, str]:
        bearer = self.issuer.bearer(
            permissions=permissions or ("booking:*",),
            tenant_id=self.tenant_id,
            subject=self.subject,
            **claims,
        )
        return bearer if key is None else {**bearer, "Idempotency-Key": key}
