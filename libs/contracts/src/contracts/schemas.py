"""The JSON Schema of an event's data, an example made from it, and whether it may follow another.

A released schema only gains optional fields. Then yesterday's readers understand today's events,
and today's readers those that still wait from yesterday. Anything else is a new version.
"""

from collections.abc import Iterator
from typing import Any, Final, cast

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

Schema = dict[str, Any]

DIALECT: Final = GenerateJsonSchema.schema_dialect

# What explains and forbids nothing.
_TEXTS: Final = frozenset({"$schema", "$defs", "title", "description", "examples"})


class Generator(GenerateJsonSchema):
    """pydantic's, without a title for each field that only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema_of(model: type[BaseModel]) -> Schema:
    """What a sender writes, as JSON Schema 2020-12."""
    made = TypeAdapter(model).json_schema(schema_generator=Generator, mode="serialization")
    return {"$schema": DIALECT, **made}


def example_of(schema: Schema) -> Any:
    """A value that satisfies the schema, from the examples in it. Optional fields are there too."""
    return _example(expanded(schema))


def _example(schema: Schema) -> Any:
    match schema:
        case {"examples": [first, *_]} | {"enum": [first, *_]} | {"const": first}:
            return first
        case {"anyOf": [first, *_]}:
            return _example(first)
        case {"properties": properties}:
            return {name: _example(part) for name, part in properties.items()}
        case {"type": "array", "items": items}:
            return [_example(items)]
        case _:
            raise ValueError(f"Nothing in it is an example: {schema}")


def expanded(schema: Schema) -> Schema:
    """The same schema with its definitions put where they are referred to."""
    return cast(Schema, _expanded(schema, schema.get("$defs", {})))


def _expanded(part: object, definitions: dict[str, Schema]) -> object:
    match part:
        case dict():
            schema = dict(cast(Schema, part))
            pointer = schema.pop("$ref", None)
            if pointer is not None:
                found = definitions[pointer.removeprefix("#/$defs/")]
                return _expanded({**found, **schema}, definitions)
            items = schema.items()
            return {key: _expanded(value, definitions) for key, value in items if key != "$defs"}
        case list():
            return [_expanded(value, definitions) for value in cast(list[object], part)]
        case _:
            return part


def breaks(released: Schema, proposed: Schema) -> list[str]:
    """Why `proposed` can't take the place of `released`: one sentence a field, none when it can."""
    return list(_breaks("data", expanded(released), expanded(proposed)))


def _breaks(path: str, old: Schema, new: Schema) -> Iterator[str]:
    yield from _field_breaks(path, old, new)
    for keyword in sorted((old.keys() | new.keys()) - _TEXTS - {"properties", "required"}):
        before, after = old.get(keyword), new.get(keyword)
        if keyword == "items" and before and after:
            yield from _breaks(f"{path}[]", before, after)
        elif keyword == "anyOf" and before and after and len(before) == len(after):
            for was, is_now in zip(before, after, strict=True):
                yield from _breaks(path, was, is_now)
        elif before != after:
            yield f"{path}: {keyword} was {before} and is {after}"


def _field_breaks(path: str, old: Schema, new: Schema) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in before:
        if name in after:
            yield from _breaks(f"{path}.{name}", before[name], after[name])
        else:
            yield f"{path}.{name} is gone"
    was, is_now = set(old.get("required", ())), set(new.get("required", ()))
    yield from (f"{path}.{name} is newly required" for name in sorted(is_now - was))
    yield from (f"{path}.{name} is required no more" for name in sorted((was - is_now) & {*after}))
