"""Where payment data may be."""

import pytest

from .stacks import plan
from .templates import ENTRIES, Refused, load

# The specification's second region.
SINGAPORE = "ap-southeast-1"


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_point_keeps_payment_data_in_india_unless_told_otherwise(name: str) -> None:
    assert load(name)["Parameters"]["DataResidency"]["Default"] == "IN"
    with pytest.raises(Refused, match=r"Payment data stays in India.*DataResidency=IN"):
        plan(name, region=SINGAPORE)


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("region", ["ap-south-1", "ap-south-2"])
def test_both_regions_in_india_are_taken(name: str, region: str) -> None:
    assert plan(name, region=region).resources


def test_copies_go_to_the_other_region_in_india() -> None:
    assert load("production.yaml")["Parameters"]["SecondaryRegion"]["Default"] == "ap-south-2"
    with pytest.raises(Refused, match=r"Copies of payment data stay in India"):
        plan("production.yaml", region="ap-south-1", SecondaryRegion=SINGAPORE)


def test_the_specified_second_region_is_there_for_whoever_has_no_payment_data() -> None:
    made = plan(
        "production.yaml", region="ap-south-1", SecondaryRegion=SINGAPORE, DataResidency="ANY"
    )
    assert f"arn:aws:backup:{SINGAPORE}:" in str(made.of("AWS::Backup::BackupPlan"))
    assert plan("standby.yaml", region=SINGAPORE, DataResidency="ANY").resources


@pytest.mark.parametrize("name", ENTRIES)
def test_nothing_names_a_region_outside_of_india_by_itself(name: str) -> None:
    made = plan(name, region=ENTRIES[name])
    assert SINGAPORE not in str(made.resources)


def test_refusals_come_before_anything_is_made() -> None:
    # What stands in an entry point is one stack, and the rule is of that stack.
    for name in ENTRIES:
        assert list(load(name)["Resources"]) == ["Platform"]
    assert "Rules" in load("platform.yaml")


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"SecondaryRegion": "eu-west-1"}, "SecondaryRegion is one of"),
        ({"DataResidency": "no"}, "DataResidency is one of IN, ANY"),
        ({"Environment": "staging"}, "Environment is one of production"),
    ],
)
def test_nonsense_is_refused(said: dict[str, str], refusal: str) -> None:
    with pytest.raises(Refused, match=refusal):
        plan("production.yaml", region="ap-south-1", **said)
