"""Makes what tests need: configurations, and more as it is wanted."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chassis.canonical import checksum

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


@dataclass(slots=True)
class FakeSource:
    """config-service, held in the hand."""

    now: FakeConfiguration | None = field(default_factory=configuration)

    def pricing(self) -> FakeConfiguration | None:
        return self.now
