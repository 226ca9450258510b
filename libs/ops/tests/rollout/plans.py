"""Plans and rollouts to begin tests with."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ops.rollout.plan import Policy, plan_for
from ops.rollout.ports import Colour
from ops.rollout.state import Before, Rollout, begin

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CALLS: Mapping[str, frozenset[str]] = {
    "auth-service": frozenset(),
    "config-service": frozenset({"auth-service"}),
    "booking-service": frozenset({"auth-service", "config-service"}),
}


def rollout_of(*services: str, policy: Policy | None = None, replicas: int = 1) -> Rollout:
    """A rollout that is about to begin; blue is active everywhere, at version 1."""
    plan = plan_for(dict.fromkeys(services or ("booking-service",), "2"), CALLS, policy or Policy())
    return begin(
        plan,
        {
            change.service: Before(colour=Colour.BLUE, version="1", replicas=replicas)
            for change in plan.changes
        },
        actor="nadia",
        ticket="CHG-20261124",
        at=NOON,
    )
