"""Stacks within stacks: what would be made of an entry point, and moto's making of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import boto3

from .templates import ACCOUNT, STACK, Json, Scope, load

# What every entry point is told by whoever deploys it.
SAID = {
    "Version": "abc",
    "DeployRole": f"arn:aws:iam::{ACCOUNT}:role/deploy",
    "OperatorRole": f"arn:aws:iam::{ACCOUNT}:role/operators",
}
ISSUER = "oidc.eks.ap-south-1.amazonaws.com/id/0"


@dataclass(frozen=True)
class Resource:
    """A resource that would be made, with all that can be known of its properties."""

    template: str
    name: str
    type: str
    properties: dict[str, Json]


@dataclass
class Plan:
    """What would be made of an entry point in a region; `deploy` fills it."""

    region: str
    # Outputs that only AWS would know, and that are more than names here.
    stand_ins: Mapping[str, str] = field(default_factory=lambda: {"Issuer": ISSUER})
    resources: list[Resource] = field(default_factory=list[Resource])

    def deploy(self, name: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Go through a template and those within it. Returns its outputs; raises Refused."""
        template = load(name)
        scope = Scope(name, parameters, region=self.region)
        wanted = scope.wanted("Resources", template)
        nested = {key: one for key, one in wanted.items() if one["Type"] == STACK}
        own = {key: one for key, one in wanted.items() if key not in nested}
        outputs = scope.wanted("Outputs", template)
        told = self.make(name, own, {} if nested else outputs, scope) if own else {}
        for logical, stack in nested.items():
            inside = scope.value(stack["Properties"]["Parameters"])
            found = self.deploy(
                stack["Properties"]["TemplateURL"], {key: str(one) for key, one in inside.items()}
            )
            scope.known.update({f"{logical}.Outputs.{key}": one for key, one in found.items()})
        known = {**told, **self.stand_ins}
        return {
            key: known[key] if key in known else str(scope.value(one["Value"]))
            for key, one in outputs.items()
        }

    def make(
        self, name: str, resources: dict[str, Json], outputs: dict[str, Json], scope: Scope
    ) -> dict[str, str]:
        """Make the resources of one template. Returns those outputs that are better known now."""
        for logical, one in resources.items():
            properties = scope.value(one.get("Properties", {}))
            self.resources.append(Resource(name, logical, one["Type"], properties))
        return {}

    def of(self, kind: str) -> list[Resource]:
        """The resources of a type."""
        return [one for one in self.resources if one.type == kind]


def plan(name: str, *, region: str, **parameters: str) -> Plan:
    """What an entry point would make. Raises Refused."""
    made = Plan(region)
    made.deploy(name, SAID | parameters)
    return made


def client(service: str, *, region: str, url: str) -> Any:
    """boto3's client, without types: what it is asked for here is little of much."""
    return cast(Any, boto3).client(service, region_name=region, endpoint_url=url)


@dataclass
class MotoPlan(Plan):
    """A plan that is also carried out. moto nests no stacks, so each template is one of its own."""

    url: str = ""
    # Types of resources that moto doesn't know.
    not_made: set[str] = field(default_factory=set[str])
    _stacks: int = 0

    def make(
        self, name: str, resources: dict[str, Json], outputs: dict[str, Json], scope: Scope
    ) -> dict[str, str]:
        super().make(name, resources, outputs, scope)
        formation = client("cloudformation", region=self.region, url=self.url)
        self._stacks += 1
        stack = f"{name.removesuffix('.yaml')}-{self._stacks}"
        told = {key: one for key, one in outputs.items() if key not in self.stand_ins}
        formation.create_stack(
            StackName=stack,
            TemplateBody=_as_moto_reads(load(name) | {"Resources": resources, "Outputs": told}),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": one}
                for key, one in scope.parameters.items()
            ],
        )
        found = formation.describe_stack_resources(StackName=stack)["StackResources"]
        # What moto doesn't know is an entry without a name.
        made = {one["LogicalResourceId"]: one for one in found if "LogicalResourceId" in one}
        scope.known.update(
            {
                key: one["PhysicalResourceId"]
                for key, one in made.items()
                if "PhysicalResourceId" in one
            }
        )
        self.not_made |= {one["Type"] for key, one in resources.items() if key not in made}
        [described] = formation.describe_stacks(StackName=stack)["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])}


def _as_moto_reads(template: dict[str, Json]) -> str:
    # To moto this Ref is an object and no name, and it fails.
    text = json.dumps(template).replace('"DBParameterGroupName": {"Ref": "Settings"}, ', "")
    # A tab isn't YAML, so moto takes it for JSON, which it reads in a fiftieth of the time.
    return f"\t{text}"
