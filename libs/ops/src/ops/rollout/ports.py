"""What a rollout needs of the place where it happens; the laptop and EKS each bring their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Colour(StrEnum):
    """The two slots of a service, one of which is active."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> "Colour":
        """The slot beside this one."""
        return Colour.GREEN if self is Colour.BLUE else Colour.BLUE


@dataclass(frozen=True, slots=True)
class Targets:
    """How many processes of one colour there should be, are, and answer as ready."""

    wanted: int
    running: int
    ready: int


@dataclass(frozen=True, slots=True)
class Window:
    """What one colour of a service answered between two moments, as the callee counts it.

    Retries are not in it. `bounds` are upper bounds in milliseconds, ascending; `counts` has one
    more entry, for what took longer than the last of them.
    """

    since: datetime
    until: datetime
    requests: int
    failures: int
    bounds: Sequence[float]
    counts: Sequence[int]


class Site(Protocol):
    """Where the processes are: a laptop's platform, or a cluster.

    Every call may be made again after a crash, and then changes nothing that is right already.
    Errors: OpsError, in words for the operator.
    """

    async def active(self, service: str) -> Colour:
        """The colour that is active."""
        ...

    async def version(self, service: str, colour: Colour) -> str | None:
        """What runs in a slot, if anything does."""
        ...

    async def bring_up(self, service: str, colour: Colour, version: str, *, replicas: int) -> None:
        """Start a version in the slot that is not active, at weight 0, its worker idle."""
        ...

    async def scale(self, service: str, colour: Colour, replicas: int) -> None:
        """Have so many replicas; returns when that was asked, not when they are ready."""
        ...

    async def targets(self, service: str, colour: Colour) -> Targets:
        """How the slot's processes are."""
        ...

    async def weights(self, service: str) -> Mapping[Colour, int]:
        """Per cent of the requests that each colour gets now, as the data plane has it."""
        ...

    async def give_all(self, service: str, colour: Colour) -> None:
        """Give the colour every request as soon as can be; `set_weights` has to say it, too."""
        ...

    async def set_weights(self, service: str, weights: Mapping[Colour, int]) -> None:
        """Say anew who gets how much; returns when the data plane has it."""
        ...

    async def promote(self, service: str, colour: Colour) -> None:
        """Make the colour the active one: its worker takes the lease, the other's gives it up."""
        ...

    async def retire(self, service: str, colour: Colour) -> None:
        """Stop what runs in a slot that is not active."""
        ...

    def address(self, service: str, colour: Colour) -> str:
        """Base URL at which an operator reaches exactly this colour."""
        ...


class Metrics(Protocol):
    """Where the figures of a window come from: Envoy, Prometheus or CloudWatch."""

    async def window(self, service: str, colour: Colour, *, seconds: float) -> Window | None:
        """The last `seconds`; None when there are no figures, or none that are fresh."""
        ...
