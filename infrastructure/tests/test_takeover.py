"""What is different before, while and after the other region takes over."""

import pytest

from .stacks import Plan, plan
from .templates import Json, Refused, load

BALANCERS = {
    "HostedZone": "Z0",
    "PrimaryBalancer": "first.example",
    "PrimaryBalancerZone": "Z1",
}
STANDBY = {"StandbyBalancer": "second.example", "StandbyBalancerZone": "Z2"}


def records(**said: str) -> dict[str, dict[str, Json]]:
    """By their role in failover."""
    made = Plan("ap-south-1")
    made.deploy("names.yaml", BALANCERS | said)
    return {
        one.properties["Failover"]: one.properties["AliasTarget"]
        for one in made.of("AWS::Route53::RecordSet")
    }


def test_the_name_leads_to_the_primary_region_and_needs_no_other() -> None:
    assert {key: one["DNSName"] for key, one in records().items()} == {"PRIMARY": "first.example"}


def test_a_standby_that_is_ready_gets_what_the_primary_can_t_take() -> None:
    found = records(**STANDBY)
    assert {key: one["DNSName"] for key, one in found.items()} == {
        "PRIMARY": "first.example",
        "SECONDARY": "second.example",
    }
    assert all(one["EvaluateTargetHealth"] is True for one in found.values())


def test_once_the_standby_serves_nothing_leads_back_by_itself() -> None:
    found = records(**STANDBY, Serving="standby")
    assert found == {
        "PRIMARY": {
            "DNSName": "second.example",
            "HostedZoneId": "Z2",
            "EvaluateTargetHealth": True,
        }
    }


def test_a_standby_without_a_balancer_can_t_serve() -> None:
    with pytest.raises(Refused, match="can't serve without StandbyBalancer"):
        records(Serving="standby")


def addons(**said: str) -> set[str]:
    made = plan("standby.yaml", region="ap-south-2", **said)
    return {one.properties["AddonName"] for one in made.of("AWS::EKS::Addon")}


def test_without_nodes_there_is_no_add_on_that_waits_for_one() -> None:
    assert addons() == {"vpc-cni"}
    assert addons(MinNodes="6") == {"vpc-cni", "aws-efs-csi-driver", "metrics-server"}


def test_nodes_come_after_what_gives_their_pods_addresses_and_before_the_rest() -> None:
    made = load("nodes.yaml")["Resources"]
    assert made["Nodes"]["DependsOn"] == "Network"
    assert made["Files"]["DependsOn"] == made["Metrics"]["DependsOn"] == "Nodes"


def test_both_regions_of_production_may_be_in_one_account() -> None:
    # Names of roles and buckets are one world for all regions of an account.
    regions = {"production.yaml": "ap-south-1", "standby.yaml": "ap-south-2"}
    for kind, key in (("AWS::IAM::Role", "RoleName"), ("AWS::S3::Bucket", "BucketName")):
        named = [
            one.properties[key]
            for name, region in regions.items()
            for one in plan(name, region=region).of(kind)
            if key in one.properties
        ]
        assert len(named) == len(set(named)) > 5
