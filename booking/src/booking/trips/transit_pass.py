"""Transit passes of minerals: which goods need one, and how its number is written.

Section 23C of the Mines and Minerals (Development and Regulation) Act, 1957 leaves the transport
of minerals to rules of the states: each has a portal of its own that gives out passes. The state
is that of the pickup. A state that has no row of its own is checked by the plain form.
"""

import re
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, field_validator

from chassis.errors import Invalid
from contracts.booking import Material

# Latin capitals, digits, strokes: what every portal prints, and no room for a sentence.
_PLAIN_FORM = r"[A-Z0-9][A-Z0-9/-]{4,28}[A-Z0-9]"
MINERALS: Final = frozenset({Material.COAL, Material.IRON_ORE, Material.LIMESTONE, Material.SAND})


class TransitPassMissing(Invalid):
    """The goods are a mineral, and no pass was given."""

    type = "transit-pass-missing"
    title = "This mineral needs a transit pass"


class TransitPassUnneeded(Invalid):
    """The goods need no pass, so one is a mistake."""

    type = "transit-pass-unneeded"
    title = "These goods need no transit pass"


class BadTransitPassNumber(Invalid):
    """It isn't written as the state's passes are."""

    type = "bad-transit-pass-number"
    title = "Not a number of a transit pass"


class PassRule(BaseModel):
    """How one state calls its passes, for which goods it demands one, and how they are numbered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "transit pass"
    materials: frozenset[Material] = MINERALS
    pattern: str = _PLAIN_FORM

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern, re.ASCII)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from error
        return pattern


ANY_STATE: Final = PassRule()
# By the code of the state in registration numbers. Patterns are left to configuration: portals
# change theirs, and refusing a good pass stops a truck.
PASS_RULES: Final[Mapping[str, PassRule]] = {
    "CG": PassRule(name="Khanij transit pass"),
    "JH": PassRule(name="JIMMS e-transport challan"),
    "KA": PassRule(name="mineral dispatch permit"),
    "MP": PassRule(name="e-transit pass"),
    "OD": PassRule(name="i3MS e-transit pass"),
    "RJ": PassRule(name="e-ravanna"),
    "UP": PassRule(name="eMM-11"),
}


def check_pass(
    number: str | None, *, material: Material, state: str, rules: Mapping[str, PassRule]
) -> str | None:
    """The number in capitals without blanks, None where none is needed.

    Raises `TransitPassMissing`, `TransitPassUnneeded`, `BadTransitPassNumber`.
    """
    rule = rules.get(state, ANY_STATE)
    needed = material in rule.materials
    if number is None:
        if needed:
            raise TransitPassMissing(f"In {state}, {material} travels with a {rule.name}.")
        return None
    if not needed:
        raise TransitPassUnneeded(f"In {state}, {material} travels without one.")
    plain = "".join(number.split()).upper()
    if not re.fullmatch(rule.pattern, plain, re.ASCII):
        raise BadTransitPassNumber(f"A {rule.name} of {state} isn't numbered like that.")
    return plain
