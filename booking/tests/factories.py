"""Makes what tests need: configurations, requests, and callers who send them."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx

from chassis.canonical import checksum
from chassis.config_client import ConfigurationUnavailable
from chassis.testing.issuer import Issuer

PRICING: Mapping[str, Any] = {
    "base_rate": 250.5,
    "distance_rate": 5.75,
    "material_rates": {"coal": 1.2, "sand": 1, "grain": 0.9},
    "surge_config": {
        "enabled": True,
        "max_multiplier": 2,
        "triggers": [{"condition": "quantity_mt > 900.0", "multiplier": 1.5}],
    },
}


@dataclass(frozen=True, slots=True)
class FakeConfiguration:
    data: Mapping[str, Any]
    version: int
    checksum: str


def pricing(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy({**PRICING, **changes})


def surge(*triggers: tuple[str, float], **changes: Any) -> dict[str, Any]:
    written = [{"condition": text, "multiplier": value} for text, value in triggers]
    return {"enabled": True, "max_multiplier": 2, "triggers": written, **changes}


def configuration(version: int = 1, **changes: Any) -> FakeConfiguration:
    data = pricing(**changes)
    return FakeConfiguration(data, version, checksum(data))


FEES: Mapping[str, Any] = {
    "requested": {},
    "confirmed": {"percent": 2},
    "assigned": {"percent": 5, "fixed_paise": 50_000},
}


def fees(version: int = 1, **changes: Any) -> FakeConfiguration:
    data = copy.deepcopy({**FEES, **changes})
    return FakeConfiguration(data, version, checksum(data))


TRIPS: Mapping[str, Any] = {
    "declared_paise_per_ton": {
        "coal": 4_500_00,
        "iron_ore": 6_000_00,
        "limestone": 900_00,
        "fertilizer": 24_000_00,
        "grain": 26_000_00,
        "sand": 1_200_00,
    },
}


def trip_rules(version: int = 1, **changes: Any) -> FakeConfiguration:
    data = copy.deepcopy({**TRIPS, **changes})
    return FakeConfiguration(data, version, checksum(data))


@dataclass(slots=True)
class FakeSource:
    """config-service, held in the hand."""

    now: FakeConfiguration | None = field(default_factory=configuration)
    fees: FakeConfiguration | None = field(default_factory=fees)
    trips: FakeConfiguration | None = field(default_factory=trip_rules)

    def get(self, path: str) -> FakeConfiguration:
        found = {"pricing": self.now, "cancellation": self.fees, "trips": self.trips}[path]
        if found is None:
            raise ConfigurationUnavailable
        return found


SURGE_EXAMPLE: Mapping[str, Any] = {
    "material": "coal",
    "quantity_mt": 100.0,
    "distance_km": 1492.5,
    "hour": 9,
    "weekday": 2,
    "month": 11,
    "pickup_lat": 28.6139,
    "pickup_lng": 77.209,
    "drop_lat": 19.076,
    "drop_lng": 72.8777,
}

# The request that the load test of the specification sends.
TRANSPORT: Mapping[str, Any] = {
    "pickup_location": {"lat": 28.6139, "lng": 77.2090, "address": "New Delhi, India"},
    "drop_location": {"lat": 19.0760, "lng": 72.8777, "address": "Mumbai, India"},
    "material_type": "coal",
    "quantity_mt": 100,
}


def transport(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy({**TRANSPORT, **changes})


SHIPPER = ("booking:*", "payment:read:own", "tracking:read:own")


class Caller:
    """Somebody with a token, who sends requests."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        issuer: Issuer,
        *permissions: str,
        tenant_id: UUID | None = None,
        subject: UUID | None = None,
    ) -> None:
        self.client = client
        self.issuer = issuer
        self.tenant_id = tenant_id or uuid4()
        self.subject = subject or uuid4()
        self.headers = issuer.bearer(
            permissions=permissions, tenant_id=self.tenant_id, subject=self.subject
        )

    def another(
        self, *permissions: str, tenant_id: UUID | None = None, subject: UUID | None = None
    ) -> "Caller":
        """Somebody else: a shipper of another tenant, unless told otherwise."""
        return Caller(
            self.client,
            self.issuer,
            *(permissions or SHIPPER),
            tenant_id=tenant_id,
            subject=subject,
        )

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.client.get(path, params=query, headers=self.headers)

    async def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, headers={**self.headers, **named}, json=body)

    async def quote(self, **changes: Any) -> dict[str, Any]:
        return self._ok(await self.post("/v1/quotes", transport(**changes)))

    async def book(self, **changes: Any) -> dict[str, Any]:
        return self._ok(await self.post("/v1/booking", transport(**changes)))

    async def patch(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.patch(path, headers={**self.headers, **named}, json=body)

    async def amend(self, booking_id: str, version: int, **body: Any) -> httpx.Response:
        return await self.patch(f"/v1/booking/{booking_id}", body, If_Match=f'"{version}"')

    async def cancel(self, booking_id: str, **body: Any) -> httpx.Response:
        return await self.post(f"/v1/booking/{booking_id}/cancel", body or None)

    def _ok(self, response: httpx.Response) -> dict[str, Any]:
        assert response.status_code == 200, response.text
        return response.json()


def problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem document of a refusal, which must be this one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["type"] == f"https://ubertruck.in/problems/{slug}"
    assert document["status"] == status
    return document
