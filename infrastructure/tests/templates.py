"""CloudFormation's templates, with as much of its functions as these ones use."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

FOLDER = Path(__file__).parents[1]
NAMES = sorted(path.name for path in FOLDER.glob("*.yaml"))
ENTRIES = {
    "staging.yaml": "ap-south-1",
    "production.yaml": "ap-south-1",
    "standby.yaml": "ap-south-2",
}
ACCOUNT = "123456789012"
STACK = "AWS::CloudFormation::Stack"
_TEXTS = {"Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::If"}
_DECISIONS = {"Condition", "Fn::Equals", "Fn::Not", "Fn::And", "Fn::Contains"}

# JSON has no type of its own: what a template holds is looked at where it is used.
Json = Any


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms of functions."""


def _function(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Json]:
    said: Json
    match node:
        case yaml.ScalarNode():
            said = loader.construct_scalar(node)
        case yaml.SequenceNode():
            said = loader.construct_sequence(node, deep=True)
        case _:
            raise ValueError(f"{node.start_mark}: !{name} takes a text or a list.")
    if name in {"Ref", "Condition"}:
        return {name: said}
    if name == "GetAtt":
        said = said.split(".", 1)
    return {f"Fn::{name}": said}


# The stubs leave the function's type open.
_Loader.add_multi_constructor("!", _function)  # pyright: ignore[reportUnknownMemberType]


class Refused(Exception):
    """CloudFormation wouldn't begin with these parameters; the text is what an operator reads."""


@cache
def load(name: str) -> dict[str, Json]:
    """A template of this folder, with its functions in their long form. Not to be changed."""
    return _Loader((FOLDER / name).read_text()).get_single_data()


class Scope:
    """What names stand for in one template. Raises Refused."""

    def __init__(self, name: str, parameters: Mapping[str, str], *, region: str) -> None:
        template = load(name)
        declared: dict[str, Json] = template.get("Parameters", {})
        if unknown := parameters.keys() - declared.keys():
            raise Refused(f"{name} has no parameter {', '.join(sorted(unknown))}.")
        defaults = {key: str(one["Default"]) for key, one in declared.items() if "Default" in one}
        self.parameters: dict[str, str] = defaults | dict(parameters)
        for key, one in declared.items():
            if key not in self.parameters:
                raise Refused(f"{name} isn't told its {key}.")
            allowed = [str(value) for value in one.get("AllowedValues", [self.parameters[key]])]
            if self.parameters[key] not in allowed:
                raise Refused(f"{key} is one of {', '.join(allowed)}.")
            if not re.fullmatch(one.get("AllowedPattern", ".*"), self.parameters[key]):
                raise Refused(f"{key} isn't as {one['AllowedPattern']} says.")
        self._conditions: dict[str, Json] = template.get("Conditions", {})
        self._resources: dict[str, Json] = template["Resources"]
        self.known = self.parameters | {"AWS::Region": region, "AWS::AccountId": ACCOUNT}
        for rule in template.get("Rules", {}).values():
            if self.value(rule.get("RuleCondition", True)):
                for assertion in rule["Assertions"]:
                    if not self.value(assertion["Assert"]):
                        raise Refused(assertion["AssertDescription"])

    def wanted(self, part: str, template: Mapping[str, Json]) -> dict[str, Json]:
        """Those resources or outputs whose condition holds."""
        return {
            key: one
            for key, one in template.get(part, {}).items()
            if "Condition" not in one or self._decision("Condition", one["Condition"])
        }

    def value(self, said: Json) -> Json:
        """What this comes to; None for AWS::NoValue, and `<Name>` for what only AWS will know."""
        if isinstance(said, dict):
            inside = cast(dict[str, Json], said)
            if len(inside) == 1:
                [(name, argument)] = inside.items()
                if name in _TEXTS:
                    return self._text(name, argument)
                if name in _DECISIONS and (name != "Condition" or isinstance(argument, str)):
                    return self._decision(name, argument)
            return {key: self.value(one) for key, one in inside.items()}
        if isinstance(said, list):
            return [self.value(one) for one in cast(list[Json], said)]
        return said

    def _text(self, function: str, argument: Json) -> Json:
        match function, argument:
            case "Ref", "AWS::NoValue":
                return None
            case "Ref", name:
                return self._named(name)
            case "Fn::GetAtt", [logical, attribute]:
                return self._named(f"{logical}.{attribute}")
            case "Fn::Sub", text:
                return re.sub(r"\$\{([^}]+)\}", lambda found: str(self._named(found[1])), text)
            case "Fn::Join", [between, parts]:
                return between.join(self.value(part) for part in parts)
            case _, [condition, yes, no]:
                return self.value(yes if self._decision("Condition", condition) else no)
            case _:
                raise ValueError(f"{function} doesn't take {argument}.")

    def _decision(self, function: str, argument: Json) -> bool:
        match function, argument:
            case "Condition", name:
                return self.value(self._conditions[name])
            case "Fn::Equals", [left, right]:
                return str(self.value(left)) == str(self.value(right))
            case "Fn::Not", [one]:
                return not self.value(one)
            case "Fn::And", parts:
                return all(self.value(part) for part in parts)
            case _, [several, one]:
                return self.value(one) in self.value(several)
            case _:
                raise ValueError(f"{function} doesn't take {argument}.")

    def _named(self, name: str) -> str:
        if name not in self.known and name.split(".")[0] in self._resources:
            return f"<{name}>"
        return self.known[name]
