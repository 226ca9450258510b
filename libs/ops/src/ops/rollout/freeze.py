"""Freeze windows: times in which nothing new goes further out, such as nights and holidays."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone") from None
    return name


class Freeze(BaseModel):
    """A window: each day from `first` to `last`, on these weekdays, between two times of the day.

    What is left out is no bound. A window whose `until` isn't after its `from` goes on into the
    next day, and belongs to the day on which it began.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: str = Field(min_length=1, max_length=100)
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Kolkata"
    days: tuple[Weekday, ...] = Field(default=WEEKDAYS, min_length=1)
    first: date | None = None
    last: date | None = None
    begins: time = Field(default=time(0), alias="from")
    ends: time = Field(default=time(0), alias="until")

    @model_validator(mode="after")
    def _is_a_window(self) -> "Freeze":
        if self.first and self.last and self.last < self.first:
            raise ValueError("`last` is before `first`")
        if self.begins.tzinfo or self.ends.tzinfo:
            raise ValueError("times of the day have no zone of their own: say `time_zone`")
        return self

    def holds(self, moment: datetime) -> bool:
        """Whether `moment`, which knows its zone, is within the window."""
        local = moment.astimezone(ZoneInfo(self.time_zone))
        if self.begins < self.ends:
            return self.begins <= local.time() < self.ends and self._has(local.date())
        if local.time() >= self.begins:
            return self._has(local.date())
        return local.time() < self.ends and self._has(local.date() - timedelta(days=1))

    def _has(self, day: date) -> bool:
        return (
            WEEKDAYS[day.weekday()] in self.days
            and (self.first is None or self.first <= day)
            and (self.last is None or day <= self.last)
        )


def frozen_by(freezes: Iterable[Freeze], moment: datetime) -> str | None:
    """The name of a window that holds now; None when nothing is frozen."""
    return next((one.name for one in freezes if one.holds(moment)), None)
