"""A rollout's move as what the audit and an event say of it."""

from chassis.recording import Deed
from contracts.catalogue import EVENTS
from contracts.rollout import ROLLOUT_MOVED, RolloutMoved
from ops.rollout.state import Record

ACTION = "rollout.move"


def deed_of(record: Record) -> Deed:
    """What is written down of a move, in booking's database: it has both audit and outbox."""
    moved = RolloutMoved.model_validate(
        {**record.model_dump(), "moved_at": record.at}, strict=False
    )
    return Deed(
        actor=record.actor,
        action=ACTION,
        target=f"rollout/{record.rollout}",
        number=record.number,
        ticket=record.ticket,
        details=record.model_dump(mode="json", exclude={"rollout", "actor", "ticket"}),
        source=EVENTS[ROLLOUT_MOVED].source,
        type=ROLLOUT_MOVED,
        subject=record.rollout,
        data=moved.model_dump(mode="json"),
        at=record.at,
    )
