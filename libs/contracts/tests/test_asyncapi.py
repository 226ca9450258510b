"""The AsyncAPI document, against the official schema and in what it says."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from chassis.events import CloudEvent
from contracts.asyncapi import document
from contracts.catalogue import EVENTS

OFFICIAL = json.loads(Path(__file__).with_name("asyncapi-3.0.0.json").read_text())
DOCUMENT = document(EVENTS.values(), envelope=CloudEvent)


def faults_of(wanted: dict[str, Any]) -> list[str]:
    validator: Any = Draft7Validator(OFFICIAL)
    return [error.message for error in validator.iter_errors(wanted)]


def pointers(part: Any) -> set[str]:
    if isinstance(part, dict):
        inner = cast(dict[str, Any], part)
        own = {inner["$ref"]} if "$ref" in inner else set[str]()
        return own.union(*(pointers(value) for value in inner.values()))
    if isinstance(part, list):
        return set[str]().union(*(pointers(value) for value in cast(list[Any], part)))
    return set()


def resolve(pointer: str) -> Any:
    found: Any = DOCUMENT
    for step in pointer.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_it_is_asyncapi_3() -> None:
    assert faults_of(DOCUMENT) == []


@pytest.mark.parametrize(
    "change",
    [
        {"asyncapi": "2.6.0"},
        {"info": {"title": "no version"}},
        {"operations": {"a": {"action": "shout", "channel": {"$ref": "#/channels/a"}}}},
        {"surprise": 1},
    ],
)
def test_the_official_schema_would_notice(change: dict[str, Any]) -> None:
    assert faults_of(DOCUMENT | change)


def test_every_pointer_leads_somewhere() -> None:
    found = pointers(DOCUMENT)
    assert len(found) > 3 * len(EVENTS)
    for pointer in found:
        assert resolve(pointer) is not None


@pytest.mark.parametrize("name", DOCUMENT["channels"])
def test_a_message_s_example_is_such_a_message(name: str) -> None:
    message = DOCUMENT["components"]["messages"][name]
    schema = {**message["payload"], "components": DOCUMENT["components"]}
    validator: Any = Draft202012Validator(schema)
    [example] = message["examples"]
    validator.validate(example["payload"])
    assert not validator.is_valid({**example["payload"], "type": "in.ubertruck.other.sent.v1"})
    assert not validator.is_valid({**example["payload"], "data": {}})


def test_senders_and_receivers_are_those_of_the_catalogue() -> None:
    told = {
        (operation["action"], tag["name"], resolve(operation["channel"]["$ref"])["address"])
        for operation in DOCUMENT["operations"].values()
        for tag in operation["tags"]
    }
    sent = {("send", event.sender, event.type) for event in EVENTS.values()}
    received = {("receive", to, event.type) for event in EVENTS.values() for to in event.receivers}
    assert told == sent | received
