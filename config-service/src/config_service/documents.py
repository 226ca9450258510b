"""What a configuration may hold, whatever it is for: one JSON object that has one spelling."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from chassis.canonical import canonical_json, checksum
from chassis.errors import FieldError
from config_service.errors import InvalidConfiguration

JsonObject = dict[str, Any]

MAX_DEPTH: Final = 32
MAX_BYTES: Final = 64 * 1024
MAX_NUMBER: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Document:
    """Content and the checksum of its canonical form."""

    data: JsonObject
    checksum: str


def read_document(data: JsonObject) -> Document:
    """Check depth, numbers, text and size; raises `InvalidConfiguration`."""
    errors = list(_faults(data, "", 1))
    if errors:
        raise InvalidConfiguration(errors)
    size = len(canonical_json(data))
    if size > MAX_BYTES:
        message = f"is {size} bytes in canonical form, more than {MAX_BYTES}"
        raise InvalidConfiguration([_fault("", message, "size")])
    return Document(data=data, checksum=checksum(data))


def child(pointer: str, key: str | int) -> str:
    """The JSON Pointer (RFC 6901) of a member."""
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"


def _faults(value: object, pointer: str, depth: int) -> Iterator[FieldError]:
    match value:
        case dict() | list() if depth > MAX_DEPTH:
            yield _fault(pointer, f"is nested deeper than {MAX_DEPTH} levels", "depth")
        case dict():
            for key, item in cast(JsonObject, value).items():
                if not _is_text(key):
                    yield _fault(pointer, "has a key with NUL or half a character", "text")
                else:
                    yield from _faults(item, child(pointer, key), depth + 1)
        case list():
            for index, item in enumerate(cast("list[object]", value)):
                yield from _faults(item, child(pointer, index), depth + 1)
        case str() if not _is_text(value):
            yield _fault(pointer, "holds NUL or half a character", "text")
        case int() | float() if not abs(value) <= MAX_NUMBER:  # NaN compares with nothing
            yield _fault(pointer, f"is not a number within ±{MAX_NUMBER}", "number")
        case _:
            pass


def _is_text(text: str) -> bool:
    # Postgres keeps no NUL in jsonb, and a lone surrogate is no Unicode text.
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _fault(pointer: str, message: str, code: str) -> FieldError:
    return FieldError(pointer=pointer, message=message, code=code)
