"""What an event's data are, and what the catalogue says of a type of event."""

import inspect
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

Service = Literal["auth", "booking", "config", "notification", "payment", "tracking"]


class EventData(BaseModel):
    """The `data` of an event. Readers ignore fields they don't know, so that some can be added.

    The docstring of each says in its first paragraph when the event is sent.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


DataModel = type[EventData]


@dataclass(frozen=True, slots=True)
class Event:
    """One type of event: who sends it, with what data, and which services act on it."""

    type: str
    data: DataModel
    sender: Service
    receivers: tuple[Service, ...]

    @property
    def source(self) -> str:
        """The CloudEvents attribute of that name."""
        return f"/{self.sender}"

    @property
    def summary(self) -> str:
        """When it is sent, as plain text of one paragraph."""
        paragraph, *_ = inspect.cleandoc(self.data.__doc__ or "").split("\n\n")
        return " ".join(paragraph.split())
