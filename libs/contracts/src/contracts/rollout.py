"""What becomes of a rollout. The subject of these events is the rollout's id."""

from typing import Annotated, Final, Literal

from pydantic import Field

from contracts.events import Event, EventData
from contracts.values import Moment, Reason

ROLLOUT_MOVED: Final = "in.ubertruck.rollout.moved.v1"


class RolloutMoved(EventData):
    """A rollout of a new version went on, or back, or stands still."""

    action: Literal["start", "advance", "pause", "resume", "promote", "abort"]
    phase: Annotated[str, Field(description="What it does from now on", examples=["shifting"])]
    service: Annotated[str, Field(description="Whose version", examples=["booking-service"])]
    version: Annotated[str, Field(description="The new version", examples=["4be1c2f"])]
    weight: Annotated[
        int, Field(ge=0, le=100, description="Its per cent of the requests", examples=[25])
    ]
    actor: Annotated[str, Field(description="Who said so", examples=["nadia"])]
    reason: Annotated[Reason | None, Field(description="Why, where there is a reason")] = None
    moved_at: Moment


EVENTS: Final = (Event(ROLLOUT_MOVED, RolloutMoved, "booking", ("notification",)),)
