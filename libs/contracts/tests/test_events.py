"""Every event of the catalogue: its name, its example, and what its readers may rely on."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from chassis.events import CloudEvent, EventKind
from contracts import bids, booking, fleet, payment, positions, rollout, trips
from contracts.asyncapi import example_event
from contracts.catalogue import EVENTS, as_markdown
from contracts.events import Event, EventData
from contracts.rollout import ROLLOUT_MOVED
from contracts.schemas import example_of, expanded, schema_of

ROOT = Path(__file__).parents[3]
MODULES = (booking, bids, trips, fleet, positions, payment, rollout)
NAME = re.compile(r"in\.ubertruck\.[a-z]+\.[a-z]+(_[a-z]+)*\.v[1-9]")

every_event = pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)


def example(event: Event) -> dict[str, Any]:
    return example_of(schema_of(event.data))


def leaves(model: type[EventData]) -> Iterator[type[EventData]]:
    children = [child for child in model.__subclasses__() if child.__module__ != __name__]
    yield from (leaf for child in children for leaf in leaves(child))
    if not children:
        yield model


def test_each_type_and_each_model_stands_in_the_catalogue_once() -> None:
    listed = [event for module in MODULES for event in module.EVENTS]
    named = [
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, str) and value.startswith("in.ubertruck.")
    ]
    assert sorted(named) == sorted(event.type for event in listed) == sorted(EVENTS)
    assert {event.data for event in listed} == set(leaves(EventData))
    assert len({event.data.__name__ for event in listed}) == len(listed)


def test_services_take_types_from_here() -> None:
    spelled = [
        path
        for service in ("auth-service", "booking", "config-service")
        for path in (ROOT / service / "src").rglob("*.py")
        if re.search(r"in\.ubertruck\.[a-z_.]+\.v\d", path.read_text())
    ]
    assert spelled == []


@every_event
def test_a_name_follows_the_grammar(event: Event) -> None:
    assert NAME.fullmatch(event.type)
    assert EventKind(source=event.source, type=event.type).source == event.source


@every_event
def test_it_says_when_it_is_sent_and_who_is_concerned(event: Event) -> None:
    assert event.summary.endswith(".")
    assert event.summary in as_markdown()
    assert len(set(event.receivers)) == len(event.receivers) > 0
    # What is of the platform itself is no tenant's.
    assert ("tenant_id" in event.data.model_fields) == (event.type != ROLLOUT_MOVED)


@every_event
def test_its_example_satisfies_its_schema_and_survives_the_wire(event: Event) -> None:
    data = example(event)
    schema = schema_of(event.data)
    Draft202012Validator.check_schema(schema)
    validator: Any = Draft202012Validator(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    validator.validate(data)
    read = event.data.model_validate(data)
    assert read.model_dump(mode="json") == data
    assert event.data.model_validate_json(read.model_dump_json()) == read


@every_event
def test_what_its_envelope_carries_comes_back(event: Event) -> None:
    wire = CloudEvent.model_validate(example_event(event))
    assert CloudEvent.from_json(wire.to_json()) == wire
    assert event.data.model_validate(wire.data) == event.data.model_validate(example(event))


@every_event
def test_added_fields_are_ignored_and_nothing_is_changed_in_place(event: Event) -> None:
    data = example(event)
    read = event.data.model_validate({**data, "added_in_a_later_release": [1]})
    assert read == event.data.model_validate(data)
    with pytest.raises(ValidationError):
        setattr(read, "tenant_id", None)  # noqa: B010 - a type checker would refuse the assignment
    hash(read)


@every_event
def test_optional_fields_may_be_missing_and_others_may_not(event: Event) -> None:
    data = example(event)
    required = schema_of(event.data)["required"]
    event.data.model_validate({name: data[name] for name in required})
    for name in required:
        with pytest.raises(ValidationError):
            event.data.model_validate({key: data[key] for key in data if key != name})


@every_event
def test_nonsense_is_refused_in_every_field(event: Event) -> None:
    data = example(event)
    nonsense = {"no": "such thing"}
    for name in data:
        with pytest.raises(ValidationError):
            event.data.model_validate({**data, name: nonsense})
    for document in (None, "text", 7, {"no": "such thing"}):
        with pytest.raises(ValidationError):
            event.data.model_validate(document)


@every_event
def test_every_moment_is_told_with_its_offset_and_read_as_utc(event: Event) -> None:
    data = example(event)
    parts = expanded(schema_of(event.data))["properties"]
    for name in (name for name, part in parts.items() if part.get("format") == "date-time"):
        in_india = {**data, name: "2026-11-24T15:00:00+05:30"}
        read = event.data.model_validate(in_india).model_dump(mode="json")
        assert read[name] == "2026-11-24T09:30:00Z"
        for wrong in ("2026-11-24T15:00:00", "0001-01-01T00:00:00+05:30"):
            with pytest.raises(ValidationError):
                event.data.model_validate({**data, name: wrong})
