"""Rules of booking's document for trips that JSON Schema can't say."""

import re
from collections.abc import Iterator
from typing import Final

from chassis.errors import FieldError
from config_service.documents import JsonObject, child
from config_service.pricing import precision_faults

# Numbers that people type are tried against these patterns. Without groups and with few counts to
# choose from none of them can take long, whatever is typed.
_PART: Final = r"(?:[A-Z0-9/-]|\[[A-Z0-9/-]+\])"
_PATTERN: Final = re.compile(rf"(?:{_PART}(?:\{{[0-9]{{1,2}}(?:,[0-9]{{1,2}})?\}})?)+", re.ASCII)
MOST_RANGES: Final = 2
# What booking takes where nothing is said.
LEAST_TARE: Final = 15
MOST_TARE: Final = 150


def trips_faults(data: JsonObject) -> Iterator[FieldError]:
    """What is wrong with a document that already satisfies the schema."""
    yield from precision_faults(data)
    weights: JsonObject = data.get("weights", {})
    least = weights.get("least_tare_percent", LEAST_TARE)
    if least >= weights.get("most_tare_percent", MOST_TARE):
        yield FieldError(
            pointer="/weights",
            message="leaves no weight that an empty truck may have",
            code="tare",
        )
    passes: JsonObject = data.get("transit_passes", {})
    for state, rule in passes.items():
        if not _is_plain(rule.get("pattern", "A")):
            yield FieldError(
                pointer=f"{child('/transit_passes', state)}/pattern",
                message="is not made of characters and sets of them, with at most two ranges",
                code="pattern",
            )


def _is_plain(pattern: str) -> bool:
    if not _PATTERN.fullmatch(pattern) or pattern.count(",") > MOST_RANGES:
        return False
    try:
        re.compile(pattern, re.ASCII)
    except re.error:
        return False
    return True
