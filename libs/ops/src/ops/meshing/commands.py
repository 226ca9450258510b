"""The commands that need no running platform: validate, render, diff."""

import json
from collections.abc import Iterable, Iterator, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Any, cast

from mesh.appmesh.kinds import Kind
from mesh.appmesh.manifests import Manifests
from mesh.appmesh.reading import BadManifests, read_files
from mesh.appmesh.rules import faults_of
from mesh.dataplane import egress
from ops.errors import OpsError
from ops.plane import MANIFESTS


def validate(paths: Sequence[Path]) -> int:
    """Print what is wrong with manifests; the exit code, 1 when something is."""
    try:
        manifests = read_files(paths or [MANIFESTS])
        faults = faults_of(manifests)
    except BadManifests as error:
        faults, manifests = list(error.faults), None
    for fault in faults:
        print(fault)
    if manifests is None or faults:
        print(f"{len(faults)} fault{'' if len(faults) == 1 else 's'}")
        return 1
    print(f"{len(manifests.sources)} objects, nothing wrong")
    return 0


def render(paths: Sequence[Path], caller: str) -> None:
    """Print what one virtual node's Envoy makes of manifests: its routes and its clusters."""
    manifests = _sound(paths)
    names = sorted(key.name for key, node in manifests.nodes.items() if node.spec.backends)
    if caller not in names:
        raise OpsError(f"No virtual node {caller} calls others. Those that do: {', '.join(names)}.")
    key = manifests.node(caller).key
    shown = {
        "routes": egress.routes(manifests, key),
        "clusters": egress.clusters(manifests, key, Path("endpoints")),
    }
    print(json.dumps(shown, indent=2))


def diff(old: Path, new: Path) -> int:
    """Print what became of each object, by its meaning and not by its text; 1 when anything did."""
    before, after = _sound([old]), _sound([new])
    changes = [*_differences(_by_name(before), _by_name(after))]
    for line in changes:
        print(line)
    if not changes:
        print("no difference")
    return 1 if changes else 0


def _sound(paths: Sequence[Path]) -> Manifests:
    try:
        return read_files(paths or [MANIFESTS])
    except BadManifests as error:
        raise OpsError(str(error)) from error


def _by_name(manifests: Manifests) -> dict[str, Kind]:
    objects: list[Kind] = [
        *manifests.meshes.values(),
        *manifests.services.values(),
        *manifests.routers.values(),
        *manifests.nodes.values(),
    ]
    return {f"{one.kind} {one.key}": one for one in objects}


def _differences(before: dict[str, Kind], after: dict[str, Kind]) -> Iterable[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield f"+ {name}"
        elif name not in after:
            yield f"- {name}"
        elif before[name].spec != after[name].spec:
            yield f"~ {name}"
            if before[name].spec.aws_name != after[name].spec.aws_name:
                yield "    awsName may not change: the cluster will refuse this"
            lines = unified_diff(_leaves(before[name]), _leaves(after[name]), lineterm="", n=0)
            yield from (
                f"    {line}" for line in lines if not line.startswith(("---", "+++", "@@"))
            )


def _leaves(one: Kind) -> list[str]:
    return [*_flat(json.loads(one.model_dump_json(by_alias=True, exclude_none=True))["spec"])]


def _flat(value: Any, path: str = "") -> Iterator[str]:
    """Everything that is set, each on a line of its own with its whole path."""
    if isinstance(value, dict):
        for key, one in cast("dict[str, Any]", value).items():
            yield from _flat(one, f"{path}.{key}".removeprefix("."))
    elif isinstance(value, list):
        for number, one in enumerate(cast("list[Any]", value)):
            yield from _flat(one, f"{path}[{_label(one) or number}]")
    else:
        yield f"{path}: {value}"


def _label(one: Any) -> str:
    """What a member of a list is known by, so that others may come before it."""
    if not isinstance(one, dict):
        return ""
    named = cast("dict[str, Any]", one)
    return str(named.get("virtualNodeRef", named).get("name", ""))
