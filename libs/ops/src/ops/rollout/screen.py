"""What an operator sees of a rollout: lines in a pipe, a line that lives on a terminal."""

from collections.abc import Iterable
from datetime import timedelta

from rich.console import Console
from rich.markup import escape

from ops.rollout.plan import WHOLE, Plan, replicas_for
from ops.rollout.state import SETTLED, Before, Phase, Rollout

WIDTH = 20


class Progress:
    """Tells each phase once; on a terminal the words of a phase replace each other.

    Elsewhere they are told too, once each, where words mean that something is tried again.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._told: object = None
        self._said = ""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def show(self, rollout: Rollout, words: str) -> None:
        """Tell how far it is, and what was seen there."""
        standing = (rollout.change, rollout.phase, rollout.step, rollout.paused)
        if standing != self._told:
            self._told = standing
            self._console.print(escape(line_of(rollout)), highlight=False, soft_wrap=True)
        if not words or rollout.ended:
            return
        if not self._console.is_terminal:
            if rollout.phase in {Phase.ABORTING, *SETTLED} and words != self._said:
                self._said = words
                self._console.print(escape(words), highlight=False, soft_wrap=True)
        else:
            self._status.update(escape(words))
            self._status.start()


def line_of(rollout: Rollout) -> str:
    """A rollout in one line."""
    filled = round(WIDTH * rollout.weight / WHOLE)
    bar = "█" * filled + "░" * (WIDTH - filled)
    words = f"{rollout.now.service:<16} {rollout.phase:<12} {bar} {rollout.weight:>3} %"
    why = rollout.paused if rollout.paused is not None else rollout.reason
    paused = "  paused" if rollout.paused is not None else ""
    return f"{words}{paused}" + (f"  {why}" if why else "")


def lines_of(rollout: Rollout) -> Iterable[str]:
    """Everything that is kept of a rollout."""
    yield f"rollout {rollout.id} by {rollout.actor}, since {rollout.since:%Y-%m-%d %H:%M:%S %Z}"
    for place, change in enumerate(rollout.plan.changes):
        before = rollout.before[change.service]
        mark = "→" if place == rollout.change and not rollout.ended else " "
        old, new = before.colour, before.colour.other
        yield f"{mark} {change.service}: {old} {before.version}, {new} {change.version}"
    yield line_of(rollout)
    if rollout.unwritten:
        yield f"{len(rollout.unwritten)} moves are not in the audit yet."


def plan_lines(plan: Plan, before: dict[str, Before]) -> Iterable[str]:
    """Every step that a plan leads to, with its weights, replicas, and how long it takes."""
    policy, seconds = plan.policy, 0.0
    for number, change in enumerate(plan.changes, start=1):
        was = before[change.service]
        old, new = was.colour, was.colour.other
        yield f"{number}. {change.service}: {new} {change.version} in place of {old} {was.version}"
        yield f"   bring up {replicas_for(policy.steps[0], was.replicas)}, validate"
        for weight in policy.steps:
            yield (
                f"   {_after(seconds)}  {new} {weight:>3} %, {old} {WHOLE - weight:>3} %; "
                f"{replicas_for(weight, was.replicas)} of {was.replicas} replicas; "
                f"bake {policy.bake_seconds:g} s"
            )
            seconds += policy.bake_seconds
        yield f"   {_after(seconds)}  promote {new}"
    yield f"   {_after(seconds + policy.keep_old_seconds)}  end of the old versions"
    for freeze in policy.freezes:
        yield f"   not during {freeze.name}"


def how_to_go_on(rollout: Rollout) -> str:
    """What an operator may do about a rollout that nobody drives any more."""
    if rollout.phase is Phase.ABORTING:
        return "It is being taken back; go on with it: ubertruck rollout resume"
    if rollout.phase is Phase.RETIRING:
        return "The new version serves alone, and the old one goes: ubertruck rollout resume"
    if rollout.phase is Phase.KEEPING_OLD:
        return (
            "The new version serves alone. `ubertruck rollout resume` waits for the end of the old "
            "one, `promote` ends it now, `abort` goes back to it."
        )
    return (
        f"It stands still at {rollout.weight} %, and nobody watches it. Go on: ubertruck rollout "
        "resume. Go back: ubertruck rollout abort"
    )


def _after(seconds: float) -> str:
    return f"+{timedelta(seconds=round(seconds))}"
