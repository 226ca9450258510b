"""How far a rollout is, and which moves lead where. Pure: nothing here does anything."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from chassis.ids import new_id
from ops.errors import OpsError
from ops.rollout.plan import Change, Plan
from ops.rollout.ports import Colour


class Phase(StrEnum):
    """What is done now, or is next: by its end the rollout is in the phase that follows."""

    PENDING = "pending"
    BRINGING_UP = "bringing up"
    VALIDATING = "validating"
    SHIFTING = "shifting"
    BAKING = "baking"
    PROMOTING = "promoting"
    KEEPING_OLD = "keeping old"
    RETIRING = "retiring"
    DONE = "done"
    ABORTING = "aborting"
    ABORTED = "aborted"


ENDS = frozenset({Phase.DONE, Phase.ABORTED})
# Phases that change something for users: the freeze and the audit stand before them.
FORWARD = frozenset({Phase.BRINGING_UP, Phase.SHIFTING, Phase.PROMOTING})
# Phases in which the new version serves alone, and nothing is judged any more.
SETTLED = frozenset({Phase.KEEPING_OLD, Phase.RETIRING})


class Before(BaseModel):
    """What answered for a service when the rollout began, and by how many replicas."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    colour: Colour
    version: str
    replicas: int = Field(ge=1)


class Record(BaseModel):
    """One move of a rollout, for the audit and as an event. `number` counts them from 1.

    `actor` is who said so; for moves of the driver, who started the rollout.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rollout: UUID
    number: int
    at: AwareDatetime
    actor: str
    ticket: str | None
    action: str
    service: str
    version: str
    phase: Phase
    weight: int
    reason: str | None


class Rollout(BaseModel):
    """A rollout's whole state. `revision` counts every change; `unwritten` waits for the audit.

    `change` and `step` are positions in the plan. `hurried` says that an operator waits for
    nothing more; `paused` and `reason` say why it stands still, and why it was aborted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    id: UUID
    revision: int = 1
    plan: Plan
    before: Mapping[str, Before]
    actor: str
    ticket: str | None = None
    override: str | None = None
    phase: Phase = Phase.PENDING
    change: int = 0
    step: int = 0
    since: AwareDatetime
    hurried: bool = False
    paused: str | None = None
    reason: str | None = None
    records: int = 0
    unwritten: tuple[Record, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing is left to be done."""
        return self.phase in ENDS

    @property
    def now(self) -> Change:
        """The change that is being made."""
        return self.plan.changes[self.change]

    @property
    def new(self) -> Colour:
        """The colour that the version of the present change gets."""
        return self.before[self.now.service].colour.other

    @property
    def weight(self) -> int:
        """Per cent that the new version of the present change gets in this phase."""
        if self.phase in (Phase.SHIFTING, Phase.BAKING):
            return self.plan.policy.steps[self.step]
        return 100 if self.phase in {Phase.PROMOTING, Phase.DONE, *SETTLED} else 0


class IllegalMove(OpsError):
    """A move that the rollout's phase has no room for."""


def begin(
    plan: Plan,
    before: Mapping[str, Before],
    *,
    actor: str,
    at: datetime,
    ticket: str | None = None,
    override: str | None = None,
) -> Rollout:
    """A rollout of which nothing has been done yet. `override` is why it may run while frozen."""
    rollout = Rollout(
        id=new_id(),
        plan=plan,
        before=before,
        actor=actor,
        ticket=ticket,
        override=override,
        since=at,
    )
    return _noted(rollout, "start", at, override)


def advance(rollout: Rollout, at: datetime) -> Rollout:
    """What the phase is for is done: the phase that follows."""
    if rollout.ended or rollout.paused is not None:
        raise IllegalMove(f"The rollout is {_standing(rollout)}: it goes nowhere.")
    phase, change, step = _following(rollout)
    return _moved(rollout.model_copy(update={"change": change, "step": step}), phase, at)


def pause(rollout: Rollout, why: str, at: datetime, *, actor: str) -> Rollout:
    """Go no further, with the weights as they are."""
    if rollout.ended or rollout.phase is Phase.ABORTING or rollout.phase in SETTLED:
        raise IllegalMove(f"The rollout is {_standing(rollout)}: there is nothing to pause.")
    if rollout.paused is not None:
        return rollout
    return _noted(_changed(rollout, paused=why), "pause", at, why, actor=actor)


def resume(rollout: Rollout, at: datetime, *, actor: str, override: str | None = None) -> Rollout:
    """Go on after a pause or a driver's death; a step that was baking bakes anew."""
    if rollout.ended:
        raise IllegalMove(f"The rollout is {_standing(rollout)}: start another one.")
    since = rollout.since if rollout.paused is None else at
    resumed = _changed(rollout, paused=None, since=since, override=override or rollout.override)
    return _noted(resumed, "resume", at, override, actor=actor)


def restarted(rollout: Rollout, at: datetime) -> Rollout:
    """For a driver that takes over: a phase that needs more than is written down begins anew."""
    anew = {Phase.BAKING: Phase.SHIFTING, Phase.VALIDATING: Phase.BRINGING_UP}
    phase, step = anew.get(rollout.phase, rollout.phase), rollout.step
    last = len(rollout.plan.policy.steps) - 1
    if phase is Phase.SHIFTING and not rollout.hurried and step == last > 0:
        # The new version is compared with the old one, which has to get something for that.
        step = last - 1
    if (phase, step) == (rollout.phase, rollout.step):
        return rollout
    again = _changed(rollout, phase=phase, step=step, since=at)
    return _noted(again, "resume", at, "Another driver took over.")


def promote(rollout: Rollout, at: datetime, *, actor: str, override: str | None = None) -> Rollout:
    """Wait for nothing more: everything to the new version, or the end of the old one."""
    if rollout.phase is Phase.RETIRING:
        return rollout
    if rollout.phase is Phase.KEEPING_OLD:
        return _moved(rollout, Phase.RETIRING, at, action="promote", actor=actor)
    if rollout.phase not in (Phase.SHIFTING, Phase.BAKING):
        raise IllegalMove(
            f"The rollout is {_standing(rollout)}: only a version that gets requests is promoted."
        )
    last = len(rollout.plan.policy.steps) - 1
    hurried = _changed(
        rollout, hurried=True, paused=None, step=last, override=override or rollout.override
    )
    return _moved(hurried, Phase.SHIFTING, at, action="promote", reason=override, actor=actor)


def abort(rollout: Rollout, why: str, at: datetime, *, actor: str) -> Rollout:
    """Take everything back."""
    if rollout.phase is Phase.ABORTING:
        return rollout
    if rollout.phase is Phase.RETIRING:
        raise IllegalMove("The rollout is retiring: the old version goes. Start it as a new one.")
    if rollout.ended:
        raise IllegalMove(f"The rollout is {_standing(rollout)}: there is nothing to take back.")
    stopped = _changed(rollout, paused=None, reason=why)
    return _moved(stopped, Phase.ABORTING, at, action="abort", reason=why, actor=actor)


def written(rollout: Rollout) -> Rollout:
    """All records so far are in the audit."""
    return _changed(rollout, unwritten=()) if rollout.unwritten else rollout


def _following(rollout: Rollout) -> tuple[Phase, int, int]:
    change, step = rollout.change, rollout.step
    last_step = step == len(rollout.plan.policy.steps) - 1
    last_change = change == len(rollout.plan.changes) - 1
    match rollout.phase:
        case Phase.PENDING:
            return Phase.BRINGING_UP, change, 0
        case Phase.BRINGING_UP:
            return Phase.VALIDATING, change, 0
        case Phase.VALIDATING:
            return Phase.SHIFTING, change, 0
        case Phase.SHIFTING:
            return (Phase.PROMOTING if rollout.hurried else Phase.BAKING), change, step
        case Phase.BAKING:
            return (
                (Phase.PROMOTING, change, step) if last_step else (Phase.SHIFTING, change, step + 1)
            )
        case Phase.PROMOTING:
            if last_change:
                return Phase.KEEPING_OLD, change, step
            return Phase.BRINGING_UP, change + 1, 0
        case Phase.KEEPING_OLD:
            return Phase.RETIRING, change, step
        case Phase.RETIRING:
            return Phase.DONE, change, step
        case _:
            return Phase.ABORTED, change, step


def _moved(
    rollout: Rollout,
    phase: Phase,
    at: datetime,
    *,
    action: str = "advance",
    reason: str | None = None,
    actor: str | None = None,
) -> Rollout:
    moved = _changed(
        rollout,
        phase=phase,
        since=at,
        # Hurrying ends with the change that was hurried.
        hurried=rollout.hurried and phase in (Phase.SHIFTING, Phase.PROMOTING),
    )
    return _noted(moved, action, at, reason, actor=actor)


def _noted(
    rollout: Rollout,
    action: str,
    at: datetime,
    reason: str | None = None,
    *,
    actor: str | None = None,
) -> Rollout:
    record = Record(
        rollout=rollout.id,
        number=rollout.records + 1,
        at=at,
        actor=actor or rollout.actor,
        ticket=rollout.ticket,
        action=action,
        service=rollout.now.service,
        version=rollout.now.version,
        phase=rollout.phase,
        weight=rollout.weight,
        reason=reason,
    )
    return rollout.model_copy(
        update={"records": record.number, "unwritten": (*rollout.unwritten, record)}
    )


def _changed(rollout: Rollout, **changes: object) -> Rollout:
    return rollout.model_copy(update={**changes, "revision": rollout.revision + 1})


def _standing(rollout: Rollout) -> str:
    return f"{rollout.phase}, paused" if rollout.paused is not None else str(rollout.phase)
