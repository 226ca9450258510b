"""What a rollout is going to do: which versions, in which order, by which steps."""

import math
import tomllib
from collections.abc import Mapping, Set
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mesh.appmesh.manifests import Manifests
from ops.errors import OpsError
from ops.rollout.analysis import LIMITS, Limits
from ops.rollout.freeze import Freeze

WHOLE = 100
DAY = 86_400.0


class Change(BaseModel):
    """A service, by the name of its virtual service, and the version that it gets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    version: str = Field(min_length=1, max_length=500, pattern=r"^[\x21-\x7e]+$")


class Policy(BaseModel):
    """How rollouts of an environment are done; a TOML file says what differs from here.

    `steps` are the weights of the new version in per cent, of which the last is everything. Each
    lasts `bake_seconds`; processes have `ready_seconds` to come up; the old version stays
    `keep_old_seconds` for a quick way back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    steps: tuple[int, ...] = (1, 10, 25, 50, WHOLE)
    bake_seconds: float = Field(default=60, ge=1, le=DAY)
    ready_seconds: float = Field(default=120, ge=1, le=3600)
    keep_old_seconds: float = Field(default=1800, ge=0, le=7 * DAY)
    limits: Limits = LIMITS
    freezes: tuple[Freeze, ...] = Field(default=(), max_length=100, alias="freeze")

    @field_validator("steps")
    @classmethod
    def _rise_to_everything(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if not 1 <= len(steps) <= 20 or steps[0] < 1 or steps[-1] != WHOLE:
            raise ValueError("steps are 1 to 20 weights, from 1 at least, and the last is 100")
        if any(later <= earlier for earlier, later in pairwise(steps)):
            raise ValueError("each step is greater than the one before")
        return steps


class Plan(BaseModel):
    """A whole rollout: its changes, those that are called before those that call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    changes: tuple[Change, ...] = Field(min_length=1, max_length=20)
    policy: Policy = Policy()

    @field_validator("changes")
    @classmethod
    def _each_once(cls, changes: tuple[Change, ...]) -> tuple[Change, ...]:
        if len({change.service for change in changes}) < len(changes):
            raise ValueError("a service changes once in a rollout")
        return changes


def read_policy(path: Path) -> Policy:
    """The policy of a TOML file; OpsError says in one line what is wrong with it."""
    try:
        return Policy.model_validate(tomllib.loads(path.read_text()))
    except OSError as error:
        raise OpsError(f"The policy {path} can't be read ({error.strerror}).", code=2) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OpsError(f"The policy {path} is no TOML: {error}.", code=2) from error
    except ValidationError as error:
        raise OpsError(f"The policy {path}: {one_line(error)}", code=2) from error


def one_line(error: ValidationError) -> str:
    """What pydantic found wrong, for a person."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_url=False, include_input=False)
    )


def plan_for(versions: Mapping[str, str], calls: Mapping[str, Set[str]], policy: Policy) -> Plan:
    """The plan by which these services get these versions; OpsError when there can't be one."""
    unknown = sorted(versions.keys() - calls.keys())
    if unknown:
        known = ", ".join(sorted(calls))
        raise OpsError(f"There is no service {unknown[0]}. There are: {known}.", code=2)
    try:
        changes = tuple(
            Change(service=service, version=versions[service])
            for service in in_order(versions.keys(), calls)
        )
        return Plan(changes=changes, policy=policy)
    except ValidationError as error:
        raise OpsError(f"This can't be rolled out: {one_line(error)}", code=2) from error


def in_order(services: Set[str], calls: Mapping[str, Set[str]]) -> list[str]:
    """`services`, each after all of them that it calls, directly or by others.

    A new version may ask its neighbours for what only their new versions have, never the other
    way round. OpsError when two of them call each other.
    """
    graph = {one: sorted((_reached(one, calls) & services) - {one}) for one in sorted(services)}
    try:
        return [*TopologicalSorter(graph).static_order()]
    except CycleError as error:
        names = " and ".join(sorted(set(error.args[1])))
        raise OpsError(
            f"{names} call each other, so that neither goes first: roll them out one by one.",
            code=2,
        ) from error


def calls_of(manifests: Manifests) -> dict[str, set[str]]:
    """Which of the virtual services with versions to choose from each of them calls."""
    found: dict[str, set[str]] = {}
    for key, service in manifests.services.items():
        router = manifests.router_of(service)
        if router is None:
            continue
        nodes = {
            target.virtual_node_ref.key(router.metadata.namespace)
            for route in router.spec.routes
            for target in route.targets
        }
        found[key.name] = {
            backend.metadata.name
            for node in nodes
            for backend in manifests.backends_of(manifests.nodes[node])
            if manifests.router_of(backend) is not None
        }
    return found


def replicas_for(weight: int, full: int) -> int:
    """How many of `full` replicas a colour needs for its weight in per cent: one at least."""
    return max(1, math.ceil(full * weight / WHOLE))


def _reached(service: str, calls: Mapping[str, Set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = [service]
    while ahead:
        for called in calls.get(ahead.pop(), set()):
            if called not in found:
                found.add(called)
                ahead.append(called)
    return found
