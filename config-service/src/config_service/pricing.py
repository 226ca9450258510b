"""Rules of booking's documents that JSON Schema can't say."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, cast

from chassis.errors import FieldError
from config_service.conditions import condition_fault
from config_service.documents import JsonObject, child

MAX_DECIMALS: Final = 4


def pricing_faults(data: JsonObject) -> Iterator[FieldError]:
    """What is wrong with a document that already satisfies the schema."""
    yield from precision_faults(data)
    surge = data.get("surge_config")
    if surge is not None:
        yield from _trigger_faults(surge)


def _trigger_faults(surge: JsonObject) -> Iterator[FieldError]:
    limit: int | float = surge["max_multiplier"]
    for index, trigger in enumerate(surge["triggers"]):
        pointer = f"/surge_config/triggers/{index}"
        if trigger["multiplier"] > limit:
            yield FieldError(
                pointer=f"{pointer}/multiplier",
                message=f"is above max_multiplier, {limit}",
                code="max_multiplier",
            )
        fault = condition_fault(trigger["condition"])
        if fault is not None:
            yield FieldError(pointer=f"{pointer}/condition", message=fault, code="condition")


def precision_faults(value: object, pointer: str = "") -> Iterator[FieldError]:
    """Numbers below `pointer` that are written more finely than is calculated with."""
    match value:
        case dict():
            for key, item in cast(JsonObject, value).items():
                yield from precision_faults(item, child(pointer, key))
        case list():
            for index, item in enumerate(cast("list[object]", value)):
                yield from precision_faults(item, child(pointer, index))
        case float() if _decimals(value) > MAX_DECIMALS:
            message = f"has more than {MAX_DECIMALS} decimals"
            yield FieldError(pointer=pointer, message=message, code="decimals")
        case _:
            pass


def _decimals(number: float) -> int:
    # repr gives the shortest text that reads back as this number: what was written.
    exponent = Decimal(repr(number)).normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
