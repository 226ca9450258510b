"""Who may do what."""

import json
import re
from collections.abc import Iterator

import pytest

from .stacks import ISSUER, Plan, Resource, plan
from .templates import ENTRIES, Json

SERVICES = ["auth", "booking", "config", "notification", "payment", "tracking"]
# Actions that AWS lets nobody limit to a resource, or whose resources aren't known before.
ANYWHERE = {
    "look": "load-balancers.yaml",
    "mesh": "controllers.yaml",
    "events": "queue.yaml",
}


@pytest.fixture(params=ENTRIES)
def made(request: pytest.FixtureRequest) -> Plan:
    return plan(request.param, region=ENTRIES[request.param])


def statements(one: Resource) -> Iterator[tuple[str, dict[str, Json]]]:
    """The name of each policy of a role, with its statements."""
    if one.type == "AWS::IAM::RolePolicy":
        policies = [one.properties]
    else:
        policies = one.properties.get("Policies", [])
    for policy in policies:
        for statement in policy["PolicyDocument"]["Statement"]:
            yield policy["PolicyName"], statement


def listed(said: str | list[str]) -> list[str]:
    return [said] if isinstance(said, str) else said


def roles(made: Plan) -> list[Resource]:
    return made.of("AWS::IAM::Role") + made.of("AWS::IAM::RolePolicy")


def test_no_role_may_do_anything_by_a_wildcard(made: Plan) -> None:
    for role in roles(made):
        for name, statement in statements(role):
            assert statement["Effect"] == "Allow"
            for action in listed(statement["Action"]):
                assert "*" not in action, f"{role.template} {name}"


def test_the_pipeline_may_do_anything_only_by_way_of_cloudformation() -> None:
    made = Plan("ap-south-1")
    made.deploy("pipeline.yaml", {"Repository": "a/b", "Environment": "production"})
    mighty: list[str] = []
    for role in made.of("AWS::IAM::Role"):
        if "ManagedPolicyArns" in role.properties:
            mighty.append(role.name)
            [trusted] = role.properties["AssumeRolePolicyDocument"]["Statement"]
            assert trusted["Principal"] == {"Service": "cloudformation.amazonaws.com"}
        for _, statement in statements(role):
            assert not [one for one in listed(statement["Action"]) if "*" in one]
            if "*" in listed(statement["Resource"]):
                assert statement["Action"] == "ecr:GetAuthorizationToken"
            if "iam:PassRole" in listed(statement["Action"]):
                assert statement["Resource"] == "<Stack.Arn>"
    assert mighty == ["Stack"]


def test_only_what_can_t_be_limited_is_allowed_everywhere(made: Plan) -> None:
    found = {
        (name, role.template)
        for role in roles(made)
        for name, statement in statements(role)
        if "*" in listed(statement["Resource"])
    }
    assert found == set(ANYWHERE.items())


def test_what_the_load_balancers_controller_makes_it_may_tag(made: Plan) -> None:
    """It makes everything with tags, and ELB asks for AddTags then."""
    [role] = [one for one in roles(made) if one.template == "load-balancers.yaml"]
    allowed = [statement for _, statement in statements(role)]
    creates = {
        action.partition(":")[2]
        for statement in allowed
        for action in listed(statement["Action"])
        if action.startswith("elasticloadbalancing:Create")
    }
    assert creates == {"CreateListener", "CreateLoadBalancer", "CreateRule", "CreateTargetGroup"}
    tagging = [one for one in allowed if "elasticloadbalancing:AddTags" in listed(one["Action"])]
    conditions = [one["Condition"]["StringEquals"] for one in tagging]
    [on_creation] = [one for one in conditions if "elasticloadbalancing:CreateAction" in one]
    assert set(on_creation["elasticloadbalancing:CreateAction"]) == creates
    # Never what isn't this cluster's, before or after.
    assert all(any("Tag/elbv2.k8s.aws/cluster" in key for key in one) for one in conditions)


def test_roles_trust_one_service_account_each(made: Plan) -> None:
    trusted: list[str] = []
    for role in made.of("AWS::IAM::Role"):
        document = role.properties["AssumeRolePolicyDocument"]
        if not isinstance(document, str):
            continue  # AWS's own services
        [statement] = json.loads(document)["Statement"]
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        [(operator, condition)] = statement["Condition"].items()
        assert operator == "StringEquals"
        assert condition.pop(f"{ISSUER}:aud") == "sts.amazonaws.com"
        trusted.append(condition.pop(f"{ISSUER}:sub"))
        assert not condition
    assert len(trusted) == len(set(trusted))
    for service in SERVICES:
        assert f"system:serviceaccount:ubertruck:{service}-service" in trusted


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_its_own_secrets_and_no_others(made: Plan, service: str) -> None:
    [role] = [
        one
        for one in made.of("AWS::IAM::Role")
        if one.properties.get("RoleName", "").endswith(f"-{service}-service")
    ]
    found = {
        arn.split(":secret:")[1]
        for _, statement in statements(role)
        if any(action.startswith("secretsmanager:") for action in listed(statement["Action"]))
        for arn in listed(statement["Resource"])
    }
    environment = "staging" if "staging" in role.properties["RoleName"] else "production"
    at = f"ubertruck/{environment}"
    # Not its migrator's. Six characters are what Secrets Manager adds to a name.
    assert found == {f"{at}/database/{service}-runtime-??????", f"{at}/clients/{service}-??????"}


def test_secrets_are_read_as_they_are_now_and_from_inside(made: Plan) -> None:
    read = 0
    for role in roles(made):
        for _, statement in statements(role):
            if "secretsmanager:GetSecretValue" in listed(statement["Action"]):
                read += 1
                for arn in listed(statement["Resource"]):
                    assert re.search(r":secret:ubertruck/(staging|production)/", arn)
                condition = statement["Condition"]
                assert condition["StringEquals"]["aws:SourceVpce"]
                assert condition["ForAnyValue:StringEquals"] == {
                    "secretsmanager:VersionStage": "AWSCURRENT"
                }
                # Has no version stage: together they would allow nothing.
                assert "secretsmanager:DescribeSecret" not in listed(statement["Action"])
    assert read == len(SERVICES) + 1


def test_a_service_has_its_own_queue_and_no_other(made: Plan) -> None:
    policies = made.of("AWS::IAM::RolePolicy")
    queues = [one for one in made.of("AWS::SQS::Queue") if one.name == "Queue"]
    assert len(policies) == len(queues) == 4
    for policy in policies:
        for _, statement in statements(policy):
            if any(action.startswith("sqs:") for action in listed(statement["Action"])):
                assert statement["Resource"] == "<Queue.Arn>"
            if statement["Action"] == "sns:Subscribe":
                assert statement["Condition"]["StringEquals"]["sns:Endpoint"] == "<Queue.Arn>"


def test_nothing_lets_the_world_in(made: Plan) -> None:
    for group in made.of("AWS::EC2::SecurityGroup"):
        assert "0.0.0.0/0" not in str(group.properties)
    for kind in ("AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy"):
        for one in made.of(kind):
            for statement in one.properties["PolicyDocument"]["Statement"]:
                assert statement["Effect"] == "Deny" or statement["Principal"] != "*"
