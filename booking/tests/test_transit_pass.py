import pytest
from pydantic import ValidationError

from booking.trips.transit_pass import (
    MINERALS,
    PASS_RULES,
    BadTransitPassNumber,
    PassRule,
    TransitPassMissing,
    TransitPassUnneeded,
    check_pass,
)
from contracts.booking import Material

OWN_FORM = {
    "OD": PassRule(name="Y form", materials=frozenset({Material.SAND}), pattern="Y[0-9]{5}")
}


@pytest.mark.parametrize("material", sorted(MINERALS))
@pytest.mark.parametrize("state", ["JH", "TN"])
def test_minerals_need_a_pass_in_every_state(material: Material, state: str) -> None:
    with pytest.raises(TransitPassMissing):
        check_pass(None, material=material, state=state, rules=PASS_RULES)
    found = check_pass(" jh-dhn-2026-0012345 ", material=material, state=state, rules=PASS_RULES)
    assert found == "JH-DHN-2026-0012345"


@pytest.mark.parametrize("material", sorted(set(Material) - MINERALS))
def test_what_is_no_mineral_needs_none(material: Material) -> None:
    assert check_pass(None, material=material, state="JH", rules=PASS_RULES) is None
    with pytest.raises(TransitPassUnneeded):
        check_pass("JH-1234567", material=material, state="JH", rules=PASS_RULES)


@pytest.mark.parametrize("number", ["", "A", "-12345", "12345-", "1" * 31, "12;DROP", "\u0967" * 8])
def test_other_numbers_are_refused(number: str) -> None:
    with pytest.raises(BadTransitPassNumber):
        check_pass(number, material=Material.COAL, state="JH", rules=PASS_RULES)


def test_a_state_may_have_rules_of_its_own() -> None:
    assert check_pass("y12345", material=Material.SAND, state="OD", rules=OWN_FORM) == "Y12345"
    assert check_pass(None, material=Material.COAL, state="OD", rules=OWN_FORM) is None
    with pytest.raises(BadTransitPassNumber, match="Y form of OD"):
        check_pass("Y1234", material=Material.SAND, state="OD", rules=OWN_FORM)


def test_a_pattern_that_is_none_is_not_configured() -> None:
    with pytest.raises(ValidationError, match="no regular expression"):
        PassRule(pattern="(")
