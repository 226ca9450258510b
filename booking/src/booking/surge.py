"""Surge: conditions in CEL that make transport dearer while they hold.

Of all triggers whose condition holds the highest multiplier counts, up to the configured limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import ConfigDict

from booking.distance import Point
from contracts.pricing import MAX_CONDITION_LENGTH, SURGE_OPERATORS, SURGE_VARIABLES

# Imported only where there is a condition: the package loads its command line too, which costs
# each process 13 MiB and half a second of start.
if TYPE_CHECKING:
    import cel

INDIA: Final = timezone(timedelta(hours=5, minutes=30), "IST")
NO_SURGE: Final = Decimal(1)

# What evaluating a well-formed expression on unfit values raises.
_EVALUATION_ERRORS = (RuntimeError, TypeError, ValueError, ArithmeticError)


class BadCondition(ValueError):
    """The text isn't a condition that booking evaluates."""


class ConditionFailed(Exception):
    """A condition gave no yes or no for these inputs."""


@dataclass(kw_only=True)
class SurgeInputs:
    """The variables of a condition, and what a price keeps of them: `contracts.pricing` explains.

    Floats are right here, unlike for money: they only decide whether a condition holds.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    material: str
    quantity_mt: float
    distance_km: float
    hour: int
    weekday: int
    month: int
    pickup_lat: float
    pickup_lng: float
    drop_lat: float
    drop_lng: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    """A compiled condition and the multiplier that it brings."""

    condition: str
    multiplier: Decimal
    program: "cel.Program"


@dataclass(kw_only=True, slots=True)
class Applied:
    """The multiplier that counts, and the condition that brought it: None when none held."""

    multiplier: Decimal
    condition: str | None


@dataclass(frozen=True, kw_only=True)
class Surge:
    """The triggers of one pricing configuration."""

    triggers: Sequence[Trigger]
    max_multiplier: Decimal

    def apply(self, inputs: SurgeInputs) -> Applied:
        """Raises `ConditionFailed`; with equal multipliers the trigger written first is named."""
        if not self.triggers:
            return Applied(multiplier=NO_SURGE, condition=None)
        context = self._context(inputs)
        holding = [trigger for trigger in self.triggers if _holds(trigger, context)]
        if not holding:
            return Applied(multiplier=NO_SURGE, condition=None)
        highest = max(holding, key=lambda trigger: trigger.multiplier)
        return Applied(
            multiplier=min(highest.multiplier, self.max_multiplier), condition=highest.condition
        )

    @cached_property
    def _variables(self) -> frozenset[str]:
        return frozenset(name for trigger in self.triggers for name in trigger.program.variables())

    def _context(self, inputs: SurgeInputs) -> "cel.Context":
        # CEL's own values, made once for all conditions: that costs more than a condition does.
        import cel

        return cel.Context({name: getattr(inputs, name) for name in self._variables})


def surge_inputs(
    *,
    material: str,
    quantity_mt: Decimal,
    distance_m: int,
    pickup: Point,
    drop: Point,
    at: datetime,
) -> SurgeInputs:
    """What conditions may look at, for goods priced `at` this moment."""
    local = at.astimezone(INDIA)
    return SurgeInputs(
        material=material,
        quantity_mt=float(quantity_mt),
        distance_km=distance_m / 1000,
        hour=local.hour,
        weekday=local.isoweekday(),
        month=local.month,
        pickup_lat=pickup.lat,
        pickup_lng=pickup.lng,
        drop_lat=drop.lat,
        drop_lng=drop.lng,
    )


def compile_trigger(condition: str, multiplier: Decimal) -> Trigger:
    """Raises `BadCondition` for what doesn't compile or says more than a condition may."""
    import cel

    if len(condition) > MAX_CONDITION_LENGTH:
        raise BadCondition(f"A condition has at most {MAX_CONDITION_LENGTH} characters.")
    try:
        program = cel.compile(condition)
    except ValueError as error:
        raise BadCondition("The condition isn't CEL.") from error
    if foreign := set(program.variables()) - SURGE_VARIABLES.keys():
        raise BadCondition(f"Unknown variables: {', '.join(sorted(foreign))}.")
    if foreign := set(program.functions()) - SURGE_OPERATORS:
        raise BadCondition(f"Not allowed in a condition: {', '.join(sorted(foreign))}.")
    return Trigger(condition=condition, multiplier=multiplier, program=program)


def _holds(trigger: Trigger, context: "cel.Context") -> bool:
    try:
        answer = trigger.program.execute(context)
    except _EVALUATION_ERRORS as error:
        raise ConditionFailed(trigger.condition) from error
    if not isinstance(answer, bool):
        raise ConditionFailed(trigger.condition)
    return answer
