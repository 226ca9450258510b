"""Which content has a schema: registered by service and path, for every environment.

A path without a schema takes any document that `documents.read_document` accepts.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from chassis.errors import FieldError
from config_service.addresses import Address, ServiceName
from config_service.documents import Document, JsonObject, child, read_document
from config_service.errors import InvalidConfiguration
from config_service.pricing import precision_faults, pricing_faults
from config_service.trips import trips_faults
from contracts.pricing import DRY_RUN_PATH

Rule = Callable[[JsonObject], Iterable[FieldError]]


@dataclass(frozen=True, slots=True)
class Registration:
    """A schema, the paths it is for, and the rules that follow it."""

    service: ServiceName
    path_pattern: str
    schema: JsonObject
    validator: Draft202012Validator
    rules: tuple[Rule, ...] = ()

    def covers(self, address: Address) -> bool:
        """Whether content under `address` must satisfy this schema."""
        return (
            self.service == address.service
            and re.fullmatch(self.path_pattern, address.path) is not None
        )

    def faults(self, data: JsonObject) -> list[FieldError]:
        """What is wrong with `data`; the rules are asked only when the schema is satisfied."""
        violations: Iterable[ValidationError] = self.validator.iter_errors(data)  # pyright: ignore[reportUnknownMemberType] - the stub types one overload only
        errors = sorted(violations, key=lambda error: error.json_path)
        found = {
            (fault.pointer, fault.code): fault for error in errors for fault in _explained(error)
        }
        return list(found.values()) or [fault for rule in self.rules for fault in rule(data)]


def validated(address: Address, data: JsonObject) -> Document:
    """The document for this address; raises `InvalidConfiguration` with every fault found."""
    document = read_document(data)
    for registration in REGISTRATIONS:
        if registration.covers(address):
            faults = registration.faults(data)
            if faults:
                raise InvalidConfiguration(faults)
    return document


def dry_run_path(address: Address) -> str | None:
    """Where content for this address can be tried on the past, if its service does that."""
    return DRY_RUN_PATH if (address.service, address.path) == ("booking", "pricing") else None


def _registration(service: ServiceName, pattern: str, file: str, *rules: Rule) -> Registration:
    text = files("config_service").joinpath("json_schemas", file).read_text("utf-8")
    schema: JsonObject = json.loads(text)
    Draft202012Validator.check_schema(schema)
    return Registration(service, pattern, schema, Draft202012Validator(schema), rules)


def _explained(error: ValidationError) -> Iterable[FieldError]:
    """Our own words for a violation: the library's repeat the value, which may be secret."""
    pointer = ""
    for part in error.absolute_path:
        pointer = child(pointer, part)
    keyword = cast(str, error.validator)
    limit = cast(Any, error.validator_value)
    match keyword:
        case "required":
            missing = [key for key in limit if key not in cast(JsonObject, error.instance)]
            return [_fault(child(pointer, key), "is missing", keyword) for key in missing]
        case "additionalProperties":
            known = cast(JsonObject, error.schema).get("properties", {})
            extra = [key for key in cast(JsonObject, error.instance) if key not in known]
            return [_fault(child(pointer, key), "is not known here", keyword) for key in extra]
        case "type":
            return [_fault(pointer, f"is not of type {limit}", keyword)]
        case _:
            return [_fault(pointer, _MESSAGES.get(keyword, _OTHERWISE).format(limit), keyword)]


def _fault(pointer: str, message: str, code: str) -> FieldError:
    return FieldError(pointer=pointer, message=message, code=code)


_MESSAGES: Final = {
    "minimum": "is below {}",
    "maximum": "is above {}",
    "minLength": "is shorter than {} characters",
    "maxLength": "is longer than {} characters",
    "maxItems": "has more than {} items",
}

_OTHERWISE: Final = "breaks a rule of the schema"

REGISTRATIONS: Final = (
    _registration("booking", "pricing", "booking-pricing.json", pricing_faults),
    _registration("booking", "cancellation", "booking-cancellation.json", precision_faults),
    _registration("booking", "trips", "booking-trips.json", trips_faults),
)
