"""All events as one AsyncAPI 3.0 document: a channel a type, an operation a sender or receiver."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contracts.events import Event
from contracts.schemas import Generator, Schema, example_of, schema_of

CONTENT_TYPE: Final = "application/cloudevents+json"
_SCHEMAS: Final = "#/components/schemas/"
_DESCRIPTION: Final = (
    "Every event is a CloudEvent 1.0 in structured JSON. It is delivered at least once and in any"
    " order: `source` and `id` together tell repetitions, `aggregateversion` tells which of a"
    " subject's events is newer."
)


def document(events: Iterable[Event], *, envelope: type[BaseModel]) -> dict[str, Any]:
    """The document. `envelope` is the model of a CloudEvent whose `data` may be any object."""
    listed = list(events)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ubertruck events",
            "version": "1.0.0",
            "description": _DESCRIPTION,
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {name_of(event): _channel(event) for event in listed},
        "operations": dict(operation for event in listed for operation in _operations(event)),
        "components": {
            "messages": {name_of(event): _message(event, envelope) for event in listed},
            "schemas": _schemas([envelope, *(event.data for event in listed)]),
        },
    }


def name_of(event: Event) -> str:
    """What the document calls it: `booking.requested.v1`."""
    return event.type.removeprefix("in.ubertruck.")


def example_event(event: Event) -> dict[str, Any]:
    """One such event as it is on the wire."""
    data = example_of(schema_of(event.data))
    return {
        "specversion": "1.0",
        "id": "01938f10-4b1e-7c77-8a55-0d1e2f3a4b5c",
        "source": event.source,
        "type": event.type,
        "subject": "01938e5a-7c1e-7b60-9d5c-0f1a2b3c4d5e",
        "time": "2026-11-24T09:30:00Z",
        "datacontenttype": "application/json",
        "aggregateversion": 1,
        # What is of the platform itself is no tenant's.
        **({"tenantid": data["tenant_id"]} if "tenant_id" in data else {}),
        "data": data,
    }


def _channel(event: Event) -> dict[str, Any]:
    name = name_of(event)
    return {
        "address": event.type,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
    }


def _operations(event: Event) -> Iterable[tuple[str, dict[str, Any]]]:
    name = name_of(event)
    pointer = {"$ref": f"#/channels/{name}"}
    message = {"$ref": f"#/channels/{name}/messages/{name}"}
    roles = [("send", event.sender), *(("receive", service) for service in event.receivers)]
    for action, service in roles:
        yield (
            f"{service}.{action}.{name}",
            {
                "action": action,
                "channel": pointer,
                "messages": [message],
                "tags": [{"name": service}],
            },
        )


def _message(event: Event, envelope: type[BaseModel]) -> dict[str, Any]:
    specifics: Schema = {
        "type": "object",
        "properties": {
            "type": {"const": event.type},
            "source": {"const": event.source},
            "data": {"$ref": f"{_SCHEMAS}{event.data.__name__}"},
        },
    }
    return {
        "name": event.type,
        "title": event.data.__name__,
        "summary": event.summary,
        "contentType": CONTENT_TYPE,
        "payload": {"allOf": [{"$ref": f"{_SCHEMAS}{envelope.__name__}"}, specifics]},
        "examples": [{"payload": example_event(event)}],
    }


def _schemas(models: Iterable[type[BaseModel]]) -> dict[str, Schema]:
    _, made = models_json_schema(
        [(model, "serialization") for model in models],
        ref_template=f"{_SCHEMAS}{{model}}",
        schema_generator=Generator,
    )
    return dict(sorted(made["$defs"].items()))
