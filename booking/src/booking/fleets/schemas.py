"""Wire shapes of trucks, drivers and absences."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Self, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from sqlalchemy.dialects.postgresql import Range

from booking.fields import Moment, Tons
from booking.fleets.kinds import AbsenceReason, DocumentKind, LicenceClass, TruckType
from booking.fleets.models import Absence, Driver, Truck
from booking.fleets.numbers import PHONE, STATES, licence_number, registration_number
from booking.schemas import Strict
from chassis.pagination import CursorParam, Limit
from contracts.values import JsonNumber, Material

Item = TypeVar("Item")

LONGEST_ABSENCE = timedelta(days=366)


def _day(text: object) -> object:
    # pydantic would also take times and seconds since 1970.
    if not isinstance(text, str) or len(text) != len("2026-11-24"):
        raise ValueError("must be a day, as 2026-11-24")
    return text


def _each_once(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if len(set(items)) != len(items):
        raise ValueError("names something twice")
    return items


def _state(code: str) -> str:
    if code not in STATES:
        raise ValueError("must be the code of a state, as JH")
    return code


def _line(longest: int) -> Any:
    return StringConstraints(
        strip_whitespace=True, min_length=1, max_length=longest, pattern=r"^[^\x00-\x1f\x7f]+$"
    )


Capacity = Annotated[JsonNumber, Tons(least=1, most=100, about="Metric tons of load")]
Day = Annotated[date, Field(ge=date(1990, 1, 1), le=date(2099, 12, 31)), BeforeValidator(_day)]
StateCode = Annotated[
    str,
    AfterValidator(_state),
    WithJsonSchema({"type": "string", "enum": sorted(STATES)}),
]
Registration = Annotated[
    str,
    Field(max_length=20, examples=["MH12AB1234"]),
    AfterValidator(registration_number),
]
LicenceNumber = Annotated[
    str,
    Field(max_length=25, examples=["MH1220110012345"]),
    AfterValidator(licence_number),
]
Phone = Annotated[str, Field(pattern=f"^{PHONE}$", examples=["+919876543210"])]
Name = Annotated[str, _line(200)]
Materials = Annotated[tuple[Material, ...], Field(min_length=1), AfterValidator(_each_once)]
States = Annotated[
    tuple[StateCode, ...],
    Field(description="That it is permitted in; none stands for all of India"),
    AfterValidator(_each_once),
]
Classes = Annotated[tuple[LicenceClass, ...], Field(min_length=1), AfterValidator(_each_once)]


def _may_stay() -> Any:
    # Not a default of None, which OpenAPI would show as a value to send.
    return Field(default_factory=lambda: None)


class Change(Strict):
    """Only what is named changes; null takes away what may be missing."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("names nothing to change")
        return self

    def values(self) -> dict[str, Any]:
        """The columns to change."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class NewTruck(Strict):
    """A truck of the caller's fleet."""

    registration_number: Registration
    truck_type: TruckType
    capacity_mt: Capacity
    materials: Materials
    states: States = ()


class TruckChange(Change):
    """What of a truck may change. Another registration number is another truck."""

    truck_type: TruckType = _may_stay()
    capacity_mt: Capacity = _may_stay()
    materials: Materials = _may_stay()
    states: States = _may_stay()

    def values(self) -> dict[str, Any]:
        return _arrays(super().values(), "materials", "states")


class NewDocument(Strict):
    """A paper of a truck."""

    number: Annotated[str, _line(50)]
    expires_on: Day = Field(description="Its last day, in India")


class NewDriver(Strict):
    """A driver of the caller's fleet."""

    name: Name
    phone: Phone
    licence_number: LicenceNumber
    licence_classes: Classes
    licence_expires_on: Day = Field(description="Its last day, in India")
    user_id: UUID | None = Field(default=None, description="`sub` of the driver's tokens")


class DriverChange(Change):
    """What of a driver may change."""

    name: Name = _may_stay()
    phone: Phone = _may_stay()
    licence_classes: Classes = _may_stay()
    licence_expires_on: Day = _may_stay()
    user_id: UUID | None = _may_stay()

    def values(self) -> dict[str, Any]:
        values = _arrays(super().values(), "licence_classes")
        if "user_id" in values:
            values["subject"] = _text(values.pop("user_id"))
        return values


class NewAbsence(Strict):
    """A time in which a truck or driver takes no trips: from `begin` up to `until`."""

    reason: AbsenceReason
    begin: Moment
    until: Moment

    @model_validator(mode="after")
    def _is_a_time(self) -> Self:
        if not timedelta(0) < self.until - self.begin <= LONGEST_ABSENCE:
            raise ValueError("until must be after begin, and by a year at most")
        return self

    @property
    def period(self) -> Range[datetime]:
        return Range(self.begin, self.until)


class FleetFilter(Strict):
    """Which trucks or drivers, newest first."""

    limit: Limit = 50
    cursor: CursorParam = None
    retired: bool = False


class AbsenceOut(BaseModel):
    """A time in which a truck or driver takes no trips."""

    model_config = ConfigDict(title="Absence")

    absence_id: UUID
    reason: AbsenceReason
    begin: datetime
    until: datetime

    @classmethod
    def of(cls, absence: Absence) -> "AbsenceOut":
        return cls.model_validate(
            {
                "absence_id": absence.id,
                "reason": absence.reason,
                "begin": absence.period.lower,
                "until": absence.period.upper,
            }
        )


class DocumentOut(BaseModel):
    """A paper of a truck; it is good through `expires_on`, in India."""

    model_config = ConfigDict(title="TruckDocument", from_attributes=True)

    kind: DocumentKind
    number: str
    expires_on: date


class MemberOut(BaseModel):
    """What trucks and drivers have in common."""

    tenant_id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    retired_at: datetime | None
    obstacles: list[str] = Field(
        description="Why it takes no trip at this moment, for people to read",
        examples=[["insurance expired on 2026-10-01"]],
    )


class TruckOut(MemberOut):
    """A truck; `version` is its ETag."""

    model_config = ConfigDict(title="Truck")

    truck_id: UUID
    registration_number: str
    truck_type: TruckType
    capacity_mt: JsonNumber
    materials: list[Material]
    states: list[str]
    documents: list[DocumentOut]

    @classmethod
    def of(cls, truck: Truck, obstacles: Sequence[str]) -> "TruckOut":
        return cls(
            truck_id=truck.id,
            registration_number=truck.registration_number,
            truck_type=truck.truck_type,
            capacity_mt=truck.capacity_mt,
            materials=[Material(name) for name in truck.materials],
            states=truck.states,
            documents=[DocumentOut.model_validate(document) for document in truck.documents],
            **_member(truck, obstacles),
        )


class DriverOut(MemberOut):
    """A driver; `version` is the ETag."""

    model_config = ConfigDict(title="Driver")

    driver_id: UUID
    name: str
    phone: str
    licence_number: str
    licence_classes: list[LicenceClass]
    licence_expires_on: date
    user_id: str | None

    @classmethod
    def of(cls, driver: Driver, obstacles: Sequence[str]) -> "DriverOut":
        return cls(
            driver_id=driver.id,
            name=driver.name,
            phone=driver.phone,
            licence_number=driver.licence_number,
            licence_classes=[LicenceClass(name) for name in driver.licence_classes],
            licence_expires_on=driver.licence_expires_on,
            user_id=driver.subject,
            **_member(driver, obstacles),
        )


def _member(member: Truck | Driver, obstacles: Sequence[str]) -> dict[str, Any]:
    return {
        "tenant_id": member.tenant_id,
        "version": member.version,
        "created_at": member.created_at,
        "updated_at": member.updated_at,
        "retired_at": member.retired_at,
        "obstacles": list(obstacles),
    }


def _arrays(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """The values with these as columns hold them, in which the order counts for nothing."""
    return {name: sorted(value) if name in names else value for name, value in values.items()}


def _text(user_id: UUID | None) -> str | None:
    return None if user_id is None else str(user_id)
